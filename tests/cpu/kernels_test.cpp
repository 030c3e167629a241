// Same bits: a kernel's result does not depend on the number of threads, on the rows beside a row, on
// alignment, or on whether sequences come together or one by one. And: elementary functions near the true
// value, packed weights that follow their weight.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "backends/cpu/packed_weights.h"
#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/ops.h"

namespace suiren {
namespace {

uint64_t stream = 0;
Tensor random(const Shape& shape, double low = -2, double high = 2) {
  return uniform(shape, low, high, 1, ++stream);
}
Tensor ids(const Shape& shape, int64_t rows) {
  return cast(random(shape, 0, static_cast<double>(rows)), kI64);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_bytes() == b.to_bytes();
}

class Threads {
 public:
  explicit Threads(int n) : before_(thread_count()) { set_thread_count(n); }
  ~Threads() { set_thread_count(before_); }

 private:
  int before_;
};

struct Case {
  const char* name;
  std::function<Tensors()> run;
};

std::vector<Case> elementwise_cases() {
  const Tensor x = random({3, 400, 256}), w = random({256}), logits = random({260, 1003}),
               rows = random({260});
  const Tensor wide = random({900, 704}), wide2 = random({900, 704}), wide3 = random({900, 704});
  const Tensor odd = random({77, 1027}), chosen = ids({900}, 900);
  return {
      {"add", [=] { return Tensors{wide + wide2}; }},
      {"add a row", [=] { return Tensors{x + w}; }},
      {"mul a column", [=] { return Tensors{logits * unsqueeze(rows, 1)}; }},
      {"silu", [=] { return Tensors{silu(odd)}; }},
      {"transposed copy", [=] { return Tensors{copy(transpose(odd))}; }},
      {"transposed exp", [=] { return Tensors{exp(transpose(odd))}; }},
      {"cast",
       [=] {
         return Tensors{cast(wide, kBF16), cast(cast(wide, kBF16), kF32)};
       }},
      {"bf16 add", [=] { return Tensors{cast(wide, kBF16) + cast(wide2, kBF16)}; }},
      {"f64 mul", [=] { return Tensors{cast(wide, kF64) * cast(wide2, kF64)}; }},
      {"where", [=] { return Tensors{where(lt(wide, wide2), wide, wide3)}; }},
      {"sum of all",
       [=] {
         return Tensors{sum(x), mean(wide), sum_squares(x)};
       }},
      {"sum of rows",
       [=] {
         return Tensors{sum(x, {-1}), sum(odd, {1}), max(odd, {1}), argmax(odd, 1)};
       }},
      {"sum of columns",
       [=] {
         return Tensors{sum(x, {0, 1}), sum(odd, {0}), sum(x, {1})};
       }},
      {"cumsum",
       [=] {
         return Tensors{cumsum(odd, 1), cumsum(odd, 0)};
       }},
      {"index_select", [=] { return Tensors{index_select(wide, 0, chosen)}; }},
      {"normal",
       [=] {
         return Tensors{normal({70, 130}, 0, 1, 5, 6)};
       }},
      {"concat",
       [=] {
         return Tensors{concat({wide, wide2}, 1), slice_backward(wide, {900, 1500}, 1, 3, 2)};
       }},
  };
}

std::vector<Case> fused_cases() {
  const Tensor x = random({3, 400, 256}), g = random({3, 400, 256}), w = random({256});
  const Tensor wide = random({900, 704}), wide2 = random({900, 704}), wide3 = random({900, 704});
  const Tensor heads = random({2, 260, 4, 64}), cos = random({260, 32}), sin = random({260, 32});
  const Tensor kv = random({2, 260, 2, 64});
  const Tensor logits = random({260, 1003}), targets = ids({260}, 1003), rows = random({260}),
               none = zeros({260});
  const Tensor table = random({997, 256}), tokens = ids({3, 400}, 997);
  const Tensor a = random({3, 400, 300}), b = random({300, 200}), long_a = random({2, 70, 600}),
               long_b = random({2, 600, 90});
  return {
      {"rms_norm", [=] { return Tensors{rms_norm(x, w)}; }},
      {"rms_norm_backward", [=] { return rms_norm_backward(g, x, w, 1e-6); }},
      {"swiglu", [=] { return Tensors{swiglu(wide, wide2)}; }},
      {"swiglu_backward", [=] { return swiglu_backward(wide3, wide, wide2); }},
      {"rope", [=] { return Tensors{rope(heads, cos, sin)}; }},
      {"softmax",
       [=] {
         return Tensors{softmax(logits), log_softmax(logits), logsumexp(logits)};
       }},
      {"cross_entropy", [=] { return cross_entropy_with_lse(logits, targets); }},
      {"cross_entropy_backward",
       [=] { return Tensors{cross_entropy_backward(logits, targets, logsumexp(logits), rows, none)}; }},
      {"embedding",
       [=] {
         return Tensors{embedding(table, tokens), embedding_backward(g, tokens, 997)};
       }},
      {"matmul",
       [=] {
         return Tensors{matmul(a, b), matmul(transpose(a), a)};
       }},
      {"matmul_sum", [=] { return Tensors{matmul_sum(long_a, long_b)}; }},
      {"attention", [=] { return attention(heads, kv, kv, 0.125, true); }},
      {"attention_backward",
       [=] {
         const Tensors y = attention(heads, kv, kv, 0.125, true);
         return attention_backward(heads, kv, kv, y[0], y[1], heads, zeros({2, 4, 260}), 0.125, true);
       }},
      {"adamw",
       [=] {
         const Tensor p = copy(wide), m = copy(wide2), v = wide3 * wide3;
         adamw(p, m, v, wide2, {1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.5});
         return Tensors{p, m, v};
       }},
      {"sgd",
       [=] {
         const Tensor p = copy(wide), v = copy(wide2);
         sgd(p, v, wide3, {0.1, 0.9, 0.01, true, 1});
         return Tensors{p, v};
       }},
  };
}

// Every kernel of the list takes these calls: nothing here runs as the naive reference.
void check_threads(const std::vector<Case>& cases) {
  reset_fallback_ledger();
  for (const Case& c : cases) {
    Tensors one;
    {
      const Threads t(1);
      one = c.run();
    }
    for (int n : {2, 3, 4, 8}) {
      const Threads t(n);
      const Tensors many = c.run();
      for (size_t i = 0; i < one.size(); ++i)
        EXPECT_TRUE(same_bits(one[i], many[i])) << c.name << ", result " << i << ", " << n << " threads";
    }
  }
  for (const Fallback& f : fallback_ledger()) ADD_FAILURE() << f.op << " fell back: " << f.reason;
}
TEST(CpuKernels, GiveTheSameBitsOnAnyNumberOfThreads) {
  check_threads(elementwise_cases());
  check_threads(fused_cases());
}

// f(rows of x) = rows of f(x), for rows that begin anywhere: contiguous from an odd address, and as a view.
TEST(CpuKernels, ComputeARowAloneAsAmongOthers) {
  const Tensor w = random({77}), cos = random({1, 10}), sin = random({1, 10}), b = random({77, 33});
  const std::vector<std::pair<const char*, std::function<Tensor(Tensor)>>> rows = {
      {"rms_norm", [=](const Tensor& x) { return rms_norm(x, w); }},
      {"softmax", [](const Tensor& x) { return softmax(x); }},
      {"log_softmax", [](const Tensor& x) { return log_softmax(x); }},
      {"logsumexp", [](const Tensor& x) { return logsumexp(x, -1, true); }},
      {"swiglu", [](const Tensor& x) { return swiglu(x, x * 0.5); }},
      {"silu", [](const Tensor& x) { return silu(x); }},
      {"tanh", [](const Tensor& x) { return tanh(x); }},
      {"log", [](const Tensor& x) { return log(x); }},
      {"add", [=](const Tensor& x) { return x + w; }},
      {"sum", [](const Tensor& x) { return sum(x, {-1}, true); }},
      {"matmul", [=](const Tensor& x) { return matmul(x, b); }},
      {"cross_entropy",
       [](const Tensor& x) { return unsqueeze(cross_entropy(x, full({x.dim(0)}, 5, kI64)), 1); }},
  };
  const Tensor x = random({41, 77});
  for (const auto& [name, f] : rows) {
    const Tensor all = f(x);
    for (int64_t begin : {0, 3, 17, 40})
      for (int64_t end : {begin + 1, std::min<int64_t>(41, begin + 7)}) {
        const Tensor view = slice(x, 0, begin, end), want = copy(slice(all, 0, begin, end));
        EXPECT_TRUE(same_bits(f(view), want))
            << name << " of rows " << begin << " to " << end << " as a view";
        EXPECT_TRUE(same_bits(f(copy(view)), want)) << name << " of rows " << begin << " to " << end;
      }
  }
}

// Sums over tokens: sequences together, or one by one and accumulated.
TEST(CpuKernels, SumSequencesTogetherAsOneByOne) {
  const int64_t B = 4, T = 300, D = 48, V = 50;
  const Tensor x = random({B, T, D}), g = random({B, T, D}), w = random({D}), tokens = ids({B, T}, V);
  const Tensor q = random({B, T, 3, 16}), gq = random({B, T, 3, 16}), wq = random({16});
  const std::vector<std::pair<const char*, std::function<Tensor(int64_t, int64_t)>>> sums = {
      {"rms_norm",
       [=](int64_t b, int64_t e) {
         return rms_norm_backward(slice(g, 0, b, e), slice(x, 0, b, e), w, 1e-6)[1];
       }},
      {"rms_norm of heads",
       [=](int64_t b, int64_t e) {
         return rms_norm_backward(slice(gq, 0, b, e), slice(q, 0, b, e), wq, 1e-6)[1];
       }},
      {"matmul_sum",
       [=](int64_t b, int64_t e) { return matmul_sum(transpose(slice(x, 0, b, e)), slice(g, 0, b, e)); }},
      {"embedding",
       [=](int64_t b, int64_t e) {
         return embedding_backward(slice(g, 0, b, e), slice(tokens, 0, b, e), V);
       }},
      {"sum",
       [=](int64_t b, int64_t e) {
         return sum(slice(g, 0, b, e), {0, 1});
       }},
  };
  for (const auto& [name, f] : sums) {
    const Tensor apart = f(0, 1);
    for (int64_t b = 1; b < B; ++b) accumulate(apart, f(b, b + 1));
    EXPECT_TRUE(same_bits(apart, f(0, B))) << name;
  }
}

TEST(CpuKernels, FollowAWeightWithItsPackedCopy) {
  const Tensor w = random({130, 70}), x = random({5, 70});
  const Tensor plain = linear(x, w);
  w.storage()->set_stable(true);
  const int64_t before = cpu::packed_bytes();
  EXPECT_TRUE(same_bits(linear(x, w), plain));
  const int64_t packed = cpu::packed_bytes();
  EXPECT_GE(packed - before, 130 * 70 * 4);
  EXPECT_TRUE(same_bits(linear(x, w), plain));
  EXPECT_EQ(cpu::packed_bytes(), packed) << "packed again";
  const Tensor other = random({130, 70});
  assign(w, other);
  EXPECT_TRUE(same_bits(linear(x, w), linear(x, other)));
  EXPECT_EQ(cpu::packed_bytes(), packed) << "the old copy was kept";
  EXPECT_TRUE(same_bits(matmul(random({2, 130}), w), matmul(random({2, 130}), other)) ==
              false);  // other inputs
  cpu::forget_packed(w.storage()->memory());
  EXPECT_EQ(cpu::packed_bytes(), before);
}

// The vector conversions of bf16 and f16 against those of dtype.h, which go bit by bit.
template <class T>
void check_conversions() {
  std::vector<T> all(1 << 16);
  for (size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<uint16_t>(i);
  const std::vector<float> wide = cast(Tensor::from(all, {1 << 16}), kF32).template to_vector<float>();
  for (size_t i = 0; i < all.size(); ++i) {
    const float want = all[i];
    EXPECT_TRUE(wide[i] == want ? std::signbit(wide[i]) == std::signbit(want)
                                : std::isnan(wide[i]) && std::isnan(want))
        << i;
  }
  std::vector<float> values(1 << 18);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = philox(3, 1, i)[0];
    std::memcpy(&values[i], &bits, sizeof bits);
  }
  const std::vector<T> narrow = cast(Tensor::from(values, {1 << 18}), dtype_of<T>).template to_vector<T>();
  for (size_t i = 0; i < values.size(); ++i) {
    const T want(values[i]);
    EXPECT_TRUE(narrow[i].bits == want.bits ||
                (std::isnan(values[i]) && std::isnan(static_cast<float>(narrow[i]))))
        << values[i];
  }
}
TEST(CpuKernels, ConvertHalvesAsDefined) {
  check_conversions<bfloat16>();
  check_conversions<float16>();
}

// Distance in units of the last place of the f32 nearest to `want`.
double ulps(float got, double want) {
  const float nearest = static_cast<float>(want);
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want) ? 0 : 1e9;
  if (got == nearest) return 0;
  const double step =
      std::max<double>(std::nextafter(std::fabs(nearest), INFINITY) - std::fabs(nearest), 1e-45);
  return std::fabs(got - want) / step;
}

TEST(CpuKernels, ComputeElementaryFunctionsToAFewUlps) {
  struct Row {
    const char* name;
    Tensor (*f)(const Tensor&);
    double (*want)(double);
    double low, high, most;
  };
  const Row table[] = {
      {"exp", exp, std::exp, -103, 89.5, 2},
      {"log", log, std::log, 1e-38, 4, 2},
      {"tanh", tanh, std::tanh, -10, 10, 3},
      {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -80, 80, 4},
      {"silu", silu, [](double x) { return x / (1 + std::exp(-x)); }, -80, 80, 4},
      {"erf", erf, std::erf, -4, 4, 3},
      // Far left, where the result is 1e-4 of x, the argument of erfc is rounded before it is squared.
      {"gelu", gelu, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }, -4, 4, 24},
  };
  for (const Row& r : table) {
    const Tensor x = random({20001}, r.low, r.high);
    const std::vector<float> in = x.to_vector<float>(), out = r.f(x).to_vector<float>();
    double worst = 0;
    for (size_t i = 0; i < in.size(); ++i) worst = std::max(worst, ulps(out[i], r.want(in[i])));
    EXPECT_LE(worst, r.most) << r.name;
  }
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf(""), tiny = 1e-45f;
  const std::vector<float> special{inf,   -inf,   nan,    0.0f,  -0.0f,  tiny,   -tiny,
                                   3e38f, -3e38f, 1e-39f, 88.8f, -88.8f, -103.9f};
  for (const Row& r : table) {
    const std::vector<float> out =
        r.f(Tensor::from(special, {static_cast<int64_t>(special.size())})).to_vector<float>();
    for (size_t i = 0; i < special.size(); ++i) {
      if (!(std::fabs(out[i] - r.want(special[i])) <= 1e-36)) {  // silu lets tiny results go
        EXPECT_LE(ulps(out[i], r.want(special[i])), r.most)
            << r.name << "(" << special[i] << ") = " << out[i];
      }
    }
  }
}

TEST(CpuKernels, RefuseAnIdBesideTheTable) {
  const Tensor table = random({5, 2}, -1, 1);
  for (const int64_t id : {5, -1, 1 << 30})
    EXPECT_THROW(embedding(table, Tensor::from(std::vector<int64_t>{0, id}, {2})), Error) << id;
}

}  // namespace
}  // namespace suiren
