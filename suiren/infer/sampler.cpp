#include "suiren/infer/sampler.h"

#include <algorithm>
#include <cmath>

#include "suiren/base/error.h"
#include "suiren/base/philox.h"

namespace suiren::infer {
namespace {

constexpr uint64_t kSamplingStream = 0x73616d706c65;  // apart from the streams of other users of a seed

struct Candidate {
  int64_t id;
  double logit;
  double weight = 0;    // unnormalized probability; the largest is 1
  double distance = 0;  // from what is typical
};
using Candidates = std::vector<Candidate>;

// Larger logits first, of equals the smaller id: a total order, so that every filter has one result.
bool better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}
bool more_typical(const Candidate& a, const Candidate& b) {
  return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
}

void sort_by_id(Candidates& list) {
  const auto less = [](const Candidate& a, const Candidate& b) { return a.id < b.id; };
  if (!std::is_sorted(list.begin(), list.end(), less)) std::sort(list.begin(), list.end(), less);
}

double total(const Candidates& list) {
  double sum = 0;
  for (const Candidate& c : list) sum += c.weight;
  return sum;
}

bool penalizes(const SamplingOptions& o) {
  return o.repetition_penalty != 1 || o.frequency_penalty != 0 || o.presence_penalty != 0;
}

// f(x, count) for the logit of each id that stands among `ids`.
template <class F>
void for_each_id(std::vector<double>& x, std::span<const int64_t> ids, F f) {
  std::vector<int64_t> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 0, next; i < sorted.size(); i = next) {
    SR_CHECK(sorted[i] >= 0 && sorted[i] < static_cast<int64_t>(x.size()),
             "the history holds token {}, but there are {} logits", sorted[i], x.size());
    for (next = i + 1; next < sorted.size() && sorted[next] == sorted[i]; ++next)
      ;
    f(x[static_cast<size_t>(sorted[i])], static_cast<double>(next - i));
  }
}

// Steps 1 to 3.
std::vector<double> adjusted(std::span<const float> logits, const SamplingOptions& o, const History& h) {
  std::vector<double> x(logits.begin(), logits.end());
  for (const auto& [id, bias] : o.logit_bias) {
    SR_CHECK(id >= 0 && id < static_cast<int64_t>(x.size()),
             "logit_bias names token {}, but there are {} logits", id, x.size());
    double& v = x[static_cast<size_t>(id)];
    v = std::isinf(bias) ? bias : v + bias;
  }
  if (!penalizes(o)) return x;
  size_t first = 0;
  if (o.penalty_window > 0)
    first = h.ids.size() - std::min(h.ids.size(), static_cast<size_t>(o.penalty_window));
  if (o.repetition_penalty != 1)
    for_each_id(x, h.ids.subspan(first),
                [&](double& v, double) { v = v > 0 ? v / o.repetition_penalty : v * o.repetition_penalty; });
  for_each_id(x, h.ids.subspan(std::max(first, std::min(h.prompt, h.ids.size()))),
              [&](double& v, double count) { v -= o.frequency_penalty * count + o.presence_penalty; });
  return x;
}

template <class T>
int64_t largest(std::span<const T> x, int64_t position) {
  const auto best = std::max_element(x.begin(), x.end());  // the first of equals
  SR_CHECK_AS(kNumeric, std::isfinite(*best), "the largest logit at position {} is {}", position, *best);
  return best - x.begin();
}

// The k best of all, in any order; all of them for k = 0.
Candidates top_k(std::span<const double> x, int64_t k) {
  const size_t count = k > 0 ? std::min(static_cast<size_t>(k), x.size()) : x.size();
  Candidates list;
  list.reserve(count);
  for (size_t i = 0; i < count; ++i) list.push_back({static_cast<int64_t>(i), x[i]});
  if (count == x.size()) return list;
  std::make_heap(list.begin(), list.end(), better);  // the worst in front
  for (size_t i = count; i < x.size(); ++i) {
    if (!(x[i] > list.front().logit)) continue;  // of equals the smaller id stays
    std::pop_heap(list.begin(), list.end(), better);
    list.back() = {static_cast<int64_t>(i), x[i]};
    std::push_heap(list.begin(), list.end(), better);
  }
  return list;
}

