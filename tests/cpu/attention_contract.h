#pragma once
// Attention against naive f64 loops, forward and backward, and against itself bit by bit; of f32, and of bf16
// on each of its units.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "backends/cpu/attention/attention.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "tests/cpu/gemm_contract.h"

namespace suiren::cpu {

/// The levels that take T: of bf16 those with units for it alone.
template <class T>
std::vector<GemmLevel> attention_levels() {
  std::vector<GemmLevel> all;
  for (GemmLevel level : levels(true))
    if ((level.bf16 != Bf16Units::kNone) == std::is_same_v<T, bfloat16>) all.push_back(level);
  return all;
}

template <class T>
std::vector<T> random_numbers(int64_t n, uint32_t seed) {
  Random random{seed};
  std::vector<T> v(n);
  for (T& x : v) x = T(random.next());
  return v;
}

/// A tensor laid out as [batch, rows, heads, dim] with room between the rows: a read there spoils a result.
template <class T>
struct Heads {
  static constexpr int64_t kRoom = 3;
  int64_t batch, rows, heads, dim, row_stride;
  std::vector<T> data;
  Heads(int64_t b, int64_t r, int64_t h, int64_t d, uint32_t seed)
      : batch(b), rows(r), heads(h), dim(d), row_stride(h * d + kRoom), data(b * r * row_stride, T(NAN)) {
    const std::vector<T> numbers = random_numbers<T>(b * r * h * d, seed);
    for (int64_t i = 0; i < b * r; ++i)
      std::copy_n(numbers.begin() + i * h * d, h * d, data.begin() + i * row_stride);
  }
  HeadsView<T> view() { return {data.data(), rows * row_stride, row_stride, dim}; }
  HeadsView<const T> read(int64_t row = 0) const {
    return {data.data() + row * row_stride, rows * row_stride, row_stride, dim};
  }
  T& at(int64_t b, int64_t r, int64_t h, int64_t d) {
    return data[(b * rows + r) * row_stride + h * dim + d];
  }
  double at(int64_t b, int64_t r, int64_t h, int64_t d) const {
    return data[(b * rows + r) * row_stride + h * dim + d];
  }
  bool row_is(int64_t row, const Heads& other, int64_t other_row) const {
    return std::memcmp(&data[row * row_stride], &other.data[other_row * row_stride],
                       heads * dim * sizeof(T)) == 0;
  }
};

struct Size {
  int64_t batch, queries, keys, heads, kv_heads, dim;
};
/// What a problem has beside its size.
struct With {
  bool causal = true;
  int64_t window = 0;
  float softcap = 0;
  bool mask = false, sinks = false;
};

template <class T>
struct Problem {
  AttentionShape shape;
  Heads<T> q, k, v, out, dout, dq, dk, dv;
  std::vector<float> lse, dlse;
  std::vector<T> mask, sinks;
  explicit Problem(const Size& s, const With& w = {}, float size = 1)
      : shape{s.batch,
              s.queries,
              s.keys,
              s.heads,
              s.kv_heads,
              s.dim,
              static_cast<float>(1 / std::sqrt(double(s.dim))),
              w.causal,
              w.window,
              w.softcap},
        q(s.batch, s.queries, s.heads, s.dim, 1),
        k(s.batch, s.keys, s.kv_heads, s.dim, 2),
        v(s.batch, s.keys, s.kv_heads, s.dim, 3),
        out(s.batch, s.queries, s.heads, s.dim, 4),
        dout(s.batch, s.queries, s.heads, s.dim, 5),
        dq(s.batch, s.queries, s.heads, s.dim, 6),
        dk(s.batch, s.keys, s.kv_heads, s.dim, 7),
        dv(s.batch, s.keys, s.kv_heads, s.dim, 8),
        lse(s.batch * s.heads * s.queries, -1.0f),
        dlse(random_numbers<float>(lse.size(), 9)) {
    for (T& x : q.data) x = T(x * size);
    if (w.mask) mask = random_numbers<T>(s.batch * s.heads * s.queries * s.keys, 10);
    // A key in seven is hidden, never the first of block or sequence.
    for (size_t i = 0; i < mask.size(); ++i)
      if (static_cast<int64_t>(i) % s.keys % 7 == 5) mask[i] = T(-INFINITY);
    if (w.sinks) sinks = random_numbers<T>(s.heads, 11);
  }
  AttentionExtras<T> extras() const {
    AttentionExtras<T> e;
    const AttentionShape& s = shape;
    if (!mask.empty()) e.mask = {mask.data(), s.heads * s.queries * s.keys, s.queries * s.keys, s.keys, 1};
    if (!sinks.empty()) e.sinks = sinks.data();
    return e;
  }
  void forward(GemmLevel level = {}) {
    attention_forward(shape, q.read(), k.read(), v.read(), out.view(), lse.data(), extras(), level);
  }
  void backward(GemmLevel level = {}) {
    attention_backward(shape, q.read(), k.read(), v.read(), out.read(), lse.data(), dout.read(), dlse.data(),
                       dq.view(), dk.view(), dv.view(), extras(), level);
  }
};

/// A number, and what rounding its terms to bf16 may move it by, in units of the rounding.
struct Rounded {
  double value = 0, moved = 0;
  void add(double x, double y, double error) { value += x * y, moved += error * std::abs(y); }
};

/// The definition, with every sum in f64, and the analytic gradient of sum(out dout) + sum(lse dlse).
/// Allowed: `tolerance` (1 + |expected|), and of bf16 half a unit in the last place of each weight, of each
/// gradient of a score, of `out` where backward reads it, and of the result.
template <class T>
class Reference {
 public:
  Reference(const Problem<T>& p, double tolerance) : p_(p), s_(p.shape), tolerance_(tolerance) {}

