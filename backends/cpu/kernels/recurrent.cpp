// lstm and gru over whole sequences in f32: in each step one product with the packed recurrent weight, then
// the gates of a row in vectors. Threads share the batch: a row's steps need no other row, and a product's
// row has the same bits alone. Other dtypes run as the parts that the ops are composed of.

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/kernels/recurrent.h"
#include "backends/cpu/simd/targets.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/recurrent.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// One row of one step: p and q are the two halves of the gates' sums.
void lstm_row(const float* p, const float* q, const float* before, float* c, float* y, int64_t H) {
  for_vectors(H, [=](auto in, auto out) SUIREN_STEP {
    const V i = sigmoid(hn::Add(in(p), in(q))), f = sigmoid(hn::Add(in(p + H), in(q + H)));
    const V g = tanh(hn::Add(in(p + 2 * H), in(q + 2 * H)));
    const V o = sigmoid(hn::Add(in(p + 3 * H), in(q + 3 * H)));
    const V state = hn::MulAdd(f, in(before), hn::Mul(i, g));
    out(state, c);
    out(hn::Mul(o, tanh(state)), y);
  });
}

void lstm_backward_row(const LstmStep& s, int64_t H) {
  const V one = set(1.0f);
  const auto slope = [one](V x) SUIREN_STEP { return hn::Mul(x, hn::Sub(one, x)); };
  for_vectors(H, [=](auto in, auto out) SUIREN_STEP {
    const V i = sigmoid(hn::Add(in(s.p), in(s.q))), f = sigmoid(hn::Add(in(s.p + H), in(s.q + H)));
    const V g = tanh(hn::Add(in(s.p + 2 * H), in(s.q + 2 * H)));
    const V o = sigmoid(hn::Add(in(s.p + 3 * H), in(s.q + 3 * H)));
    const V u = tanh(in(s.c)), dh = hn::Add(in(s.g_y), in(s.dh));
    const V own = hn::MulAdd(hn::Mul(dh, o), hn::NegMulAdd(u, u, one), in(s.g_c));
    const V dc = hn::Add(own, in(s.dc));
    out(hn::Mul(hn::Mul(dc, g), slope(i)), s.da);
    out(hn::Mul(hn::Mul(dc, in(s.before)), slope(f)), s.da + H);
    out(hn::Mul(hn::Mul(dc, i), hn::NegMulAdd(g, g, one)), s.da + 2 * H);
    out(hn::Mul(hn::Mul(dh, u), slope(o)), s.da + 3 * H);
    out(hn::Mul(dc, f), s.dc);
  });
}

void gru_row(const float* p, const float* q, const float* b, const float* before, float* y, int64_t H) {
  for_vectors(H, [=](auto in, auto out) SUIREN_STEP {
    const V r = sigmoid(hn::Add(in(p), hn::Add(in(q), in(b))));
    const V z = sigmoid(hn::Add(in(p + H), hn::Add(in(q + H), in(b + H))));
    const V n = tanh(hn::MulAdd(r, hn::Add(in(q + 2 * H), in(b + 2 * H)), in(p + 2 * H)));
    out(hn::MulAdd(z, hn::Sub(in(before), n), n), y);
  });
}

