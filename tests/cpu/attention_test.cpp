// Attention against naive f64 loops, forward and backward, and against itself bit by bit.

#include "backends/cpu/attention/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

std::vector<Isa> levels() {
  std::vector<Isa> all;
  for (Isa level : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512})
    if (level <= isa()) all.push_back(level);
  return all;
}

std::vector<float> random_numbers(int64_t n, uint32_t seed) {
  std::vector<float> v(n);
  for (float& f : v)
    seed = seed * 1664525u + 1013904223u, f = static_cast<float>(seed >> 8) * 0x1p-23f - 1.0f;
  return v;
}

// Tensors laid out as [batch, rows, heads, dim] with some room between the rows.
struct Heads {
  int64_t batch, rows, heads, dim, row_stride;
  std::vector<float> data;
  Heads(int64_t b, int64_t r, int64_t h, int64_t d, uint32_t seed)
      : batch(b),
        rows(r),
        heads(h),
        dim(d),
        row_stride(h * d + 3),
        data(random_numbers(b * r * (h * d + 3), seed)) {}
  HeadsView<float> view() { return {data.data(), rows * row_stride, row_stride, dim}; }
  HeadsView<const float> view() const { return {data.data(), rows * row_stride, row_stride, dim}; }
  HeadsView<const float> from(int64_t row) const {
    return {data.data() + row * row_stride, rows * row_stride, row_stride, dim};
  }
  float at(int64_t b, int64_t r, int64_t h, int64_t d) const {
    return data[(b * rows + r) * row_stride + h * dim + d];
  }
  float& at(int64_t b, int64_t r, int64_t h, int64_t d) {
    return data[(b * rows + r) * row_stride + h * dim + d];
  }
};

struct Problem {
  AttentionShape shape;
  Heads q, k, v, out, dout, dq, dk, dv;
  std::vector<float> lse;
  Problem(int64_t batch, int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads, int64_t dim,
          float size = 1)
      : shape{batch, queries, keys, heads, kv_heads, dim, static_cast<float>(1 / std::sqrt(double(dim)))},
        q(batch, queries, heads, dim, 1),
        k(batch, keys, kv_heads, dim, 2),
        v(batch, keys, kv_heads, dim, 3),
        out(batch, queries, heads, dim, 4),
        dout(batch, queries, heads, dim, 5),
        dq(batch, queries, heads, dim, 6),
        dk(batch, keys, kv_heads, dim, 7),
        dv(batch, keys, kv_heads, dim, 8),
        lse(batch * heads * queries, -1.0f) {
    for (float& x : q.data) x *= size;
  }
  const Heads& cq() const { return q; }
  void forward(Isa level = isa()) {
    attention_forward(shape, std::as_const(q).view(), std::as_const(k).view(), std::as_const(v).view(),
                      out.view(), lse.data(), level);
  }
  void backward(Isa level = isa()) {
    attention_backward(shape, std::as_const(q).view(), std::as_const(k).view(), std::as_const(v).view(),
                       std::as_const(out).view(), lse.data(), std::as_const(dout).view(), nullptr, dq.view(),
                       dk.view(), dv.view(), level);
  }
};

void expect_near(double actual, double expected, double tolerance, const char* what, int64_t b, int64_t r,
                 int64_t h, int64_t d) {
  ASSERT_NEAR(actual, expected, tolerance * (1 + std::abs(expected)))
      << what << "[" << b << "," << r << "," << h << "," << d << "]";
}

