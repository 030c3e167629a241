#include "suiren/infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "suiren/base/error.h"
#include "suiren/base/philox.h"

namespace suiren::infer {
namespace {

constexpr uint64_t kSamplingStream = 0x73616d706c65;  // apart from the streams of other users of a seed

// Larger logits first, of equals the smaller id: a total order, so that every filter has one result.
void sort_best_first(std::span<const float> logits, std::vector<int64_t>& ids, size_t count) {
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    [&](int64_t a, int64_t b) {
                      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
}

// Unnormalized probabilities; the largest is 1.
std::vector<double> weights_of(std::span<const float> logits, const std::vector<int64_t>& ids, double largest,
                               double temperature) {
  std::vector<double> w;
  w.reserve(ids.size());
  for (const int64_t id : ids)
    w.push_back(std::exp((static_cast<double>(logits[static_cast<size_t>(id)]) - largest) / temperature));
  return w;
}

}  // namespace

void SamplingOptions::validate() const {
  SR_CHECK(temperature >= 0 && std::isfinite(temperature), "temperature is {}, expected at least 0",
           temperature);
  SR_CHECK(top_k >= 0, "top_k is {}, expected at least 0 (0 keeps all)", top_k);
  SR_CHECK(top_p > 0 && top_p <= 1, "top_p is {}, expected above 0 and at most 1", top_p);
}

int64_t sample(std::span<const float> logits, const SamplingOptions& o, int64_t position) {
  SR_CHECK_AS(kShape, !logits.empty(), "there are no logits to sample from");
  for (size_t i = 0; i < logits.size(); ++i)
    SR_CHECK_AS(kNumeric, !std::isnan(logits[i]), "the logit of token {} at position {} is NaN", i, position);
  const auto best = std::max_element(logits.begin(), logits.end());  // the first of equals
  SR_CHECK_AS(kNumeric, std::isfinite(*best), "the largest logit at position {} is {}", position, *best);
  if (o.temperature == 0) return best - logits.begin();

  std::vector<int64_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  if (o.top_k > 0 && o.top_k < static_cast<int64_t>(ids.size())) {
    sort_best_first(logits, ids, static_cast<size_t>(o.top_k));
    ids.resize(static_cast<size_t>(o.top_k));
  }
  if (o.top_p < 1) {
    sort_best_first(logits, ids, ids.size());
    const std::vector<double> w = weights_of(logits, ids, *best, o.temperature);
    const double enough = o.top_p * std::accumulate(w.begin(), w.end(), 0.0);
    double sum = 0;
    size_t kept = 0;
    while (kept < ids.size() && sum < enough) sum += w[kept++];
    ids.resize(std::max<size_t>(kept, 1));
  }
  std::sort(ids.begin(), ids.end());
  const std::vector<double> w = weights_of(logits, ids, *best, o.temperature);
  const double target = philox_uniform(o.seed, kSamplingStream, static_cast<uint64_t>(position)) *
                        std::accumulate(w.begin(), w.end(), 0.0);
  double sum = 0;
  int64_t last = ids[0];
  for (size_t i = 0; i < ids.size(); ++i) {
    if (w[i] == 0) continue;
    last = ids[i];
    sum += w[i];
    if (target < sum) return last;
  }
  return last;  // the sum fell short of the target by rounding
}

}  // namespace suiren::infer
