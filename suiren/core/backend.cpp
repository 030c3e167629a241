#include "suiren/core/backend.h"

#include <dlfcn.h>
#include <fmt/ranges.h>
#include <array>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/core/tensor.h"

namespace suiren {
namespace {

struct Interned {
  std::mutex mutex;
  std::unordered_map<std::string, uint32_t> ids;
  std::vector<std::string> names;
};
Interned& interned() {
  static auto* table = new Interned;  // never destroyed: chips may intern while the process ends
  return *table;
}

void host_log(int32_t level, const char* text) {
  if (level <= 1)
    warn("{}", text);
  else
    info("{}", text);
}

// By DType id, from the first block format on.
const std::array<sr_block, DType::kBlockCount> kBlockFormats = [] {
  std::array<sr_block, DType::kBlockCount> list{};
  for (int i = 0; i < DType::kBlockCount; ++i) {
    const DType d = static_cast<DType::Id>(DType::kQ8_0 + i);
    list[static_cast<size_t>(i)] = {sizeof(sr_block), static_cast<uint32_t>(d.block_elements()),
                                    static_cast<uint32_t>(d.block_bytes()), 0, d.name().data()};
  }
  return list;
}();

const sr_host kHost{sizeof(sr_host), 1, intern, host_log};

// Functions that a chip must have, by their place in the table.
constexpr std::pair<const char*, size_t> kRequired[] = {
    {"kind", offsetof(sr_backend, kind)},
    {"device_count", offsetof(sr_backend, device_count)},
    {"device_open", offsetof(sr_backend, device_open)},
    {"device_close", offsetof(sr_backend, device_close)},
    {"device_info", offsetof(sr_backend, device_info)},
    {"mem_alloc", offsetof(sr_backend, mem_alloc)},
    {"mem_free", offsetof(sr_backend, mem_free)},
    {"copy", offsetof(sr_backend, copy)},
    {"stream_create", offsetof(sr_backend, stream_create)},
    {"stream_destroy", offsetof(sr_backend, stream_destroy)},
    {"stream_sync", offsetof(sr_backend, stream_sync)},
    {"op_query", offsetof(sr_backend, op_query)},
    {"op_run", offsetof(sr_backend, op_run)},
    {"last_error", offsetof(sr_backend, last_error)},
};

struct Loaded {
  const sr_backend* original;
  sr_backend table;
  Loaded(const sr_backend* from, const std::string& where)
      : original(from), table(complete_table(from, where)) {}
};

const sr_backend* plugin_table(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  SR_CHECK_AS(kNotFound, library, "cannot load plug-in {}: {}", path, dlerror());
  auto entry = reinterpret_cast<sr_plugin_entry_v1>(dlsym(library, "suiren_plugin_entry_v1"));
  SR_CHECK_AS(kNotFound, entry, "{} is no suiren plug-in: it exports no suiren_plugin_entry_v1", path);
  return entry(&kHost);
}

struct Backends {
  std::mutex mutex;
  std::vector<std::unique_ptr<Loaded>> list;
  std::map<std::string, const sr_backend*> by_path;
  Backends() {
    for (const auto& b : builtin_backends())
      if (const sr_backend* table = b.entry(&kHost)) add(table, b.kind);
    const char* plugins = std::getenv("SUIREN_PLUGINS");
    for (std::string rest = plugins ? plugins : ""; !rest.empty();) {
      const auto colon = rest.find(':');
      if (const std::string path = rest.substr(0, colon); !path.empty()) load(path);
      rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
  }
  const sr_backend* add(const sr_backend* table, const std::string& where) {
    auto fresh = std::make_unique<Loaded>(table, where);
    for (const auto& known : list) {
      if (known->original == table) return &known->table;
      SR_CHECK_AS(kDevice, std::strcmp(known->table.kind, table->kind) != 0,
                  "plug-in {} is of kind '{}', and another chip has that name already", where, table->kind);
    }
    return &list.emplace_back(std::move(fresh))->table;
  }
  const sr_backend* load(const std::string& path) {
    auto& slot = by_path[path];
    if (!slot) slot = add(plugin_table(path), path);
    return slot;
  }
  const sr_backend* find(const std::string& kind) const {
    for (const auto& known : list)
      if (kind == known->table.kind) return &known->table;
    return nullptr;
  }
};
Backends& backends() {
  static auto* b = new Backends;
  return *b;
}

// Sizes of cached blocks: four steps between powers of two, so that little is wasted and most frees fit
// again.
int64_t rounded_capacity(int64_t bytes) {
  if (bytes <= 256) return 256;
  const int shift = 61 - __builtin_clzll(static_cast<unsigned long long>(bytes - 1));
  const int64_t step = int64_t{1} << shift;
  return (bytes + step - 1) / step * step;
}

}  // namespace

sr_backend complete_table(const sr_backend* from, const std::string& where) {
  SR_CHECK_AS(kDevice, from, "plug-in {} declined this host", where);
  sr_backend table{};
  // A field exists only when all of it does: never half a pointer.
  const size_t size = std::min<size_t>(from->struct_size, sizeof table);
  std::memcpy(&table, from, size / sizeof(void*) * sizeof(void*));
  for (const auto& [name, at] : kRequired) {
    const void* entry = nullptr;
    std::memcpy(&entry, reinterpret_cast<const char*>(&table) + at, sizeof entry);
    SR_CHECK_AS(kDevice, entry, "plug-in {} lacks {}, which version 1 of the chip interface requires", where,
                name);
  }
  const std::string_view kind = table.kind;
  SR_CHECK_AS(kDevice,
              !kind.empty() && kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == kind.npos,
              "plug-in {} is of kind '{}'; a kind is of lower-case letters, digits and _", where, kind);
  return table;
}

const sr_block* block_of(DType dtype) {
  return dtype.is_block() ? &kBlockFormats[static_cast<size_t>(dtype.id() - DType::kQ8_0)] : nullptr;
}

uint32_t intern(const char* name) {
  auto& t = interned();
  std::lock_guard lock(t.mutex);
  const auto [it, fresh] = t.ids.emplace(name, static_cast<uint32_t>(t.names.size()));
  if (fresh) t.names.emplace_back(name);
  return it->second;
}

std::string interned_name(uint32_t id) {
  auto& t = interned();
  std::lock_guard lock(t.mutex);
  return id < t.names.size() ? t.names[id] : "?";
}

std::vector<std::string> plugin_folders() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  if (error) return {};
  return {program / "plugins", (program / "../lib/suiren/plugins").lexically_normal()};
}

const sr_backend& find_backend(const std::string& kind) {
  auto& b = backends();
  std::lock_guard lock(b.mutex);
  if (kind.find('/') != std::string::npos || kind.ends_with(".so")) return *b.load(kind);
  if (const auto* known = b.find(kind)) return *known;
  for (const std::string& folder : plugin_folders())
    if (const std::string path = folder + "/libsuiren_" + kind + ".so"; std::filesystem::exists(path)) {
      const sr_backend* found = b.load(path);
      SR_CHECK_AS(kDevice, kind == found->kind, "plug-in {} is of kind '{}', not what its name says", path,
                  found->kind);
      return *found;
    }
  std::string kinds;
  for (const auto& known : b.list) kinds += (kinds.empty() ? "" : ", ") + std::string(known->table.kind);
  fail(ErrorCode::kNotFound,
       "no device named '{}'; there are: {}. A plug-in is loaded by its path, by SUIREN_PLUGINS, or as "
       "libsuiren_{}.so from: {}",
       kind, kinds, kind, fmt::join(plugin_folders(), ", "));
}

std::vector<const sr_backend*> all_backends() {
  auto& b = backends();
  std::lock_guard lock(b.mutex);
  std::vector<const sr_backend*> tables;
  for (const auto& known : b.list) tables.push_back(&known->table);
  return tables;
}

DeviceContext::DeviceContext(const sr_backend* backend, uint32_t index)
    : backend_(backend), kind_(backend->kind) {
  const uint32_t count = backend->device_count();
  SR_CHECK_AS(kNotFound, index < count, "no device {}:{}; this machine has {} of kind {}", kind_, index,
              count, kind_);
  name_ = kind_ + ":" + std::to_string(index);
  const sr_device_options options{sizeof options, 0, 0};
  check(backend->device_open(index, &options, &device_), "device_open");
  info_.struct_size = sizeof info_;
  check(backend->device_info(device_, &info_), "device_info");
  check(backend->stream_create(device_, &stream_), "stream_create");
}

void DeviceContext::check(sr_status status, const char* what) const {
  if (status == SR_OK) [[likely]]
    return;
  const char* why = backend_->last_error();
  fail(ErrorCode::kDevice, "{}: {} failed: {}", name_, what, why && *why ? why : "no reason given");
}

sr_memory DeviceContext::allocate(int64_t bytes, int64_t* capacity) {
  *capacity = rounded_capacity(bytes);
  std::lock_guard lock(mutex_);
  in_use_ += *capacity;
  if (const auto it = free_.find(*capacity); it != free_.end()) {
    sr_memory m = it->second;
    free_.erase(it);
    cached_ -= *capacity;
    return m;
  }
  sr_memory m = nullptr;
  sr_status status = backend_->mem_alloc(device_, static_cast<uint64_t>(*capacity), &m);
  if (status == SR_ERROR_OUT_OF_MEMORY) {
    trim();
    status = backend_->mem_alloc(device_, static_cast<uint64_t>(*capacity), &m);
  }
  if (status != SR_OK) in_use_ -= *capacity;
  check(status, "mem_alloc");
  return m;
}

void DeviceContext::release(sr_memory memory, int64_t capacity, bool keep) {
  std::lock_guard lock(mutex_);
  in_use_ -= capacity;
  if (!keep) return backend_->mem_free(device_, memory);
  free_.emplace(capacity, memory);
  cached_ += capacity;
  // What is cached serves the next step; more than what is in use, and 64 MiB, is hoarding.
  if (cached_ > in_use_ + (int64_t{64} << 20)) trim();
}

void DeviceContext::trim() {
  for (const auto& [capacity, memory] : free_) backend_->mem_free(device_, memory);
  free_.clear();
  cached_ = 0;
}

void* DeviceContext::pointer(sr_memory memory) const {
  return host_addressable() && backend_->memory_pointer ? backend_->memory_pointer(memory) : nullptr;
}

std::unique_lock<std::mutex> DeviceContext::turn() {
  return info_.concurrent_stream ? std::unique_lock<std::mutex>() : std::unique_lock(stream_mutex_);
}

sr_status DeviceContext::run(sr_plan plan, const sr_op& op, sr_memory workspace) {
  const auto lock = turn();
  return backend_->op_run(stream_, plan, &op, workspace);
}

void DeviceContext::read(void* to, sr_memory from, int64_t from_offset, int64_t bytes) {
  const auto lock = turn();
  check(backend_->copy(stream_, nullptr, 0, to, from, static_cast<uint64_t>(from_offset), nullptr,
                       static_cast<uint64_t>(bytes)),
        "copy to the host");
}

void DeviceContext::write(sr_memory to, int64_t to_offset, const void* from, int64_t bytes) {
  const auto lock = turn();
  check(backend_->copy(stream_, to, static_cast<uint64_t>(to_offset), nullptr, nullptr, 0, from,
                       static_cast<uint64_t>(bytes)),
        "copy from the host");
}

void DeviceContext::synchronize() {
  const auto lock = turn();
  check(backend_->stream_sync(stream_), "stream_sync");
}

}  // namespace suiren
