// Random tensors: element i is a pure function of (seed, stream, i), so threads cannot change it.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/order.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/error.h"
#include "suiren/base/philox.h"

namespace suiren::cpu {
namespace {

// Attributes: shape, a, b, seed, stream, dtype; y = offset + factor * f(i).
void fill(const Call& c, double offset, double factor, double (*f)(uint64_t, uint64_t, uint64_t)) {
  const auto seed = static_cast<uint64_t>(c.attr_i64(3)), stream = static_cast<uint64_t>(c.attr_i64(4));
  const Operand y = c.out(0);
  visit_dtype(dtype_of_operand(y.dtype()), [&]<class T>() {
    T* to = y.data<T>();
    parallel_for(y.numel(), kGrainSlow, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(offset + factor * f(seed, stream, static_cast<uint64_t>(i)));
    });
  });
}

void uniform(const Call& c, void*) {
  fill(c, c.attr_f64(1), c.attr_f64(2) - c.attr_f64(1),
       [](uint64_t s, uint64_t t, uint64_t i) { return philox_uniform(s, t, i); });
}
void normal(const Call& c, void*) { fill(c, c.attr_f64(1), c.attr_f64(2), philox_normal); }

// Attributes: shape, low, high, seed, stream, dtype.
void randint(const Call& c, void*) {
  const auto low = c.attr_i64(1);
  const auto range = static_cast<double>(c.attr_i64(2) - low);
  const auto seed = static_cast<uint64_t>(c.attr_i64(3)), stream = static_cast<uint64_t>(c.attr_i64(4));
  const Operand y = c.out(0);
  visit_dtype(dtype_of_operand(y.dtype()), [&]<class T>() {
    T* to = y.data<T>();
    parallel_for(y.numel(), kGrainSlow, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(
            low + static_cast<int64_t>(philox_uniform(seed, stream, static_cast<uint64_t>(i)) * range));
    });
  });
}

// Attributes: shape, rate, seed, stream, dtype.
void exponential(const Call& c, void*) {
  const double rate = c.attr_f64(1);
  const auto seed = static_cast<uint64_t>(c.attr_i64(2)), stream = static_cast<uint64_t>(c.attr_i64(3));
  const Operand y = c.out(0);
  visit_dtype(dtype_of_operand(y.dtype()), [&]<class T>() {
    T* to = y.data<T>();
    parallel_for(y.numel(), kGrainSlow, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(-std::log1p(-philox_uniform(seed, stream, static_cast<uint64_t>(i))) / rate);
    });
  });
}

// Input p; attributes: seed, stream.
void bernoulli(const Call& c, void*) {
  const auto seed = static_cast<uint64_t>(c.attr_i64(0)), stream = static_cast<uint64_t>(c.attr_i64(1));
  const Operand p = c.in(0);
  visit_dtype(dtype_of_operand(p.dtype()), [&]<class T>() {
    const T* from = p.data<T>();
    T* to = c.out(0).data<T>();
    parallel_for(p.numel(), kGrainSlow, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(
            philox_uniform(seed, stream, static_cast<uint64_t>(i)) < convert<double>(from[i]) ? 1.0 : 0.0);
    });
  });
}

// Attributes: n, seed, stream.
void randperm(const Call& c, void*) {
  const int64_t n = c.attr_i64(0);
  const auto seed = static_cast<uint64_t>(c.attr_i64(1)), stream = static_cast<uint64_t>(c.attr_i64(2));
  int64_t* y = c.out(0).data<int64_t>();
  std::vector<Entry<uint64_t>> one(static_cast<size_t>(n)), two(one.size());
  parallel_for(n, kGrainSlow, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto place = static_cast<uint64_t>(i);
      const auto w = philox(seed, stream, place);
      one[place] = {uint64_t{w[0]} << 32 | w[1], place};
    }
  });
  const Entry<uint64_t>* sorted = sort_entries(one.data(), two.data(), n);
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<int64_t>(sorted[i].place);
}

// What a row of weights has to be; returns their sum, in order.
template <class T>
double checked_sum(const T* p, int64_t C, int64_t row, int64_t least) {
  double total = 0;
  int64_t positive = 0;
  for (int64_t c = 0; c < C; ++c) {
    const auto weight = convert<double>(p[c]);
    SR_CHECK(weight >= 0 && std::isfinite(weight),
             "row {} has the weight {}, expected a finite number from 0 on", row, weight);
    total += weight;
    positive += weight > 0;
  }
  SR_CHECK(positive >= least, "row {} has {} positive weights, expected at least {}", row, positive, least);
  return total;
}

// Input p [..., C]; attributes: samples, replacement, seed, stream.
void multinomial(const Call& c, void*) {
  const Operand p = c.in(0), y = c.out(0);
  const int64_t C = p.dim(-1), samples = c.attr_i64(0);
  if (y.numel() == 0) return;
  const bool replacement = c.attr_i64(1) != 0;
  const auto u = [seed = static_cast<uint64_t>(c.attr_i64(2)), stream = static_cast<uint64_t>(c.attr_i64(3))](
                     int64_t i) { return philox_uniform(seed, stream, static_cast<uint64_t>(i)); };
  visit_dtype(dtype_of_operand(p.dtype()), [&]<class T>() {
    const int64_t grain = std::max<int64_t>(1, kGrainSlow / (replacement ? samples + C / 8 : C));
    parallel_for(y.numel() / samples, grain, [&](int64_t begin, int64_t end) {
      std::vector<double> sums(replacement ? static_cast<size_t>(C) : 0);
      std::vector<std::pair<double, int64_t>> when(replacement ? 0 : static_cast<size_t>(C));
      for (int64_t r = begin; r < end; ++r) {
        const T* row = p.data<T>() + r * C;
        int64_t* to = y.data<int64_t>() + r * samples;
        const double total = checked_sum(row, C, r, replacement ? 1 : samples);
        double sum = 0;
        for (int64_t k = 0; k < C; ++k) {
          const auto weight = convert<double>(row[k]), never = std::numeric_limits<double>::infinity();
          if (replacement)
            sums[static_cast<size_t>(k)] = sum += weight;
          else
            when[static_cast<size_t>(k)] = {weight > 0 ? -std::log1p(-u(r * C + k)) / weight : never, k};
        }
        if (!replacement) std::partial_sort(when.begin(), when.begin() + samples, when.end());
        for (int64_t j = 0; j < samples; ++j)
          to[j] = replacement
                      ? std::upper_bound(sums.begin(), sums.end(), u(r * samples + j) * total) - sums.begin()
                      : when[static_cast<size_t>(j)].second;
      }
    });
  });
}

constexpr Kernel kKernels[] = {
    {"randint", "philox", 10, nullptr, nullptr, randint},
    {"exponential", "philox", 10, nullptr, nullptr, exponential},
    {"bernoulli", "philox", 10, row_major_inputs, nullptr, bernoulli},
    {"randperm", "digits", 10, nullptr, nullptr, randperm},
    {"multinomial", "rows", 10, row_major_inputs, nullptr, multinomial},
    {"uniform", "philox", 10, nullptr, nullptr, uniform},
    {"normal", "philox", 10, nullptr, nullptr, normal},
};

}  // namespace

KernelList kernels_random() { return kKernels; }

}  // namespace suiren::cpu
