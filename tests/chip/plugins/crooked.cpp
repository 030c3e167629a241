// A plug-in whose table is whatever SUIREN_CROOKED asks for: tables that a host must accept or refuse in
// words. It opens one device and does nothing with it.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "backends/abi/suiren_backend.h"

namespace {

sr_status device_open(uint32_t, const sr_device_options*, sr_device* out) {
  *out = nullptr;
  return SR_OK;
}
sr_status device_info(sr_device, sr_device_info* out) {  // an old chip: it knows no field after `alignment`
  out->alignment = 32;
  return SR_OK;
}
sr_status mem_alloc(sr_device, uint64_t, sr_memory*) { return SR_ERROR_OUT_OF_MEMORY; }
sr_status copy(sr_stream, sr_memory, uint64_t, void*, sr_memory, uint64_t, const void*, uint64_t) {
  return SR_OK;
}
sr_status stream_create(sr_device, sr_stream* out) {
  *out = nullptr;
  return SR_OK;
}

sr_backend table_for(const char* kind) {
  const std::string wish = kind;
  sr_backend t{sizeof(sr_backend),
               0,
               kind,
               nullptr,
               [] { return 1u; },
               device_open,
               [](sr_device) {},
               device_info,
               mem_alloc,
               [](sr_device, sr_memory) {},
               copy,
               stream_create,
               [](sr_stream) {},
               [](sr_stream) { return SR_OK; },
               [](sr_device, const sr_op*, sr_support*) { return SR_OK; },
               [](sr_stream, sr_plan, const sr_op*, sr_memory) { return SR_OK; },
               [] { return "it has no memory at all"; },
               nullptr,
               nullptr};
  if (wish == "short") {
    t.struct_size = offsetof(sr_backend, memory_pointer);
    std::memset(&t.memory_pointer, 0x5a, 2 * sizeof(void*));  // bytes that are not the table's
  } else if (wish == "long") {
    t.struct_size += 64;
  } else if (wish == "cut") {
    t.struct_size = offsetof(sr_backend, op_run);
  } else if (wish == "hollow") {
    t.mem_free = nullptr;
    t.stream_sync = nullptr;
  } else if (wish == "nameless") {
    t.kind = nullptr;
  }
  return t;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const sr_backend* suiren_plugin_entry_v1(const sr_host*) {
  const char* wish = std::getenv("SUIREN_CROOKED");
  if (!wish || std::strcmp(wish, "none") == 0) return nullptr;
  static std::map<std::string, sr_backend> tables;  // one for each wish, for the life of the process
  const auto at = tables.try_emplace(wish).first;
  at->second = table_for(at->first.c_str());
  return &at->second;
}
