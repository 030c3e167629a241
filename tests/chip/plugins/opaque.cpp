// A chip for tests, out of tree as a stranger's would be: memory that the host cannot address, and two
// kernels. `add` runs on row-major f32 of equal shapes; `neg` is broken on purpose. It sees the ABI header
// alone.

#include <cstring>
#include <string>
#include <vector>

#include "backends/abi/suiren_backend.h"

struct sr_memory_s {
  std::vector<uint8_t> bytes;
};
struct sr_device_s {};
struct sr_stream_s {};

namespace {

const sr_host* host;
sr_device_s device;
sr_stream_s stream;
thread_local std::string error;
int plans[2];  // 0: add, 1: neg

uint32_t device_count() { return 1; }
sr_status device_open(uint32_t index, const sr_device_options*, sr_device* out) {
  if (index != 0) return SR_ERROR_INVALID;
  *out = &device;
  return SR_OK;
}
void device_close(sr_device) {}
sr_status device_info(sr_device, sr_device_info* out) {
  out->host_addressable = 0;
  out->alignment = 1;
  out->memory_total = 0;
  std::strcpy(out->name, "opaque test chip");
  return SR_OK;
}
sr_status mem_alloc(sr_device, uint64_t bytes, sr_memory* out) {
  *out = new sr_memory_s{std::vector<uint8_t>(bytes, 0xa5)};
  return SR_OK;
}
void mem_free(sr_device, sr_memory memory) { delete memory; }

sr_status copy(sr_stream, sr_memory to, uint64_t to_offset, void* to_host, sr_memory from,
               uint64_t from_offset, const void* from_host, uint64_t bytes) {
  if ((to && to_offset + bytes > to->bytes.size()) || (from && from_offset + bytes > from->bytes.size())) {
    error = "copy past the end of an allocation";
    return SR_ERROR_INVALID;
  }
  if (bytes)
    std::memmove(to ? to->bytes.data() + to_offset : static_cast<uint8_t*>(to_host),
                 from ? from->bytes.data() + from_offset : static_cast<const uint8_t*>(from_host), bytes);
  return SR_OK;
}
sr_status stream_create(sr_device, sr_stream* out) {
  *out = &stream;
  return SR_OK;
}
void stream_destroy(sr_stream) {}
sr_status stream_sync(sr_stream) { return SR_OK; }

int64_t numel(const sr_tensor& t) {
  int64_t n = 1;
  for (uint32_t i = 0; i < t.rank; ++i) n *= t.dims[i];
  return n;
}
bool row_major(const sr_tensor& t) {
  int64_t step = 1;
  for (uint32_t i = t.rank; i-- > 0;) {
    if (t.dims[i] != 1 && t.strides[i] != step) return false;
    step *= t.dims[i];
  }
  return true;
}
bool same_shape(const sr_tensor& a, const sr_tensor& b) {
  return a.rank == b.rank && std::memcmp(a.dims, b.dims, a.rank * sizeof(int64_t)) == 0;
}

sr_status op_query(sr_device, const sr_op* op, sr_support* out) {
  out->level = SR_SUPPORT_NO;
  out->reason = "this chip only adds";
  out->workspace = 0;
  if (op->op == host->intern("neg")) {
    out->level = SR_SUPPORT_NATIVE;
    out->plan = reinterpret_cast<sr_plan>(&plans[1]);
    out->reason = "broken";
  }
  if (op->op != host->intern("add")) return SR_OK;
  const sr_tensor &a = op->tensors[0], &b = op->tensors[1];
  if (a.dtype != SR_F32 || !same_shape(a, b)) {
    out->reason = "it adds f32 of equal shapes";
  } else if (!row_major(a) || !row_major(b)) {
    out->level = SR_SUPPORT_NEEDS_CONTIGUOUS;
    out->reason = "row-major operands";
  } else {
    out->level = SR_SUPPORT_NATIVE;
    out->plan = reinterpret_cast<sr_plan>(&plans[0]);
    out->workspace = 16;
    out->reason = "adder";
  }
  return SR_OK;
}

sr_status op_run(sr_stream, sr_plan plan, const sr_op* op, sr_memory workspace) {
  if (plan == reinterpret_cast<sr_plan>(&plans[1])) {
    error = "unit 7 gave no answer";
    return SR_ERROR_DEVICE;
  }
  if (!workspace || workspace->bytes.size() < 16) return SR_ERROR_INVALID;
  const auto at = [](const sr_tensor& t) { return t.memory->bytes.data() + t.offset; };
  for (int64_t i = 0; i < numel(op->tensors[2]); ++i) {
    float a, b;
    std::memcpy(&a, at(op->tensors[0]) + 4 * i, 4);
    std::memcpy(&b, at(op->tensors[1]) + 4 * i, 4);
    a += b;
    std::memcpy(at(op->tensors[2]) + 4 * i, &a, 4);
  }
  return SR_OK;
}
const char* last_error() { return error.c_str(); }

const sr_backend kTable{
    sizeof(sr_backend), 0,         "opaque",   "1",     device_count,  device_open,    device_close,
    device_info,        mem_alloc, mem_free,   copy,    stream_create, stream_destroy, stream_sync,
    op_query,           op_run,    last_error, nullptr, nullptr};

}  // namespace

extern "C" __attribute__((visibility("default"))) const sr_backend* suiren_plugin_entry_v1(const sr_host* h) {
  host = h;
  return &kTable;
}