void gru_backward_row(const GruStep& s, int64_t H) {
  const V one = set(1.0f);
  for_vectors(H, [=](auto in, auto out) SUIREN_STEP {
    const V r = sigmoid(hn::Add(in(s.p), hn::Add(in(s.q), in(s.b))));
    const V z = sigmoid(hn::Add(in(s.p + H), hn::Add(in(s.q + H), in(s.b + H))));
    const V qn = hn::Add(in(s.q + 2 * H), in(s.b + 2 * H));
    const V n = tanh(hn::MulAdd(r, qn, in(s.p + 2 * H)));
    const V dh = hn::Add(in(s.g), in(s.dh)), keep = hn::Sub(one, z);
    const V dn = hn::Mul(hn::Mul(dh, keep), hn::NegMulAdd(n, n, one));
    const V dz = hn::Mul(hn::Mul(dh, hn::Sub(in(s.before), n)), hn::Mul(z, keep));
    const V dr = hn::Mul(hn::Mul(dn, qn), hn::Mul(r, hn::Sub(one, r)));
    out(dr, s.dp), out(dz, s.dp + H), out(dn, s.dp + 2 * H);
    out(dr, s.dq), out(dz, s.dq + H), out(hn::Mul(dn, r), s.dq + 2 * H);
    out(hn::Mul(dh, z), s.dh);
  });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

Reason accepts(const Call& c) { return c.in(0).dtype() == SR_F32 ? row_major_inputs(c) : "dtype"; }

struct Sizes {
  int64_t B, T, G, H;  // G: elements of all gates
};
Sizes sizes(const Call& c, const Operand& w) { return {c.in(0).dim(0), c.in(0).dim(1), w.dim(0), w.dim(1)}; }

// body(first, last) over parts of the batch; one row alone leaves the threads to its products.
void for_batch(const Sizes& s, FunctionRef<void(int64_t, int64_t)> body) {
  const int64_t least = std::max<int64_t>(1, 100000 / (s.T * s.G * s.H));
  if (s.B == 1) return body(0, 1);
  parallel_for(s.B, std::max(least, (s.B + thread_count() - 1) / thread_count()), body);
}

// The state before step t of entry b: row b of `first`, or y[b, t - 1].
const float* before(const Sizes& s, const float* first, const float* y, int64_t b, int64_t t) {
  return t == 0 ? first + b * s.H : y + (b * s.T + t - 1) * s.H;
}

// Products of the states with w_hh^T, step by step; row(b, t, q) follows each.
class Recurrence {
 public:
  Recurrence(const Sizes& s, const float* w)
      : s_(s), turned_{w, s.H, s.G, 1, s.H}, packed_(turned_), options_{.packed = &packed_} {}

  void run(const float* h0, const float* y,
           FunctionRef<void(int64_t b, int64_t t, const float* q)> row) const {
    for_batch(s_, [&](int64_t first, int64_t last) {
      std::vector<float> q(static_cast<size_t>((last - first) * s_.G));
      for (int64_t t = 0; t < s_.T; ++t) {
        const MatrixView<float> h{before(s_, h0, y, first, t), last - first, s_.H,
                                  t == 0 ? s_.H : s_.T * s_.H, 1};
        gemm(h, turned_, q.data(), s_.G, options_);
        for (int64_t b = first; b < last; ++b) row(b, t, q.data() + (b - first) * s_.G);
      }
    });
  }
  // The same products for all steps at once, when y is known: [B, T, G].
  std::vector<float> all(const float* h0, const float* y) const {
    std::vector<float> states(static_cast<size_t>(s_.B * s_.T * s_.H)),
        q(static_cast<size_t>(s_.B * s_.T * s_.G));
    parallel_for(s_.B, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        float* to = states.data() + b * s_.T * s_.H;
        std::copy_n(h0 + b * s_.H, s_.H, to);
        std::copy_n(y + b * s_.T * s_.H, (s_.T - 1) * s_.H, to + s_.H);
      }
    });
    gemm(MatrixView<float>{states.data(), s_.B * s_.T, s_.H, s_.H, 1}, turned_, q.data(), s_.G, options_);
    return q;
  }

 private:
  Sizes s_;
  MatrixView<float> turned_;
  PackedB packed_;
  GemmOptions options_;
};

// Steps from the last to the first: row(b, t) writes da[b, t], then dh (+)= da[b, t] w_hh.
void run_back(const Sizes& s, const float* w, const float* da, float* dh, bool add,
              FunctionRef<void(int64_t b, int64_t t)> row) {
  const MatrixView<float> weight{w, s.G, s.H, s.H, 1};
  const PackedB packed(weight);
  for_batch(s, [&](int64_t first, int64_t last) {
    for (int64_t t = s.T - 1; t >= 0; --t) {
      for (int64_t b = first; b < last; ++b) row(b, t);
      const MatrixView<float> rows{da + (first * s.T + t) * s.G, last - first, s.G, s.T * s.G, 1};
      gemm(rows, weight, dh + first * s.H, s.H, {.accumulate = add, .packed = &packed});
    }
  });
}