  void check() {
    for (int64_t b = 0; b < s_.batch; ++b) {
      dk_.assign(s_.keys * s_.kv_heads * s_.head_dim, {});
      dv_ = dk_;
      for (int64_t h = 0; h < s_.heads; ++h)
        for (int64_t i = 0; i < s_.queries; ++i) {
          check_query(b, h, i);
          if (testing::Test::HasFatalFailure()) return;
        }
      for (int64_t j = 0; j < s_.keys; ++j)
        for (int64_t g = 0; g < s_.kv_heads; ++g)
          for (int64_t d = 0; d < s_.head_dim; ++d) {
            const int64_t at = (j * s_.kv_heads + g) * s_.head_dim + d;
            near(p_.dk.at(b, j, g, d), dk_[at], "dk", b, j, g, d);
            near(p_.dv.at(b, j, g, d), dv_[at], "dv", b, j, g, d);
            if (testing::Test::HasFatalFailure()) return;
          }
    }
  }

 private:
  // Unit roundoff: 8 bits of a significand.
  static constexpr double kRounding = std::is_same_v<T, bfloat16> ? 0x1p-8 : 0;

  void near(double actual, const Rounded& expected, const char* what, int64_t b, int64_t r, int64_t h,
            int64_t d) {
    const double size = std::abs(expected.value);
    ASSERT_NEAR(actual, expected.value, tolerance_ * (1 + size) + kRounding * (expected.moved + size))
        << what << "[" << b << "," << r << "," << h << "," << d << "]";
  }

  // Scores of one query, and their slopes by the scaled product; -inf for a key that it does not see.
  void score(int64_t b, int64_t h, int64_t i, std::vector<double>& w, std::vector<double>& slope) {
    const int64_t position = s_.causal ? s_.keys - s_.queries + i : s_.keys - 1;
    for (int64_t j = 0; j < s_.keys; ++j) {
      w[j] = 0, slope[j] = 1;
      for (int64_t d = 0; d < s_.head_dim; ++d)
        w[j] += p_.q.at(b, i, h, d) * p_.k.at(b, j, h / (s_.heads / s_.kv_heads), d);
      w[j] *= s_.scale;
      if (s_.softcap > 0) {
        const double u = std::tanh(w[j] / s_.softcap);
        w[j] = u * s_.softcap, slope[j] = 1 - u * u;
      }
      if (!p_.mask.empty()) w[j] += double(p_.mask[((b * s_.heads + h) * s_.queries + i) * s_.keys + j]);
      if (j > position || (s_.window > 0 && j <= position - s_.window)) w[j] = -INFINITY;
    }
  }