// The definition, with every sum in f64, and the analytic gradient of sum(out * dout).
void check_against_f64(const Problem& p, double tolerance) {
  const auto& s = p.shape;
  const int64_t group = s.heads / s.kv_heads, D = s.head_dim, offset = s.keys - s.queries;
  for (int64_t b = 0; b < s.batch; ++b) {
    std::vector<double> dk(s.keys * s.kv_heads * D), dv(dk.size());
    for (int64_t h = 0; h < s.heads; ++h)
      for (int64_t i = 0; i < s.queries; ++i) {
        const int64_t g = h / group, seen = offset + i + 1;
        std::vector<double> w(seen), dw(seen), out(D), dq(D);
        double top = -INFINITY, sum = 0, delta = 0;
        for (int64_t j = 0; j < seen; ++j) {
          for (int64_t d = 0; d < D; ++d) w[j] += double(p.q.at(b, i, h, d)) * p.k.at(b, j, g, d);
          w[j] *= s.scale;
          top = std::max(top, w[j]);
        }
        for (double& x : w) sum += x = std::exp(x - top);
        for (double& x : w) x /= sum;
        for (int64_t j = 0; j < seen; ++j)
          for (int64_t d = 0; d < D; ++d) {
            out[d] += w[j] * p.v.at(b, j, g, d);
            dw[j] += double(p.dout.at(b, i, h, d)) * p.v.at(b, j, g, d);
            dv[(j * s.kv_heads + g) * D + d] += w[j] * p.dout.at(b, i, h, d);
          }
        for (int64_t j = 0; j < seen; ++j) delta += w[j] * dw[j];
        for (int64_t j = 0; j < seen; ++j)
          for (int64_t d = 0; d < D; ++d) {
            const double ds = w[j] * (dw[j] - delta) * s.scale;
            dq[d] += ds * p.k.at(b, j, g, d);
            dk[(j * s.kv_heads + g) * D + d] += ds * p.q.at(b, i, h, d);
          }
        expect_near(p.lse[(b * s.heads + h) * s.queries + i], top + std::log(sum), tolerance, "lse", b, i, h,
                    0);
        for (int64_t d = 0; d < D; ++d) {
          expect_near(p.out.at(b, i, h, d), out[d], tolerance, "out", b, i, h, d);
          expect_near(p.dq.at(b, i, h, d), dq[d], tolerance, "dq", b, i, h, d);
        }
        if (testing::Test::HasFatalFailure()) return;
      }
    for (int64_t j = 0; j < s.keys; ++j)
      for (int64_t g = 0; g < s.kv_heads; ++g)
        for (int64_t d = 0; d < D; ++d) {
          expect_near(p.dk.at(b, j, g, d), dk[(j * s.kv_heads + g) * D + d], tolerance, "dk", b, j, g, d);
          expect_near(p.dv.at(b, j, g, d), dv[(j * s.kv_heads + g) * D + d], tolerance, "dv", b, j, g, d);
          if (testing::Test::HasFatalFailure()) return;
        }
  }
}

TEST(Attention, AgreesWithF64) {
  struct {
    int64_t batch, queries, keys, heads, kv_heads, dim;
  } cases[] = {
      {1, 1, 1, 1, 1, 1},     {1, 2, 2, 1, 1, 3},      {2, 5, 5, 2, 1, 8},      {1, 64, 64, 2, 2, 64},
      {1, 65, 65, 3, 1, 64},  {2, 130, 130, 4, 2, 64}, {1, 63, 63, 2, 1, 17},   {1, 70, 200, 4, 2, 32},
      {1, 1, 129, 4, 1, 64},  {1, 3, 64, 2, 2, 80},    {1, 100, 100, 1, 1, 96}, {1, 50, 70, 2, 1, 128},
      {1, 40, 90, 2, 2, 129}, {1, 66, 66, 1, 1, 256},  {2, 20, 20, 6, 3, 5},    {1, 300, 300, 1, 1, 16}};
  for (Isa level : levels())
    for (const auto& c : cases) {
      Problem p(c.batch, c.queries, c.keys, c.heads, c.kv_heads, c.dim);
      p.forward(level);
      p.backward(level);
      check_against_f64(p, 5e-6);
      ASSERT_FALSE(HasFatalFailure())
          << isa_name(level) << " queries " << c.queries << " keys " << c.keys << " dim " << c.dim;
    }
}

TEST(Attention, StaysExactWithLargeScores) {
  for (Isa level : levels()) {
    Problem p(1, 150, 150, 2, 1, 64, 40.0f);  // scores up to about 100: most weights vanish
    p.forward(level);
    p.backward(level);
    check_against_f64(p, 5e-5);
    ASSERT_FALSE(HasFatalFailure()) << isa_name(level);
  }
}

TEST(Attention, WritesNothingBetweenTheRows) {
  Problem p(1, 70, 70, 2, 1, 20);
  for (Heads* h : {&p.out, &p.dq, &p.dk, &p.dv})
    for (float& x : h->data) x = 77.0f;
  p.forward();
  p.backward();
  for (const Heads* h : {&p.out, &p.dq, &p.dk, &p.dv})
    for (int64_t r = 0; r < h->rows; ++r)
      for (int64_t i = h->heads * h->dim; i < h->row_stride; ++i)
        ASSERT_EQ(h->data[r * h->row_stride + i], 77.0f);
}

// Token by token, in chunks, and at once: the same bits.
TEST(Attention, GivesTheSameBitsInChunksAndTokenByToken) {
  for (Isa level : levels())
    for (int64_t dim : {64, 24}) {
      const int64_t total = 200, heads = 4;
      Problem whole(1, total, total, heads, 2, dim);
      whole.forward(level);
      for (int64_t chunk : {1, 7, 64, 100}) {
        Heads out(1, total, heads, dim, 9);
        std::vector<float> lse(heads * total);
        for (int64_t first = 0; first < total; first += chunk) {
          AttentionShape shape = whole.shape;
          shape.queries = std::min(chunk, total - first);
          shape.keys = first + shape.queries;
          HeadsView<float> to = out.view();
          to.data += first * out.row_stride;
          attention_forward(shape, whole.q.from(first), whole.k.from(0), whole.v.from(0), to, lse.data(),
                            level);
          for (int64_t h = 0; h < heads; ++h)
            for (int64_t i = 0; i < shape.queries; ++i)
              ASSERT_EQ(lse[h * shape.queries + i], whole.lse[h * total + first + i]);
        }
        for (int64_t i = 0; i < total; ++i)
          ASSERT_EQ(std::memcmp(&out.data[i * out.row_stride], &whole.out.data[i * out.row_stride],
                                heads * dim * 4),
                    0)
              << isa_name(level) << " chunk " << chunk << " query " << i;
      }
    }
}

