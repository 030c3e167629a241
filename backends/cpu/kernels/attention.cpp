// attention and its gradient in f32: the op's operands as the views that backends/cpu/attention reads. Other
// dtypes run as the parts that the ops are composed of.

#include "backends/cpu/attention/attention.h"

#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel_list.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

enum Attribute { kScale, kCausal, kWindow, kSoftcap, kMask, kSinks, kMaskGradient };

// The stride along dimension `from_end`; 0 where x is broadcast.
int64_t step(const Operand& x, int from_end) {
  return from_end > x.rank() || x.dim(-from_end) == 1 ? 0 : x.stride(-from_end);
}

// `extras`: where the mask and the sinks stand among the inputs.
AttentionShape shape_of(const Call& c, int extras) {
  const Operand q = c.in(0), k = c.in(1);
  AttentionShape s{
      q.dim(0), q.dim(1), k.dim(1), q.dim(2), k.dim(2), q.dim(3), static_cast<float>(c.attr_f64(kScale))};
  s.causal = c.attr_i64(kCausal) != 0;
  s.window = c.attr_i64(kWindow);
  s.softcap = static_cast<float>(c.attr_f64(kSoftcap));
  if (c.attr_i64(kMask)) {
    const Operand m = c.in(extras++);
    s.mask = {m.data<float>(), step(m, 4), step(m, 3), step(m, 2), step(m, 1)};
  }
  if (c.attr_i64(kSinks)) s.sinks = c.in(extras).data<float>();
  return s;
}

HeadsView<const float> view(const Operand& x) {
  return {x.data<float>(), x.stride(0), x.stride(1), x.stride(2)};
}
HeadsView<float> output(const Operand& x) { return {x.data<float>(), x.stride(0), x.stride(1), x.stride(2)}; }

bool holds_heads(const Call& c, int input) {  // q, k, v; in backward also out and g
  return input < 3 || (c.inputs() >= 7 && (input == 3 || input == 5));
}

Reason accepts(const Call& c, int extras) {
  if (c.in(0).dim(3) < 1 || c.in(0).dim(3) > kAttentionMaxDim) return "head dimension";
  for (int i = 0; i < c.inputs(); ++i) {
    const Operand x = c.in(i);
    if (x.dtype() != SR_F32) return "dtype";
    if (i == extras && c.attr_i64(kMask)) {
      if (step(x, 1) > 1) return kNeedsContiguous;
    } else if (!x.contiguous() && !(holds_heads(c, i) && x.stride(3) == 1)) {
      return kNeedsContiguous;
    }
  }
  return nullptr;
}

Reason accepts_forward(const Call& c) { return accepts(c, 3); }
void attention(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  attention_forward(shape_of(c, 3), view(c.in(0)), view(c.in(1)), view(c.in(2)), output(c.out(0)),
                    c.out(1).data<float>());
}

// Inputs q, k, v, out, lse, g, g_lse, the mask, the sinks; outputs dq, dk, dv, the gradient of the sinks.
Reason accepts_backward(const Call& c) {
  if (c.attr_i64(kMaskGradient)) return "the mask wants a gradient";
  return accepts(c, 7);
}

// dsinks[h] = -sum over b and i of exp(sink - lse) (g . out - g_lse)
void sinks_gradient(const AttentionShape& s, HeadsView<const float> out, HeadsView<const float> g,
                    const float* lse, const float* g_lse, float* to) {
  parallel_for(s.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) {
      double sum = 0;
      for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t i = 0; i < s.queries; ++i) {
          const float* x = out.data + b * out.batch_stride + i * out.row_stride + h * out.head_stride;
          const float* y = g.data + b * g.batch_stride + i * g.row_stride + h * g.head_stride;
          const int64_t row = (b * s.heads + h) * s.queries + i;
          double dot = -static_cast<double>(g_lse[row]);
          for (int64_t d = 0; d < s.head_dim; ++d) dot += static_cast<double>(x[d]) * y[d];
          sum -= dot * std::exp(static_cast<double>(s.sinks[h]) - lse[row]);
        }
      to[h] = static_cast<float>(sum);
    }
  });
}

void backward(const Call& c, void*) {
  const AttentionShape shape = shape_of(c, 7);
  if (shape.sinks)
    sinks_gradient(shape, view(c.in(3)), view(c.in(5)), c.in(4).data<float>(), c.in(6).data<float>(),
                   c.out(3).data<float>());
  if (c.out(0).numel() == 0) {
    for (int i : {1, 2}) std::fill_n(c.out(i).data<float>(), c.out(i).numel(), 0.0f);
    return;
  }
  attention_backward(shape, view(c.in(0)), view(c.in(1)), view(c.in(2)), view(c.in(3)), c.in(4).data<float>(),
                     view(c.in(5)), c.in(6).data<float>(), output(c.out(0)), output(c.out(1)),
                     output(c.out(2)));
}

constexpr Kernel kKernels[] = {
    {"attention", "blocks", 10, accepts_forward, nullptr, attention},
    {"attention_backward", "blocks", 10, accepts_backward, nullptr, backward},
};

}  // namespace

KernelList kernels_attention() { return kKernels; }

}  // namespace suiren::cpu
