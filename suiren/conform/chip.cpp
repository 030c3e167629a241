#include "suiren/conform/chip.h"

#include <dlfcn.h>

#include "suiren/base/philox.h"
#include "suiren/core/backend.h"

namespace suiren::conform {

Target parse_target(const std::string& text) {
  Target t{text};
  const auto colon = text.rfind(':');
  if (colon != std::string::npos && colon + 1 < text.size() &&
      text.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    t.name = text.substr(0, colon);
    t.index = static_cast<uint32_t>(std::strtoul(text.c_str() + colon + 1, nullptr, 10));
  }
  t.is_file = t.name.find('/') != std::string::npos || t.name.ends_with(".so");
  if (t.is_file && t.name.find('/') == std::string::npos) t.name = "./" + t.name;
  return t;
}

Bytes pattern(size_t count, uint64_t seed) {
  Bytes b(count);
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (uint8_t& v : b) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    v = static_cast<uint8_t>(x >> 24);
  }
  return b;
}

const sr_host& kit_host() {
  static const sr_host host{sizeof(sr_host), 0, intern, [](int32_t, const char*) {}};
  return host;
}

const sr_backend& table_of(const Target& target) {
  if (!target.is_file) return find_backend(target.name);
  void* library = dlopen(target.name.c_str(), RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr, "cannot load {}: {}", target.name, library ? "" : dlerror());
  const auto entry = reinterpret_cast<sr_plugin_entry_v1>(dlsym(library, "suiren_plugin_entry_v1"));
  require(entry != nullptr, "{} exports no suiren_plugin_entry_v1", target.name);
  const sr_backend* table = entry(&kit_host());
  require(table != nullptr, "suiren_plugin_entry_v1 declined this host");
  return *table;
}

Memory::Memory(Chip& chip, uint64_t bytes) : chip_(&chip), bytes_(bytes) {
  chip.check(chip.table.mem_alloc(chip.device, bytes, &handle_), "mem_alloc");
  require(handle_ != nullptr, "mem_alloc of {} bytes returned SR_OK and a null handle", bytes);
}
Memory::~Memory() { free(); }
void Memory::free() {
  if (handle_) chip_->table.mem_free(chip_->device, handle_);
  handle_ = nullptr;
}

Chip::Chip(const Target& target, uint64_t memory_limit) : table(table_of(target)) {
  const sr_device_options options{sizeof options, 0, memory_limit};
  check(table.device_open(target.index, &options, &device), "device_open");
  info.struct_size = sizeof info;
  check(table.device_info(device, &info), "device_info");
  check(table.stream_create(device, &stream), "stream_create");
}

Chip::~Chip() {
  for (sr_stream s : streams_) table.stream_destroy(s);
  if (stream) table.stream_destroy(stream);
  table.device_close(device);
}

std::string Chip::error() const {
  const char* text = table.last_error();
  return text ? text : "";
}
void Chip::check(sr_status status, const char* what) const {
  if (status != SR_OK) throw Failed{fmt::format("{} failed with status {}: {}", what, status, error())};
}

sr_stream Chip::new_stream() {
  sr_stream s = nullptr;
  check(table.stream_create(device, &s), "stream_create");
  streams_.push_back(s);
  return s;
}

void Chip::upload(sr_stream s, const Memory& to, uint64_t offset, std::span<const uint8_t> bytes) {
  check(table.copy(s, to.handle(), offset, nullptr, nullptr, 0, bytes.data(), bytes.size()),
        "copy to the chip");
}
Bytes Chip::download(sr_stream s, const Memory& from, uint64_t offset, uint64_t bytes) {
  Bytes out(bytes);
  check(table.copy(s, nullptr, 0, out.data(), from.handle(), offset, nullptr, bytes), "copy to the host");
  return out;
}
void Chip::move(sr_stream s, const Memory& to, uint64_t to_offset, const Memory& from, uint64_t from_offset,
                uint64_t bytes) {
  check(table.copy(s, to.handle(), to_offset, nullptr, from.handle(), from_offset, nullptr, bytes),
        "copy on the chip");
}
Memory Chip::with(std::span<const uint8_t> bytes) {
  Memory m(*this, bytes.size());
  upload(m, bytes);
  return m;
}

}  // namespace suiren::conform
