#include "suiren/ops/sampling/sampling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "suiren/base/philox.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

struct Bernoulli {
  static constexpr OpName name = "bernoulli";
  static constexpr const char* doc = "y[i] = 1 where Philox uniform i of (seed, stream) < p[i], else 0";
  struct Attrs {
    int64_t seed, stream;  // the bits of the unsigned numbers
  };
  static constexpr auto fields = std::tuple{field("seed", &Attrs::seed), field("stream", &Attrs::stream)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "it is constant between its steps";
  static Specs infer(const Attrs&, const TensorSpec& p) {
    check_dtype(dtypes, "p", p);
    return {p};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const auto seed = static_cast<uint64_t>(a.seed), stream = static_cast<uint64_t>(a.stream);
    for (int64_t i = 0; i < out[0].numel(); ++i)
      out[0][i] = philox_uniform(seed, stream, static_cast<uint64_t>(i)) < in[0][i] ? 1 : 0;
  }
  static Samples samples() {
    return {sample(Attrs{1, 0}, {constant({40}, 0, 1)}),
            sample(Attrs{2, 7}, {constant({1}, 0, 1)}),
            sample(Attrs{-5, -1}, {constant({3, 5}, -1, 2)}),
            sample(Attrs{3, 0}, {constant({2, 3, 4}, 0, 1)}),
            sample(Attrs{3, 0}, {constant({0, 4}, 0, 1)}),
            bad(Attrs{1, 0}, {boolean({3})}, "p is bool, expected a floating type; cast it first")};
  }
};

struct Multinomial {
  static constexpr OpName name = "multinomial";
  static constexpr const char* doc =
      "y[..., j] = draw j from the weights p[..., :], with or without replacement";
  struct Attrs {
    int64_t samples;
    bool replacement;
    int64_t seed, stream;
  };
  static constexpr auto fields =
      std::tuple{field("samples", &Attrs::samples), field("replacement", &Attrs::replacement),
                 field("seed", &Attrs::seed), field("stream", &Attrs::stream)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr const char* no_gradient = "its result is an index";
  static Specs infer(const Attrs& a, const TensorSpec& p) {
    check_dtype(dtypes, "p", p);
    SR_CHECK_AS(kShape, p.rank() >= 1, "p has shape [], expected rows [..., C]");
    SR_CHECK_AS(kShape, a.samples >= 0 && (a.replacement || a.samples <= p.dim(-1)),
                "{} samples from {} without replacement, expected at most as many", a.samples, p.dim(-1));
    Shape shape = p.shape;
    shape[p.rank() - 1] = a.samples;
    return {{kI64, shape, p.device}};
  }
  static void check_row(const Attrs& a, const HostArray& p, int64_t row, int64_t C) {
    int64_t positive = 0;
    for (int64_t c = 0; c < C; ++c) {
      const auto weight = static_cast<double>(p[row * C + c]);
      SR_CHECK(weight >= 0 && std::isfinite(weight),
               "row {} has the weight {}, expected a finite number from 0 on", row, weight);
      positive += weight > 0;
    }
    const int64_t least = a.replacement ? std::min<int64_t>(1, a.samples) : a.samples;
    SR_CHECK(positive >= least, "row {} has {} positive weights, expected at least {}", row, positive, least);
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t C = in[0].dim(-1), rows = a.samples ? out[0].numel() / a.samples : 0;
    const auto u = [&](int64_t i) {
      return philox_uniform(static_cast<uint64_t>(a.seed), static_cast<uint64_t>(a.stream),
                            static_cast<uint64_t>(i));
    };
    std::vector<double> at(static_cast<size_t>(C));
    std::vector<int64_t> order(at.size());
    for (int64_t r = 0; r < rows; ++r) {
      check_row(a, in[0], r, C);
      double total = 0;
      for (int64_t c = 0; c < C; ++c) {
        const auto p = static_cast<double>(in[0][r * C + c]);
        total += p;
        at[static_cast<size_t>(c)] = a.replacement ? total
                                     : p > 0       ? -std::log1p(-u(r * C + c)) / p
                                                   : std::numeric_limits<double>::infinity();
      }
      std::iota(order.begin(), order.end(), 0);
      if (!a.replacement)
        std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) {
          return at[static_cast<size_t>(x)] < at[static_cast<size_t>(y)];
        });
      for (int64_t j = 0; j < a.samples; ++j)
        out[0][r * a.samples + j] = static_cast<Wide>(
            a.replacement ? std::upper_bound(at.begin(), at.end(), u(r * a.samples + j) * total) - at.begin()
                          : order[static_cast<size_t>(j)]);
    }
  }
  static Samples samples() {
    const auto p = [](Shape s) { return constant(s, 0.1, 2); };
    return {sample(Attrs{40, true, 1, 0}, {p({7})}),
            sample(Attrs{1, true, 1, 0}, {p({1})}),
            sample(Attrs{4, false, -2, 3}, {p({9})}),
            sample(Attrs{3, true, 5, -1}, {p({4, 6})}),
            sample(Attrs{3, false, 5, 0}, {p({2, 4, 3})}),
            sample(Attrs{0, true, 1, 0}, {p({2, 3})}),
            sample(Attrs{2, true, 1, 0}, {p({0, 3})}),
            bad(Attrs{5, false, 1, 0}, {p({4})}, "5 samples from 4 without replacement"),
            bad(Attrs{2, true, 1, 0}, {constant({4}, -2, -1)}, "expected a finite number from 0 on"),
            bad(Attrs{1, true, 1, 0}, {constant({4}, 0, 0)},
                "row 0 has 0 positive weights, expected at least 1")};
  }
};