// In the total order `before`, the fewest whose weights reach `share` of the sum; at least one.
template <class Before>
void keep_share(Candidates& list, double share, Before before) {
  const double enough = share * total(list);
  double sum = 0;
  size_t kept = 0;
  // Few are kept as a rule, so the order is made of a few at a time.
  for (size_t sorted = 0, chunk = 64; sorted < list.size() && sum < enough; chunk *= 4) {
    const auto begin = list.begin() + static_cast<std::ptrdiff_t>(sorted);
    sorted = std::min(list.size(), sorted + chunk);
    std::partial_sort(begin, list.begin() + static_cast<std::ptrdiff_t>(sorted), list.end(), before);
    while (kept < sorted && sum < enough) sum += list[kept++].weight;
  }
  list.resize(std::max<size_t>(kept, 1));
}

void keep_typical(Candidates& list, double share) {
  const double sum = total(list), log_sum = std::log(sum);
  double entropy = 0;
  for (const Candidate& c : list)
    if (c.weight > 0) entropy += c.weight / sum * (log_sum - std::log(c.weight));
  for (Candidate& c : list) c.distance = std::abs(log_sum - std::log(c.weight) - entropy);  // or infinite
  keep_share(list, share, more_typical);
}

// Steps 4 to 8 for a temperature above 0; `best` is the largest of x.
std::vector<Probability> filtered(std::span<const double> x, double best, const SamplingOptions& o) {
  Candidates list = top_k(x, o.top_k);
  sort_by_id(list);
  for (Candidate& c : list) c.weight = std::exp((c.logit - best) / o.temperature);
  if (o.top_p < 1) keep_share(list, o.top_p, better);
  if (o.min_p > 0) std::erase_if(list, [&](const Candidate& c) { return c.weight < o.min_p; });
  if (o.typical_p < 1) keep_typical(list, o.typical_p);
  sort_by_id(list);
  const double sum = total(list);
  std::vector<Probability> result;
  result.reserve(list.size());
  for (const Candidate& c : list)
    if (c.weight > 0) result.push_back({c.id, c.weight / sum});
  return result;
}

}  // namespace

void SamplingOptions::validate() const {
  SR_CHECK(temperature >= 0 && std::isfinite(temperature), "temperature is {}, expected at least 0",
           temperature);
  SR_CHECK(top_k >= 0, "top_k is {}, expected at least 0 (0 keeps all)", top_k);
  SR_CHECK(top_p > 0 && top_p <= 1, "top_p is {}, expected above 0 and at most 1", top_p);
  SR_CHECK(min_p >= 0 && min_p <= 1, "min_p is {}, expected from 0 to 1", min_p);
  SR_CHECK(typical_p > 0 && typical_p <= 1, "typical_p is {}, expected above 0 and at most 1", typical_p);
  SR_CHECK(repetition_penalty > 0 && std::isfinite(repetition_penalty),
           "repetition_penalty is {}, expected above 0 (1 changes nothing)", repetition_penalty);
  SR_CHECK(std::isfinite(frequency_penalty), "frequency_penalty is {}, expected a finite number",
           frequency_penalty);
  SR_CHECK(std::isfinite(presence_penalty), "presence_penalty is {}, expected a finite number",
           presence_penalty);
  SR_CHECK(penalty_window >= 0, "penalty_window is {}, expected at least 0 (0: the whole history)",
           penalty_window);
  for (const auto& [id, bias] : logit_bias)
    SR_CHECK(bias < HUGE_VAL, "the logit bias of token {} is {}, expected a number or -infinity", id, bias);
}

std::vector<Probability> distribution(std::span<const float> logits, const SamplingOptions& o,
                                      int64_t position, const History& history) {
  SR_CHECK_AS(kShape, !logits.empty(), "there are no logits to sample from");
  for (size_t i = 0; i < logits.size(); ++i)
    SR_CHECK_AS(kNumeric, !std::isnan(logits[i]), "the logit of token {} at position {} is NaN", i, position);
  if (o.temperature == 0 && o.logit_bias.empty() && !penalizes(o)) return {{largest(logits, position), 1}};
  const std::vector<double> x = adjusted(logits, o, history);
  const int64_t best = largest<double>(x, position);
  if (o.temperature == 0) return {{best, 1}};
  return filtered(x, x[static_cast<size_t>(best)], o);
}

int64_t sample(std::span<const float> logits, const SamplingOptions& options, int64_t position,
               const History& history) {
  const std::vector<Probability> list = distribution(logits, options, position, history);
  const double target = philox_uniform(options.seed, kSamplingStream, static_cast<uint64_t>(position));
  double sum = 0;
  for (const Probability& p : list)
    if ((sum += p.value) > target) return p.id;
  return list.back().id;  // the sum fell short of the target by rounding
}

}  // namespace suiren::infer