  void check_query(int64_t b, int64_t h, int64_t i) {
    const int64_t g = h / (s_.heads / s_.kv_heads), D = s_.head_dim,
                  row = (b * s_.heads + h) * s_.queries + i;
    std::vector<double> w(s_.keys), slope(s_.keys), dw(s_.keys);
    std::vector<Rounded> out(D), dq(D);
    score(b, h, i, w, slope);
    double top = p_.sinks.empty() ? -INFINITY : double(p_.sinks[h]);
    for (double x : w) top = std::max(top, x);
    double sum = p_.sinks.empty() ? 0 : std::exp(double(p_.sinks[h]) - top);
    for (double& x : w) sum += x = std::exp(x - top);
    for (double& x : w) x /= sum;
    double delta = -double(p_.dlse[row]), delta_moved = 0;
    for (int64_t j = 0; j < s_.keys; ++j)
      for (int64_t d = 0; d < D; ++d) {
        const double y = p_.dout.at(b, i, h, d);
        out[d].add(w[j], p_.v.at(b, j, g, d), w[j]);
        dw[j] += y * p_.v.at(b, j, g, d);
        dv_[(j * s_.kv_heads + g) * D + d].add(w[j], y, w[j]);
      }
    for (int64_t d = 0; d < D; ++d) {
      delta += out[d].value * p_.dout.at(b, i, h, d);
      delta_moved += (std::abs(out[d].value) + out[d].moved) * std::abs(p_.dout.at(b, i, h, d));
    }
    for (int64_t j = 0; j < s_.keys; ++j) {
      const double by_score = w[j] * slope[j] * s_.scale, ds = by_score * (dw[j] - delta),
                   moved = std::abs(ds) + by_score * delta_moved;
      for (int64_t d = 0; d < D; ++d) {
        dq[d].add(ds, p_.k.at(b, j, g, d), moved);
        dk_[(j * s_.kv_heads + g) * D + d].add(ds, p_.q.at(b, i, h, d), moved);
      }
    }
    ASSERT_NEAR(p_.lse[row], top + std::log(sum), tolerance_ * (1 + std::abs(top + std::log(sum))))
        << "lse[" << b << "," << h << "," << i << "]";
    for (int64_t d = 0; d < D; ++d) {
      near(p_.out.at(b, i, h, d), out[d], "out", b, i, h, d);
      near(p_.dq.at(b, i, h, d), dq[d], "dq", b, i, h, d);
    }
  }