struct Randperm {
  static constexpr OpName name = "randperm";
  static constexpr const char* doc =
      "y = 0 .. n - 1 in the order of the first 64 bits of Philox i of (seed, stream)";
  struct Attrs {
    int64_t n, seed, stream;
  };
  static constexpr auto fields =
      std::tuple{field("n", &Attrs::n), field("seed", &Attrs::seed), field("stream", &Attrs::stream)};
  static constexpr DTypes dtypes{1u << DType::kI64};
  static constexpr const char* no_gradient = "it has no inputs";
  static Specs infer(const Attrs& a) {
    SR_CHECK_AS(kShape, a.n >= 0, "n is {}, expected at least 0", a.n);
    return {{kI64, {a.n}, {}}};
  }
  static void reference(const Attrs& a, std::span<const HostArray>, std::span<HostArray> out) {
    std::vector<std::pair<uint64_t, int64_t>> order;
    for (int64_t i = 0; i < a.n; ++i) {
      const auto w =
          philox(static_cast<uint64_t>(a.seed), static_cast<uint64_t>(a.stream), static_cast<uint64_t>(i));
      order.emplace_back(uint64_t{w[0]} << 32 | w[1], i);
    }
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < a.n; ++i) out[0][i] = static_cast<Wide>(order[static_cast<size_t>(i)].second);
  }
  static Samples samples() {
    return {sample(Attrs{10, 1, 0}, {}), sample(Attrs{1, 2, 0}, {}), sample(Attrs{5000, -3, -1}, {}),
            sample(Attrs{0, 1, 0}, {}), bad(Attrs{-1, 1, 0}, {}, "n is -1, expected at least 0")};
  }
};

}  // namespace

Tensor bernoulli(const Tensor& p, uint64_t seed, uint64_t stream) {
  return dispatch<Bernoulli>({static_cast<int64_t>(seed), static_cast<int64_t>(stream)}, p);
}
Tensor multinomial(const Tensor& p, int64_t samples, bool replacement, uint64_t seed, uint64_t stream) {
  return dispatch<Multinomial>(
      {samples, replacement, static_cast<int64_t>(seed), static_cast<int64_t>(stream)}, p);
}
Tensor randperm(int64_t n, uint64_t seed, uint64_t stream, const Device& device) {
  const Randperm::Attrs a{n, static_cast<int64_t>(seed), static_cast<int64_t>(stream)};
  return run_op(op_info<Randperm>(), &a, {}, device)[0];
}

OpList ops_sampling() { return {&op_info<Bernoulli>(), &op_info<Multinomial>(), &op_info<Randperm>()}; }

}  // namespace suiren
