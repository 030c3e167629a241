#include "suiren/core/backend.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
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

const sr_host kHost{sizeof(sr_host), 0, intern, host_log};

const sr_backend* validated(const sr_backend* b, const std::string& where) {
  SR_CHECK_AS(kDevice, b, "plug-in {} declined this host", where);
  SR_CHECK_AS(kDevice,
              b->struct_size >= offsetof(sr_backend, memory_pointer) && b->kind && b->device_count &&
                  b->device_open && b->device_close && b->device_info && b->mem_alloc && b->mem_free &&
                  b->copy && b->stream_create && b->stream_destroy && b->stream_sync && b->op_query &&
                  b->op_run && b->last_error,
              "plug-in {} lacks a required function of the chip interface, version 1", where);
  return b;
}

const sr_backend* load_plugin(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  SR_CHECK_AS(kNotFound, library, "cannot load plug-in {}: {}", path, dlerror());
  auto entry = reinterpret_cast<sr_plugin_entry_v1>(dlsym(library, "suiren_plugin_entry_v1"));
  SR_CHECK_AS(kNotFound, entry, "{} is no suiren plug-in: it exports no suiren_plugin_entry_v1", path);
  return validated(entry(&kHost), path);
}

struct Backends {
  std::mutex mutex;
  std::vector<const sr_backend*> list;
  std::map<std::string, const sr_backend*> by_path;
  Backends() {
    for (const auto& b : builtin_backends())
      if (const sr_backend* table = b.entry(&kHost)) list.push_back(validated(table, b.kind));
    const char* plugins = std::getenv("SUIREN_PLUGINS");
    for (std::string rest = plugins ? plugins : ""; !rest.empty();) {
      const auto colon = rest.find(':');
      if (const std::string path = rest.substr(0, colon); !path.empty()) add(path);
      rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
  }
  const sr_backend* add(const std::string& path) {
    auto& slot = by_path[path];
    if (!slot) list.push_back(slot = load_plugin(path));
    return slot;
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

const sr_backend& find_backend(const std::string& kind) {
  auto& b = backends();
  std::lock_guard lock(b.mutex);
  if (kind.find('/') != std::string::npos || kind.ends_with(".so")) return *b.add(kind);
  std::string known;
  for (const auto* table : b.list) {
    if (kind == table->kind) return *table;
    known += (known.empty() ? "" : ", ") + std::string(table->kind);
  }
  fail(ErrorCode::kNotFound,
       "no device named '{}'; there are: {}. A plug-in is loaded by its path or by SUIREN_PLUGINS", kind,
       known);
}

std::vector<const sr_backend*> all_backends() {
  auto& b = backends();
  std::lock_guard lock(b.mutex);
  return b.list;
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
  const bool has = backend_->struct_size >= offsetof(sr_backend, memory_pointer) + sizeof(void*) &&
                   backend_->memory_pointer;
  return host_addressable() && has ? backend_->memory_pointer(memory) : nullptr;
}

void DeviceContext::synchronize() { check(backend_->stream_sync(stream_), "stream_sync"); }

}  // namespace suiren
