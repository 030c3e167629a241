// RMS norm over rows, forward and backward, in f32; bf16 and f16 are widened and rounded a few rows at a
// time. f64 runs as the parts that the op is composed of.
//
// r = 1 / sqrt(mean(x^2) + eps);  y = x r w;  dx = r g w - x r^3 mean(g w x);  dw = sum over rows of g x r.
// dw adds rows in blocks of kBlockRows that restart at each entry of the first dimension (a sequence), blocks
// in ascending order to a sequence, sequences in ascending order: whatever the threads, and equal to the sum
// of the gradients of the sequences taken one by one.

#include <cmath>
#include <cstring>

#include "backends/cpu/rows.h"
#include "backends/cpu/simd/targets.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/rms_norm.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

HWY_INLINE float inverse_rms(const float* x, int64_t D, float eps) {
  const float squares = row_sum(D, [x](auto in) SUIREN_STEP {
    const V v = in(x);
    return hn::Mul(v, v);
  });
  return 1 / std::sqrt(squares / static_cast<float>(D) + eps);
}

void rms_norm_rows(const float* x, const float* w, float* y, int64_t rows, int64_t D, float eps) {
  for (int64_t i = 0; i < rows; ++i, x += D, y += D) {
    const V r = set(inverse_rms(x, D, eps));
    for_vectors(D, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(hn::Mul(in(x), r), in(w)), y); });
  }
}

// dw gets the sum over these rows, or with `add` is that much larger.
void rms_norm_backward_rows(const float* g, const float* x, const float* w, float* dx, float* dw, bool add,
                            int64_t rows, int64_t D, float eps) {
  for (int64_t i = 0; i < rows; ++i, g += D, x += D, dx += D) {
    const float r = inverse_rms(x, D, eps);
    const float dot = row_sum(D, [=](auto in) SUIREN_STEP { return hn::Mul(hn::Mul(in(g), in(w)), in(x)); });
    const V vr = set(r), slope = set(r * r * r * dot / static_cast<float>(D));
    for_vectors(D, [=](auto in, auto out) SUIREN_STEP {
      const V gv = in(g), xv = in(x);
      out(hn::NegMulAdd(xv, slope, hn::Mul(hn::Mul(gv, in(w)), vr)), dx);
      const V term = hn::Mul(hn::Mul(gv, xv), vr);
      out(add || i > 0 ? hn::Add(in(dw), term) : term, dw);
    });
  }
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kBlockRows = 64, kGrain = 65536;

// Inputs x, weight; attribute eps.
void rms_norm(const Call& c, void*) {
  const Operand x = c.in(0);
  const int64_t D = x.dim(-1), rows = x.numel() / D, together = rows_at_once(D);
  const auto eps = static_cast<float>(c.attr_f64(0));
  const auto run = SUIREN_PICK(rms_norm_rows);
  parallel_for(rows, std::max<int64_t>(1, kGrain / D), [&](int64_t begin, int64_t end) {
    ReadRows from(x, D), weight(c.in(1), D);
    WriteRows to(c.out(0), D);
    const float* w = weight.get(0, 1);
    for (int64_t i = begin; i < end; i += together) {
      const int64_t n = std::min(together, end - i);
      run(from.get(i, n), w, to.get(i, n), n, D, eps);
      to.put();
    }
  });
}

// Rows of x [.., D] in blocks: sequences x blocks of a sequence.
struct Blocks {
  int64_t D, sequences, rows, per_sequence;
  explicit Blocks(const Operand& x) : D(x.dim(-1)), sequences(x.rank() > 2 ? x.dim(0) : 1) {
    rows = sequences ? x.numel() / (D * sequences) : 0;
    per_sequence = (rows + kBlockRows - 1) / kBlockRows;
  }
};

uint64_t backward_scratch(const Call& c) {
  const Blocks b(c.in(1));
  return static_cast<uint64_t>(b.sequences * b.per_sequence * b.D) * sizeof(float);
}

// Inputs g, x, weight; outputs dx, dweight.
void rms_norm_backward(const Call& c, void* scratch) {
  const Blocks b(c.in(1));
  const int64_t together = rows_at_once(b.D);
  auto* sums = static_cast<float*>(scratch);
  const auto eps = static_cast<float>(c.attr_f64(0));
  const auto run = SUIREN_PICK(rms_norm_backward_rows);
  parallel_for(
      b.sequences * b.per_sequence, std::max<int64_t>(1, kGrain / (b.D * kBlockRows)),
      [&](int64_t begin, int64_t end) {
        ReadRows g(c.in(0), b.D), x(c.in(1), b.D), weight(c.in(2), b.D);
        WriteRows dx(c.out(0), b.D);
        const float* w = weight.get(0, 1);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % b.per_sequence * kBlockRows, at = i / b.per_sequence * b.rows + first,
                        rows = std::min(kBlockRows, b.rows - first);
          for (int64_t r = 0; r < rows; r += together) {
            const int64_t n = std::min(together, rows - r);
            run(g.get(at + r, n), x.get(at + r, n), w, dx.get(at + r, n), sums + i * b.D, r > 0, n, b.D, eps);
            dx.put();
          }
        }
      });
  const auto add = SUIREN_PICK(add_row);
  for (int64_t s = 0; s < b.sequences; ++s) {
    float* sequence = sums + s * b.per_sequence * b.D;
    for (int64_t i = 1; i < b.per_sequence; ++i) add(sequence + i * b.D, sequence, b.D);
    if (s > 0) add(sequence, sums, b.D);
  }
  WriteRows weight_gradient(c.out(1), b.D);
  float* dw = weight_gradient.get(0, 1);
  if (b.sequences * b.per_sequence > 0)
    std::memcpy(dw, sums, static_cast<size_t>(b.D) * sizeof(float));
  else
    std::memset(dw, 0, static_cast<size_t>(b.D) * sizeof(float));
  weight_gradient.put();
}

constexpr Kernel kKernels[] = {
    {"rms_norm", "rows", 10, row_major_in_f32, nullptr, rms_norm},
    {"rms_norm_backward", "rows", 10, row_major_in_f32, backward_scratch, rms_norm_backward},
};

}  // namespace

KernelList kernels_rms_norm() { return kKernels; }

}  // namespace suiren::cpu
#endif