  const Problem<T>& p_;
  const AttentionShape& s_;
  const double tolerance_;
  std::vector<Rounded> dk_, dv_;
};

/// Forward and backward on every level, against f64.
template <class T>
void check_problem(const Size& size, double tolerance, const With& with = {}, float scores = 1) {
  for (GemmLevel level : attention_levels<T>()) {
    Problem<T> p(size, with, scores);
    p.forward(level);
    p.backward(level);
    Reference<T>(p, tolerance).check();
    ASSERT_FALSE(testing::Test::HasFatalFailure())
        << name(level) << " queries " << size.queries << " keys " << size.keys << " heads " << size.heads
        << "/" << size.kv_heads << " dim " << size.dim << " window " << with.window << " softcap "
        << with.softcap << (with.causal ? " causal" : "") << (with.mask ? " mask" : "")
        << (with.sinks ? " sinks" : "");
  }
}

/// One call for each way that the options meet, at these lengths.
template <class T>
void check_options(int64_t queries, int64_t keys, int64_t dim, double tolerance) {
  const Size size{2, queries, keys, 4, 2, dim};
  for (const With& w :
       {With{.window = 1}, With{.window = 37}, With{.softcap = 0.7f}, With{.mask = true}, With{.sinks = true},
        With{.causal = false}, With{.causal = false, .softcap = 2, .mask = true, .sinks = true},
        With{.window = 70, .softcap = 2, .mask = false, .sinks = true}}) {
    check_problem<T>(size, tolerance, w);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class T>
void check_room_between_rows() {
  for (GemmLevel level : attention_levels<T>()) {
    Problem<T> p({1, 70, 70, 2, 1, 20});
    for (Heads<T>* h : {&p.out, &p.dq, &p.dk, &p.dv})
      for (T& x : h->data) x = T(77.0f);
    p.forward(level);
    p.backward(level);
    for (const Heads<T>* h : {&p.out, &p.dq, &p.dk, &p.dv})
      for (int64_t r = 0; r < h->rows; ++r)
        for (int64_t i = h->heads * h->dim; i < h->row_stride; ++i)
          ASSERT_EQ(h->data[r * h->row_stride + i], 77.0f);
  }
}

/// Token by token, in chunks, and at once: the same bits.
template <class T>
void check_chunks(int64_t dim, const With& with) {
  const int64_t total = 200, heads = 4;
  for (GemmLevel level : attention_levels<T>()) {
    Problem<T> whole({1, total, total, heads, 2, dim}, with);
    whole.forward(level);
    for (int64_t chunk : {1, 2, 7, 64, 100}) {
      Heads<T> out(1, total, heads, dim, 9);
      std::vector<float> lse(heads * total);
      for (int64_t first = 0; first < total; first += chunk) {
        AttentionShape shape = whole.shape;
        shape.queries = std::min(chunk, total - first);
        shape.keys = first + shape.queries;
        HeadsView<T> to = out.view();
        to.data += first * out.row_stride;
        AttentionExtras<T> extras = whole.extras();
        if (extras.mask.data) extras.mask.data += first * extras.mask.row_stride;
        attention_forward(shape, whole.q.read(first), whole.k.read(), whole.v.read(), to, lse.data(), extras,
                          level);
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t i = 0; i < shape.queries; ++i)
            ASSERT_EQ(lse[h * shape.queries + i], whole.lse[h * total + first + i]);
      }
      for (int64_t i = 0; i < total; ++i)
        ASSERT_TRUE(out.row_is(i, whole.out, i))
            << name(level) << " dim " << dim << " chunk " << chunk << " query " << i;
    }
  }
}

template <class T>
void check_batch_and_threads(int64_t dim) {
  if (attention_levels<T>().empty()) return;
  const int64_t batch = 3, n = 150, heads = 6, kv_heads = 2;
  const Size size{batch, n, n, heads, kv_heads, dim};
  Problem<T> p(size);
  set_thread_count(1);
  p.forward();
  p.backward();
  for (int threads : {2, 3, 4, 8}) {
    set_thread_count(threads);
    Problem<T> other(size);
    other.forward();
    other.backward();
    EXPECT_EQ(other.lse, p.lse);
    for (auto [x, y] :
         {std::pair{&other.out, &p.out}, {&other.dq, &p.dq}, {&other.dk, &p.dk}, {&other.dv, &p.dv}})
      for (int64_t r = 0; r < batch * n; ++r) ASSERT_TRUE(x->row_is(r, *y, r)) << threads << " threads";
    for (int64_t b = 0; b < batch; ++b) {
      Problem<T> one({1, n, n, heads, kv_heads, dim});
      for (auto [x, y] : {std::pair{&one.q, &p.q}, {&one.k, &p.k}, {&one.v, &p.v}, {&one.dout, &p.dout}})
        std::copy_n(y->data.begin() + b * x->data.size(), x->data.size(), x->data.begin());
      std::copy_n(p.dlse.begin() + b * one.dlse.size(), one.dlse.size(), one.dlse.begin());
      one.forward();
      one.backward();
      for (auto [x, y] : {std::pair{&one.out, &p.out}, {&one.dq, &p.dq}, {&one.dk, &p.dk}, {&one.dv, &p.dv}})
        for (int64_t r = 0; r < n; ++r)
          ASSERT_TRUE(x->row_is(r, *y, b * n + r)) << "batch entry " << b << " row " << r;
    }
  }
  set_thread_count(available_cpus());
}

/// Keys that a query must not see hold what they will: the last that it sees is the first of a pair, or the
/// second.
template <class T>
void check_unseen_keys() {
  for (GemmLevel level : attention_levels<T>())
    for (int64_t seen : {29, 30, 63, 64, 65}) {
      Problem<T> p({1, 100, 100, 2, 1, 40}), spoilt({1, 100, 100, 2, 1, 40});
      for (int64_t j = seen; j < 100; ++j)
        for (int64_t d = 0; d < 40; ++d)
          spoilt.k.at(0, j, 0, d) = T(NAN), spoilt.v.at(0, j, 0, d) = T(INFINITY);
      p.forward(level);
      spoilt.forward(level);
      for (int64_t i = 0; i < seen; ++i)
        ASSERT_TRUE(p.out.row_is(i, spoilt.out, i)) << name(level) << " " << i;
      for (int64_t i = seen; i < 100; ++i)
        ASSERT_TRUE(std::isnan(std::as_const(spoilt.out).at(0, i, 1, 3))) << name(level) << " " << i;
    }
}

/// 70 keys that score -inf, one whole block among them, then ordinary ones.
template <class T>
void check_minus_infinity(double tolerance) {
  for (GemmLevel level : attention_levels<T>()) {
    Problem<T> p({1, 1, 150, 1, 1, 8}), short_one({1, 1, 80, 1, 1, 8});
    for (int64_t d = 0; d < 8; ++d) p.q.at(0, 0, 0, d) = T(d == 0 ? 1.0f : 0.25f);
    for (int64_t j = 0; j < 70; ++j) p.k.at(0, j, 0, 0) = T(-INFINITY);
    short_one.q = p.q;
    for (int64_t j = 0; j < 80; ++j)
      for (int64_t d = 0; d < 8; ++d)
        short_one.k.at(0, j, 0, d) = p.k.at(0, j + 70, 0, d),
                                short_one.v.at(0, j, 0, d) = p.v.at(0, j + 70, 0, d);
    p.forward(level);
    short_one.forward(level);
    for (int64_t d = 0; d < 8; ++d)
      ASSERT_NEAR(std::as_const(p.out).at(0, 0, 0, d), std::as_const(short_one.out).at(0, 0, 0, d),
                  tolerance);
  }
}

}  // namespace suiren::cpu
