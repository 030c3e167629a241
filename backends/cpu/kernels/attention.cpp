// attention and its gradient in f32, and in bf16 where there are units for it: the op's operands as the views
// that backends/cpu/attention reads. Other dtypes run as the parts that the ops are composed of, or widened.

#include "backends/cpu/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/stage.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

enum Attribute { kScale, kCausal, kWindow, kSoftcap, kMask, kSinks, kMaskGradient };

// The stride along dimension `from_end`; 0 where x is broadcast.
int64_t step(const Operand& x, int from_end) {
  return from_end > x.rank() || x.dim(-from_end) == 1 ? 0 : x.stride(-from_end);
}

AttentionShape shape_of(const Call& c) {
  const Operand q = c.in(0), k = c.in(1);
  AttentionShape s{
      q.dim(0), q.dim(1), k.dim(1), q.dim(2), k.dim(2), q.dim(3), static_cast<float>(c.attr_f64(kScale))};
  s.causal = c.attr_i64(kCausal) != 0;
  s.window = c.attr_i64(kWindow);
  s.softcap = static_cast<float>(c.attr_f64(kSoftcap));
  return s;
}

// `at`: where the mask and the sinks stand among the inputs.
template <class T>
AttentionExtras<T> extras_of(const Call& c, int at) {
  AttentionExtras<T> e;
  if (c.attr_i64(kMask)) {
    const Operand m = c.in(at++);
    e.mask = {m.data<T>(), step(m, 4), step(m, 3), step(m, 2), step(m, 1)};
  }
  if (c.attr_i64(kSinks)) e.sinks = c.in(at).data<T>();
  return e;
}

template <class T>
HeadsView<const T> view(const Operand& x) {
  const int64_t each = std::is_same_v<T, BlockQ8_0> ? kQ8_0.block_elements() : 1;
  return {x.data<T>(), x.stride(0) / each, x.stride(1) / each, x.stride(2) / each};
}
template <class T>
HeadsView<T> output(const Operand& x) {
  return {x.data<T>(), x.stride(0), x.stride(1), x.stride(2)};
}

bool is_backward(const Call& c) { return c.inputs() >= 7; }
bool holds_heads(const Call& c, int input) {  // q, k, v; in backward also out and g
  return input < 3 || (is_backward(c) && (input == 3 || input == 5));
}

Reason accepts(const Call& c, int extras) {
  if (c.in(0).dim(3) < 1 || c.in(0).dim(3) > kAttentionMaxDim) return "head dimension";
  const uint16_t dtype = c.in(0).dtype();
  if (dtype != SR_F32 && (dtype != SR_BF16 || bf16_units() == Bf16Units::kNone)) return "dtype";
  for (int i = 0; i < c.inputs(); ++i) {
    const Operand x = c.in(i);
    const bool stored = !is_backward(c) && (i == 1 || i == 2) && dtype == SR_F32 &&
                        (is_narrow(x.dtype()) || x.is_block());  // keys and values of a cache
    if (!stored && x.dtype() != (is_backward(c) && (i == 4 || i == 6) ? SR_F32 : dtype))  // lse is f32
      return "dtype";
    if (i == extras && c.attr_i64(kMask)) {
      if (step(x, 1) > 1) return kNeedsContiguous;
    } else if (!x.contiguous() && !(holds_heads(c, i) && x.stride(3) == 1)) {
      return kNeedsContiguous;
    }
  }
  return nullptr;
}

Reason accepts_forward(const Call& c) { return accepts(c, 3); }
template <class T, class K = T>
void forward(const Call& c) {
  attention_forward(shape_of(c), view<T>(c.in(0)), view<K>(c.in(1)), view<K>(c.in(2)), output<T>(c.out(0)),
                    c.out(1).data<float>(), extras_of<T>(c, 3));
}
void attention(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  if (c.in(0).dtype() != SR_F32) return forward<bfloat16>(c);
  const uint16_t stored = c.in(1).dtype();
  if (c.in(1).is_block()) return forward<float, BlockQ8_0>(c);
  if (stored == SR_F16) return forward<float, float16>(c);
  stored == SR_BF16 ? forward<float, bfloat16>(c) : forward<float>(c);
}

// Inputs q, k, v, out, lse, g, g_lse, the mask, the sinks; outputs dq, dk, dv, the gradient of the sinks.
Reason accepts_backward(const Call& c) {
  if (c.attr_i64(kMaskGradient)) return "the mask wants a gradient";
  return accepts(c, 7);
}

// dsinks[h] = -sum over b and i of exp(sink - lse) (g . out - g_lse)
template <class T>
void sinks_gradient(const AttentionShape& s, const T* sinks, HeadsView<const T> out, HeadsView<const T> g,
                    const float* lse, const float* g_lse, T* to) {
  parallel_for(s.heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h) {
      double sum = 0;
      for (int64_t b = 0; b < s.batch; ++b)
        for (int64_t i = 0; i < s.queries; ++i) {
          const T* x = out.data + b * out.batch_stride + i * out.row_stride + h * out.head_stride;
          const T* y = g.data + b * g.batch_stride + i * g.row_stride + h * g.head_stride;
          const int64_t row = (b * s.heads + h) * s.queries + i;
          double dot = -static_cast<double>(g_lse[row]);
          for (int64_t d = 0; d < s.head_dim; ++d) dot += static_cast<double>(x[d]) * y[d];
          sum -= dot * std::exp(static_cast<double>(sinks[h]) - lse[row]);
        }
      to[h] = T(static_cast<float>(sum));
    }
  });
}

template <class T>
void backward(const Call& c) {
  const AttentionShape shape = shape_of(c);
  const AttentionExtras<T> extras = extras_of<T>(c, 7);
  const float *lse = c.in(4).data<float>(), *g_lse = c.in(6).data<float>();
  const HeadsView<const T> out = view<T>(c.in(3)), g = view<T>(c.in(5));
  if (extras.sinks) sinks_gradient<T>(shape, extras.sinks, out, g, lse, g_lse, c.out(3).data<T>());
  if (c.out(0).numel() == 0) {
    for (int i : {1, 2}) std::fill_n(c.out(i).data<T>(), c.out(i).numel(), T(0.0f));
    return;
  }
  attention_backward(shape, view<T>(c.in(0)), view<T>(c.in(1)), view<T>(c.in(2)), out, lse, g, g_lse,
                     output<T>(c.out(0)), output<T>(c.out(1)), output<T>(c.out(2)), extras);
}
void attention_backward_blocks(const Call& c, void*) {
  c.in(0).dtype() == SR_F32 ? backward<float>(c) : backward<bfloat16>(c);
}

constexpr Kernel kKernels[] = {
    {"attention", "blocks", 10, accepts_forward, nullptr, attention, true},
    {"attention_backward", "blocks", 10, accepts_backward, nullptr, attention_backward_blocks},
};

}  // namespace

KernelList kernels_attention() { return kKernels; }

}  // namespace suiren::cpu