// Inputs p [B, T, 4 H], h0, c0, w_hh; outputs y, c.
void lstm(const Call& c, void*) {
  const Sizes s = sizes(c, c.in(3));
  const float *p = c.in(0).data<float>(), *c0 = c.in(2).data<float>();
  float *y = c.out(0).data<float>(), *cells = c.out(1).data<float>();
  if (s.B == 0) return;
  const auto row = SUIREN_PICK(lstm_row);
  Recurrence(s, c.in(3).data<float>())
      .run(c.in(1).data<float>(), y, [&](int64_t b, int64_t t, const float* q) {
        const int64_t i = b * s.T + t;
        row(p + i * s.G, q, before(s, c0, cells, b, t), cells + i * s.H, y + i * s.H, s.H);
      });
}

// Inputs p, h0, c0, w_hh, y, c, g_y, g_c; outputs dp, dh0, dc0.
void lstm_backward(const Call& c, void*) {
  const Sizes s = sizes(c, c.in(3));
  const auto in = [&](int i) { return c.in(i).data<float>(); };
  float *dp = c.out(0).data<float>(), *dh = c.out(1).data<float>(), *dc = c.out(2).data<float>();
  if (s.B == 0) return;
  const std::vector<float> q = Recurrence(s, in(3)).all(in(1), in(4));
  std::fill_n(dh, s.B * s.H, 0.0f);
  std::fill_n(dc, s.B * s.H, 0.0f);
  const float *p = in(0), *c0 = in(2), *cells = in(5), *g_y = in(6), *g_c = in(7);
  const auto row = SUIREN_PICK(lstm_backward_row);
  run_back(s, in(3), dp, dh, false, [&](int64_t b, int64_t t) {
    const int64_t i = b * s.T + t, g = i * s.G, h = i * s.H;
    row({p + g, q.data() + g, before(s, c0, cells, b, t), cells + h, g_y + h, g_c + h, dh + b * s.H,
         dc + b * s.H, dp + g},
        s.H);
  });
}

// Inputs p [B, T, 3 H], h0, w_hh, b_hh; output y.
void gru(const Call& c, void*) {
  const Sizes s = sizes(c, c.in(2));
  const float *p = c.in(0).data<float>(), *h0 = c.in(1).data<float>(), *bias = c.in(3).data<float>();
  float* y = c.out(0).data<float>();
  if (s.B == 0) return;
  const auto row = SUIREN_PICK(gru_row);
  Recurrence(s, c.in(2).data<float>()).run(h0, y, [&](int64_t b, int64_t t, const float* q) {
    const int64_t i = b * s.T + t;
    row(p + i * s.G, q, bias, before(s, h0, y, b, t), y + i * s.H, s.H);
  });
}

// Inputs p, h0, w_hh, b_hh, y, g; outputs dp, dq, dh0.
void gru_backward(const Call& c, void*) {
  const Sizes s = sizes(c, c.in(2));
  const auto in = [&](int i) { return c.in(i).data<float>(); };
  float *dp = c.out(0).data<float>(), *dq = c.out(1).data<float>(), *dh = c.out(2).data<float>();
  if (s.B == 0) return;
  const float *p = in(0), *h0 = in(1), *bias = in(3), *y = in(4), *grad = in(5);
  const std::vector<float> q = Recurrence(s, in(2)).all(h0, y);
  std::fill_n(dh, s.B * s.H, 0.0f);
  const auto row = SUIREN_PICK(gru_backward_row);
  run_back(s, in(2), dq, dh, true, [&](int64_t b, int64_t t) {
    const int64_t i = b * s.T + t, g = i * s.G, h = i * s.H;
    row({p + g, q.data() + g, bias, before(s, h0, y, b, t), grad + h, dh + b * s.H, dp + g, dq + g}, s.H);
  });
}

constexpr Kernel kKernels[] = {
    {"lstm", "steps", 10, accepts, nullptr, lstm},
    {"lstm_backward", "steps", 10, accepts, nullptr, lstm_backward},
    {"gru", "steps", 10, accepts, nullptr, gru},
    {"gru_backward", "steps", 10, accepts, nullptr, gru_backward},
};

}  // namespace

KernelList kernels_recurrent() { return kKernels; }

}  // namespace suiren::cpu
#endif
