// attention and its gradient in f32: the op's operands as the views that backends/cpu/attention reads. Other
// dtypes run as the parts that the ops are composed of.

#include "backends/cpu/attention/attention.h"

#include <algorithm>

#include "backends/cpu/kernel_list.h"

namespace suiren::cpu {
namespace {

// Attributes: scale, causal.
AttentionShape shape_of(const Call& c) {
  const Operand q = c.in(0), k = c.in(1);
  return {q.dim(0), q.dim(1), k.dim(1), q.dim(2), k.dim(2), q.dim(3), static_cast<float>(c.attr_f64(0))};
}

HeadsView<const float> view(const Operand& x) {
  return {x.data<float>(), x.stride(0), x.stride(1), x.stride(2)};
}
HeadsView<float> output(const Operand& x) { return {x.data<float>(), x.stride(0), x.stride(1), x.stride(2)}; }

// Operands first .. last hold heads; the others are row-major.
Reason accepts_heads(const Call& c, int heads) {
  if (c.attr_i64(1) == 0) return "only causal";
  if (c.in(0).dim(3) < 1 || c.in(0).dim(3) > kAttentionMaxDim) return "head dimension";
  for (int i = 0; i < c.inputs(); ++i) {
    const Operand x = c.in(i);
    if (x.dtype() != SR_F32) return "dtype";
    if (i < heads ? !(x.contiguous() || x.stride(3) == 1) : !x.contiguous()) return kNeedsContiguous;
  }
  return nullptr;
}

Reason accepts_forward(const Call& c) { return accepts_heads(c, 3); }
void attention(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  attention_forward(shape_of(c), view(c.in(0)), view(c.in(1)), view(c.in(2)), output(c.out(0)),
                    c.out(1).data<float>());
}

// Inputs q, k, v, out, lse, g, g_lse; outputs dq, dk, dv.
Reason accepts_backward(const Call& c) {
  for (int i : {0, 1, 2, 3, 5})
    if (c.in(i).dtype() == SR_F32 && !(c.in(i).contiguous() || c.in(i).stride(3) == 1))
      return kNeedsContiguous;
  if (const Reason why = accepts_heads(c, 7)) return why;
  const Operand lse = c.in(4), g_lse = c.in(6);
  if (!lse.contiguous() || !g_lse.contiguous()) return kNeedsContiguous;
  const float* g = g_lse.data<float>();
  if (std::any_of(g, g + g_lse.numel(), [](float x) { return x != 0; })) return "lse has a gradient";
  return nullptr;
}
void backward(const Call& c, void*) {
  const AttentionShape shape = shape_of(c);
  if (c.out(0).numel() == 0) {
    for (int i : {1, 2}) std::fill_n(c.out(i).data<float>(), c.out(i).numel(), 0.0f);
    return;
  }
  attention_backward(shape, view(c.in(0)), view(c.in(1)), view(c.in(2)), view(c.in(3)), c.in(4).data<float>(),
                     view(c.in(5)), output(c.out(0)), output(c.out(1)), output(c.out(2)));
}

constexpr Kernel kKernels[] = {
    {"attention", "blocks", 10, accepts_forward, nullptr, attention},
    {"attention_backward", "blocks", 10, accepts_backward, nullptr, backward},
};

}  // namespace

KernelList kernels_attention() { return kKernels; }

}  // namespace suiren::cpu