TEST(Attention, GivesTheSameBitsInABatchAndWithAnyThreads) {
  const int64_t batch = 3, n = 150, heads = 6, kv_heads = 2, dim = 64;
  Problem p(batch, n, n, heads, kv_heads, dim);
  set_thread_count(1);
  p.forward();
  p.backward();
  for (int threads : {2, 3, 4, 8}) {
    set_thread_count(threads);
    Problem other(batch, n, n, heads, kv_heads, dim);
    other.forward();
    other.backward();
    EXPECT_EQ(other.lse, p.lse);
    EXPECT_EQ(other.out.data.size(), p.out.data.size());
    for (auto [x, y] :
         {std::pair{&other.out, &p.out}, {&other.dq, &p.dq}, {&other.dk, &p.dk}, {&other.dv, &p.dv}})
      ASSERT_EQ(std::memcmp(x->data.data(), y->data.data(), x->data.size() * 4), 0) << threads << " threads";
    for (int64_t b = 0; b < batch; ++b) {
      Problem one(1, n, n, heads, kv_heads, dim);
      for (auto [x, y] : {std::pair{&one.q, &p.q}, {&one.k, &p.k}, {&one.v, &p.v}, {&one.dout, &p.dout}})
        std::copy_n(y->data.begin() + b * x->data.size(), x->data.size(), x->data.begin());
      one.forward();
      one.backward();
      for (auto [x, y] : {std::pair{&one.out, &p.out}, {&one.dq, &p.dq}, {&one.dk, &p.dk}, {&one.dv, &p.dv}})
        for (int64_t r = 0; r < n; ++r)
          ASSERT_EQ(std::memcmp(&x->data[r * x->row_stride], &y->data[(b * n + r) * x->row_stride],
                                x->heads * dim * 4),
                    0)
              << "batch entry " << b << " row " << r;
    }
  }
  set_thread_count(available_cpus());
}

TEST(Attention, IgnoresWhatAQueryMustNotSee) {
  for (Isa level : levels()) {
    Problem p(1, 100, 100, 2, 1, 40), spoilt(1, 100, 100, 2, 1, 40);
    for (int64_t j = 30; j < 100; ++j)
      for (int64_t d = 0; d < 40; ++d) spoilt.k.at(0, j, 0, d) = NAN, spoilt.v.at(0, j, 0, d) = INFINITY;
    p.forward(level);
    spoilt.forward(level);
    for (int64_t i = 0; i < 30; ++i)
      ASSERT_EQ(
          std::memcmp(&p.out.data[i * p.out.row_stride], &spoilt.out.data[i * p.out.row_stride], 80 * 4), 0)
          << i;
    for (int64_t i = 30; i < 100; ++i) ASSERT_TRUE(std::isnan(spoilt.out.at(0, i, 1, 3))) << i;
  }
}

TEST(Attention, SkipsKeysWithScoresOfMinusInfinity) {
  for (Isa level : levels()) {  // 70 keys that score -inf, one whole block among them, then ordinary ones
    Problem p(1, 1, 150, 1, 1, 8), short_one(1, 1, 80, 1, 1, 8);
    for (int64_t d = 0; d < 8; ++d) p.q.at(0, 0, 0, d) = d == 0 ? 1.0f : 0.25f;
    for (int64_t j = 0; j < 70; ++j) p.k.at(0, j, 0, 0) = -INFINITY;
    short_one.q = p.q;
    for (int64_t j = 0; j < 80; ++j)
      for (int64_t d = 0; d < 8; ++d)
        short_one.k.at(0, j, 0, d) = p.k.at(0, j + 70, 0, d),
                                short_one.v.at(0, j, 0, d) = p.v.at(0, j + 70, 0, d);
    p.forward(level);
    short_one.forward(level);
    for (int64_t d = 0; d < 8; ++d) ASSERT_NEAR(p.out.at(0, 0, 0, d), short_one.out.at(0, 0, 0, d), 1e-6);
  }
}

TEST(Attention, RefusesShapesItCannotTake) {
  Problem p(1, 4, 4, 2, 2, 8);
  p.shape.head_dim = 257;
  EXPECT_THROW(p.forward(), Error);
  p.shape.head_dim = 8, p.shape.kv_heads = 3;
  EXPECT_THROW(p.forward(), Error);
  p.shape.kv_heads = 2, p.shape.queries = 5;
  EXPECT_THROW(p.backward(), Error);
}

}  // namespace
}  // namespace suiren::cpu
