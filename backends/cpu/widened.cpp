#include "backends/cpu/widened.h"

#include <algorithm>

#include "backends/cpu/stage.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr int64_t kGrain = 32768;

// An empty operand has an address too.
uint64_t copy_bytes(const Operand& x) {
  return (static_cast<uint64_t>(x.numel()) * sizeof(float) / kAlignment + 1) * kAlignment;
}
bool narrow(const sr_tensor& t) { return is_narrow(t.dtype); }

// In memory order, on all threads.
void widen(const Operand& x, float* to) {
  const DType dtype = dtype_of_operand(x.dtype());
  parallel_for(x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    stage(dtype, x.data<char>() + begin * dtype.size(), dtype.size(), to + begin, end - begin);
  });
}
void round(const float* from, const Operand& y) {
  const DType dtype = dtype_of_operand(y.dtype());
  parallel_for(y.numel(), kGrain, [&](int64_t begin, int64_t end) {
    unstage(dtype, from + begin, y.data<char>() + begin * dtype.size(), dtype.size(), end - begin);
  });
}

}  // namespace

bool WidenedCall::applies(const Call& call) {
  const sr_op& form = call.form();
  return std::any_of(form.tensors, form.tensors + form.tensor_count, narrow);
}

WidenedCall::WidenedCall(const Call& narrow_call)
    : narrow_(narrow_call),
      form_(narrow_call.form()),
      tensors_(form_.tensors, form_.tensors + form_.tensor_count) {
  form_.tensors = tensors_.data();
  size_t ranks = 0;
  for (const sr_tensor& t : tensors_) ranks += t.rank;
  strides_.resize(ranks);
  int64_t* strides = strides_.data();
  for (sr_tensor& t : tensors_) {
    if (!narrow(t)) continue;
    const Operand x(t, nullptr);
    if (!x.contiguous()) declines_ = kNeedsContiguous;
    int64_t step = 1;
    for (int d = x.rank() - 1; d >= 0; step *= x.dim(d--)) strides[d] = step;
    bytes_ += copy_bytes(x);
    t.dtype = SR_F32;
    t.flags = 0;  // the copy is made again for each call
    t.strides = strides;
    t.memory = nullptr;
    t.offset = 0;
    strides += t.rank;
  }
}

uint64_t WidenedCall::scratch_bytes(const Kernel& kernel) const {
  return bytes_ + (kernel.scratch_bytes ? kernel.scratch_bytes(call()) : 0);
}

void WidenedCall::run(const Kernel& kernel, char* scratch) {
  const sr_tensor* given = narrow_.form().tensors;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!narrow(given[i])) continue;
    const Operand x(given[i], given[i].memory);
    tensors_[i].memory = reinterpret_cast<sr_memory>(scratch);
    if (given[i].role != SR_ROLE_OUT) widen(x, reinterpret_cast<float*>(scratch));
    scratch += copy_bytes(x);
  }
  kernel.launch(call(), scratch);
  for (size_t i = 0; i < tensors_.size(); ++i)
    if (narrow(given[i]) && given[i].role != SR_ROLE_IN)
      round(reinterpret_cast<const float*>(tensors_[i].memory), {given[i], given[i].memory});
}

}  // namespace suiren::cpu
