// A chip that computes nothing: it takes every op, holds no bytes, and reads as zeros. What runs on it is the
// host alone: the cost of dispatch, the plan of a training run, the memory that a model would take.

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "backends/abi/suiren_backend.h"

namespace {

std::atomic<uintptr_t> next_handle{1};
thread_local const char* error_text = "";

template <class Handle>
Handle fresh() {
  return reinterpret_cast<Handle>(next_handle.fetch_add(2));
}

uint32_t device_count() { return 1; }
sr_status device_open(uint32_t index, const sr_device_options*, sr_device* out) {
  if (index != 0) {
    error_text = "there is one null chip, number 0";
    return SR_ERROR_INVALID;
  }
  *out = fresh<sr_device>();
  return SR_OK;
}
void device_close(sr_device) {}
sr_status device_info(sr_device, sr_device_info* out) {
  out->alignment = 1;
  std::snprintf(out->name, sizeof out->name, "null chip (computes nothing; every result is zero)");
  if (offsetof(sr_device_info, concurrent_stream) + sizeof out->concurrent_stream <= out->struct_size)
    out->concurrent_stream = 1;
  return SR_OK;
}

sr_status mem_alloc(sr_device, uint64_t, sr_memory* out) {
  *out = fresh<sr_memory>();
  return SR_OK;
}
void mem_free(sr_device, sr_memory) {}
sr_status copy(sr_stream, sr_memory to, uint64_t, void* to_host, sr_memory, uint64_t, const void*,
               uint64_t bytes) {
  if (!to && bytes) std::memset(to_host, 0, bytes);
  return SR_OK;
}

sr_status stream_create(sr_device, sr_stream* out) {
  *out = fresh<sr_stream>();
  return SR_OK;
}
void stream_destroy(sr_stream) {}
sr_status stream_sync(sr_stream) { return SR_OK; }

sr_status op_query(sr_device, const sr_op*, sr_support* out) {
  out->level = SR_SUPPORT_NATIVE;
  out->reason = "nothing";
  return SR_OK;
}
sr_status op_run(sr_stream, sr_plan, const sr_op*, sr_memory) { return SR_OK; }
const char* last_error() { return error_text; }

const sr_backend kTable{
    sizeof(sr_backend), 0,         "null",     "1.0",   device_count,  device_open,    device_close,
    device_info,        mem_alloc, mem_free,   copy,    stream_create, stream_destroy, stream_sync,
    op_query,           op_run,    last_error, nullptr, nullptr};

}  // namespace

extern "C" __attribute__((visibility("default"))) const sr_backend* suiren_plugin_entry_v1(const sr_host*) {
  return &kTable;
}
