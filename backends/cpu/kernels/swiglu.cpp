// swiglu and rope, forward and backward, in f32; bf16 and f16 are widened and rounded a row at a time. f64
// runs as the parts that the ops are composed of.

#include <algorithm>

#include "backends/cpu/elementwise.h"
#include "backends/cpu/rows.h"
#include "backends/cpu/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/swiglu.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

void swiglu_row(const float* gate, const float* up, float* y, int64_t n) {
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V x = in(gate);
    out(hn::Mul(hn::Div(x, hn::Add(set(1.0f), exp(hn::Neg(x)))), in(up)), y);
  });
}

// s = sigmoid(gate): dgate = g up s (1 + gate (1 - s)), dup = g gate s.
void swiglu_backward_row(const float* g, const float* gate, const float* up, float* dgate, float* dup,
                         int64_t n) {
  const V one = set(1.0f);
  for_vectors(n, [=](auto in, auto out) SUIREN_STEP {
    const V x = in(gate), gv = in(g), s = sigmoid(x), gs = hn::Mul(gv, s);
    out(hn::Mul(hn::Mul(gs, in(up)), hn::MulAdd(x, hn::Sub(one, s), one)), dgate);
    out(hn::Mul(gs, x), dup);
  });
}

// One head: y1 = x1 c - x2 s, y2 = x2 c + x1 s, for halves of `half` elements.
void rope_head(const float* x, const float* cos, const float* sin, float* y, int64_t half) {
  const float* x2 = x + half;
  float* y2 = y + half;
  for_vectors(half, [=](auto in, auto out) SUIREN_STEP {
    const V a = in(x), b = in(x2), c = in(cos), s = in(sin);
    out(hn::NegMulAdd(b, s, hn::Mul(a, c)), y);
    out(hn::MulAdd(a, s, hn::Mul(b, c)), y2);
  });
}

// The same for neighbours: x1 at 2 i, x2 at 2 i + 1.
void rope_head_interleaved(const float* x, const float* cos, const float* sin, float* y, int64_t half) {
  int64_t i = 0;
  for (; i + width() <= half; i += width()) {
    V a, b;
    hn::LoadInterleaved2(F32(), x + 2 * i, a, b);
    const V c = load(cos + i), s = load(sin + i);
    hn::StoreInterleaved2(hn::NegMulAdd(b, s, hn::Mul(a, c)), hn::MulAdd(a, s, hn::Mul(b, c)), F32(),
                          y + 2 * i);
  }
  for (; i < half; ++i) {
    const V a = set(x[2 * i]), b = set(x[2 * i + 1]), c = set(cos[i]), s = set(sin[i]);
    y[2 * i] = hn::GetLane(hn::NegMulAdd(b, s, hn::Mul(a, c)));
    y[2 * i + 1] = hn::GetLane(hn::MulAdd(a, s, hn::Mul(b, c)));
  }
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

Reason narrow_or_f32(const Call& c) {
  return computes_in_f32(dtype_of_operand(c.in(0).dtype())) ? nullptr : "dtype";
}
// Each row of the last dimension without gaps.
Reason rows(const Call& c) {
  for (int i = 0; i < c.inputs(); ++i) {
    const Operand x = c.in(i);
    if (!x.contiguous() && !(x.dim(-1) > 1 && x.stride(-1) == 1)) return kNeedsContiguous;
  }
  return narrow_or_f32(c);
}

void swiglu(const Call& c, void*) { pairs_through_f32(c, kGrainMath, SUIREN_PICK(swiglu_row)); }

// Inputs g, gate, up; outputs dgate, dup.
void swiglu_backward(const Call& c, void*) {
  const auto row = SUIREN_PICK(swiglu_backward_row);
  rows_through_f32<3, 2>(c, kGrainMath, [&](const float* const* in, float* const* out, int64_t n) {
    row(in[0], in[1], in[2], out[0], out[1], n);
  });
}

// x [B, T, H, D], cos and sin [T, R / 2]; attribute: interleaved.
void rope(const Call& c, void*) {
  const Operand x = c.in(0), cos = c.in(1), sin = c.in(2);
  const int64_t T = x.dim(1), H = x.dim(2), D = x.dim(3), half = cos.dim(1);
  if (x.numel() == 0) return;
  const auto head = c.attr_i64(0) ? SUIREN_PICK(rope_head_interleaved) : SUIREN_PICK(rope_head);
  parallel_for(x.dim(0) * T, std::max<int64_t>(1, kGrainCheap / (H * D)), [&](int64_t begin, int64_t end) {
    ReadRows from(x), cosines(cos), sines(sin);
    WriteRows to(c.out(0), D);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t t = i % T, at = i / T * x.stride(0) + t * x.stride(1);
      const float* angle_cos = cosines.elements(t * cos.stride(0), half);
      const float* angle_sin = sines.elements(t * sin.stride(0), half);
      float* y = to.get(i * H, H);
      for (int64_t h = 0; h < H; ++h, y += D) {
        const float* row = from.elements(at + h * x.stride(2), D);
        head(row, angle_cos, angle_sin, y, half);
        std::copy(row + 2 * half, row + D, y + 2 * half);
      }
      to.put();
    }
  });
}

constexpr Kernel kKernels[] = {
    {"swiglu", "rows", 10, narrow_or_f32, nullptr, swiglu},
    {"swiglu_backward", "rows", 10, narrow_or_f32, nullptr, swiglu_backward},
    {"rope", "heads", 10, rows, nullptr, rope},
};

}  // namespace

KernelList kernels_swiglu() { return kKernels; }

}  // namespace suiren::cpu
#endif
