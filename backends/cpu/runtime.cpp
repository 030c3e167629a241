// The CPU behind the chip ABI: memory, a queue that is empty because every call runs at once, and kernel
// choice. A memory handle is the address itself.

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/packed_weights.h"
#include "backends/cpu/widened.h"
#include "suiren/base/cpu.h"
#include "suiren/base/dtype.h"
#include "suiren/base/error.h"

struct sr_device_s {};
struct sr_stream_s {};

namespace suiren::cpu {
namespace {

constexpr uint64_t kAlignment = 64, kHugePage = 2 << 20;
thread_local std::string last_error_text;
// How a call may run: by a kernel as it stands, or widened to f32.
struct Plan {
  const Kernel* kernel;
  bool widened;
};
std::vector<std::vector<Plan>> plans_of;  // by interned op, best first; the address of one is its sr_plan
sr_device_s the_device;
sr_stream_s the_stream;

sr_status guard(auto&& body) {
  try {
    body();
    return SR_OK;
  } catch (const std::bad_alloc&) {
    last_error_text = "out of memory";
    return SR_ERROR_OUT_OF_MEMORY;
  } catch (const Error& e) {  // a value in an input that only the kernel sees, such as an index
    last_error_text = e.message();
    return e.code() == ErrorCode::kInvalid ? SR_ERROR_INVALID : SR_ERROR_DEVICE;
  } catch (const std::exception& e) {
    last_error_text = e.what();
    return SR_ERROR_DEVICE;
  }
}

void* pointer(sr_memory memory) { return memory; }

uint32_t device_count() { return 1; }
sr_status device_open(uint32_t index, const sr_device_options*, sr_device* out) {
  if (index != 0) {
    last_error_text = "there is one CPU, number 0";
    return SR_ERROR_INVALID;
  }
  *out = &the_device;
  return SR_OK;
}
void device_close(sr_device) {}

sr_status device_info(sr_device, sr_device_info* out) {
  return guard([&] {
    sr_device_info info{};
    info.struct_size = out->struct_size;
    info.host_addressable = 1;
    info.alignment = kAlignment;
    info.memory_total = static_cast<uint64_t>(cpu_info().memory_total);
    info.concurrent_stream = 1;
    std::snprintf(info.name, sizeof info.name, "%s", cpu_info().model.c_str());
    std::memcpy(out, &info, std::min<size_t>(out->struct_size, sizeof info));
  });
}

sr_status mem_alloc(sr_device, uint64_t bytes, sr_memory* out) {
  const uint64_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const bool absurd = bytes > uint64_t{1} << 60;
  void* p = absurd ? nullptr
                   : std::aligned_alloc(
                         alignment, (std::max<uint64_t>(bytes, 1) + alignment - 1) / alignment * alignment);
  if (!p) {
    last_error_text = "out of memory: " + std::to_string(bytes) + " bytes asked for";
    return SR_ERROR_OUT_OF_MEMORY;
  }
  if (alignment == kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
  *out = static_cast<sr_memory>(p);
  return SR_OK;
}

void mem_free(sr_device, sr_memory memory) {
  forget_packed(memory);
  std::free(memory);
}

// malloc knows how long an allocation is, to within its rounding.
bool inside(sr_memory m, uint64_t offset, uint64_t bytes) {
  const uint64_t size = m ? malloc_usable_size(pointer(m)) : 0;
  return !m || (offset <= size && bytes <= size - offset);
}

sr_status copy(sr_stream, sr_memory to, uint64_t to_offset, void* to_host, sr_memory from,
               uint64_t from_offset, const void* from_host, uint64_t bytes) {
  if (!inside(to, to_offset, bytes) || !inside(from, from_offset, bytes)) {
    last_error_text = "a copy past the end of an allocation";
    return SR_ERROR_INVALID;
  }
  char* t = to ? static_cast<char*>(pointer(to)) + to_offset : static_cast<char*>(to_host);
  const char* f =
      from ? static_cast<const char*>(pointer(from)) + from_offset : static_cast<const char*>(from_host);
  if (bytes) std::memmove(t, f, bytes);
  return SR_OK;
}

sr_status stream_create(sr_device, sr_stream* out) {
  *out = &the_stream;
  return SR_OK;
}
void stream_destroy(sr_stream) {}
sr_status stream_sync(sr_stream) { return SR_OK; }

bool is_block(uint16_t dtype) {
  return dtype >= SR_BLOCK_FIRST && dtype < SR_BLOCK_FIRST + DType::kBlockCount;
}

sr_status op_query(sr_device, const sr_op* op, sr_support* out) {
  const Call call(*op, pointer);
  out->level = SR_SUPPORT_NO;
  out->reason = "no kernel";
  out->plan = nullptr;
  out->workspace = 0;
  if (op->op >= plans_of.size()) return SR_OK;
  for (uint32_t i = 0; i < op->tensor_count; ++i)
    if (op->tensors[i].dtype > SR_BOOL && !is_block(op->tensors[i].dtype))
      return out->reason = "an element type of a later version", SR_OK;
  const bool in_blocks = std::any_of(op->tensors, op->tensors + op->tensor_count,
                                     [](const sr_tensor& t) { return is_block(t.dtype); });
  std::optional<WidenedCall> wide;
  for (const Plan& plan : plans_of[op->op]) {
    if (plan.widened && !wide) {
      if (!WidenedCall::applies(call)) break;
      wide.emplace(call);
    }
    const Kernel& k = *plan.kernel;
    if (in_blocks && !k.takes_blocks) continue;
    const Call& asked = plan.widened ? wide->call() : call;
    Reason why = k.accepts ? k.accepts(asked) : nullptr;
    if (!why && plan.widened) why = wide->declines();
    if (why) {
      if (why == kNeedsContiguous) out->level = SR_SUPPORT_NEEDS_CONTIGUOUS;
      out->reason = why;
      continue;
    }
    out->level = SR_SUPPORT_NATIVE;
    out->plan = reinterpret_cast<sr_plan>(const_cast<Plan*>(&plan));
    out->workspace = plan.widened ? wide->scratch_bytes(k) : k.scratch_bytes ? k.scratch_bytes(call) : 0;
    out->accumulation = op->tensors[op->tensor_count - 1].dtype == SR_F64 ? SR_F64 : SR_F32;
    out->reason = k.name;
    return SR_OK;
  }
  return SR_OK;
}

sr_status op_run(sr_stream, sr_plan opaque, const sr_op* op, sr_memory workspace) {
  return guard([&] {
    const Plan& plan = *reinterpret_cast<const Plan*>(opaque);
    const Call call(*op, pointer);
    if (plan.widened)
      WidenedCall(call).run(*plan.kernel, static_cast<char*>(pointer(workspace)));
    else
      plan.kernel->launch(call, pointer(workspace));
  });
}

const char* last_error() { return last_error_text.c_str(); }

int32_t kernel_at(uint32_t index, const char** op, const char** name) {
  for (const KernelList& list : all_kernels()) {
    if (index < list.size()) {
      *op = list[index].op;
      *name = list[index].name;
      return 1;
    }
    index -= static_cast<uint32_t>(list.size());
  }
  return 0;
}

const sr_backend kTable{
    sizeof(sr_backend), 0,         "cpu",      SUIREN_VERSION, device_count,  device_open,    device_close,
    device_info,        mem_alloc, mem_free,   copy,           stream_create, stream_destroy, stream_sync,
    op_query,           op_run,    last_error, pointer,        kernel_at};

void index_kernels(const sr_host* host) {
  for (const bool widened : {false, true})
    for (const KernelList& list : all_kernels())
      for (const Kernel& k : list) {
        const uint32_t id = host->intern(k.op);
        if (id >= plans_of.size()) plans_of.resize(id + 1);
        plans_of[id].push_back({&k, widened});
      }
  for (auto& plans : plans_of)
    std::ranges::stable_sort(plans, [](const Plan& a, const Plan& b) {
      return a.widened != b.widened ? b.widened : a.kernel->priority > b.kernel->priority;
    });
}

}  // namespace
}  // namespace suiren::cpu

extern "C" const sr_backend* suiren_cpu_entry_v1(const sr_host* host) {
  static const bool once = [&] {
    suiren::cpu::index_kernels(host);
    return true;
  }();
  return once ? &suiren::cpu::kTable : nullptr;
}
