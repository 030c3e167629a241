#include "suiren/data/loader.h"

#include <algorithm>
#include <bit>

#include "suiren/base/error.h"
#include "suiren/base/philox.h"

namespace suiren::data {
namespace {

constexpr int kRounds = 6;
constexpr uint64_t kLoaderKey =
    0x6c6f61646572;  // "loader": keeps these numbers apart from the weights' of equal seed

}  // namespace

Order parse_order(const std::string& name) {
  if (name == "sequential") return Order::kSequential;
  SR_CHECK(name == "shuffled", "order is '{}', expected sequential or shuffled", name);
  return Order::kShuffled;
}

int64_t permute(int64_t i, int64_t n, uint64_t seed, uint64_t stream) {
  const int half = std::max(
      1, (static_cast<int>(std::bit_width(static_cast<uint64_t>(n - 1))) + 1) / 2);  // 2^(2 half) >= n
  const uint64_t mask = (uint64_t{1} << half) - 1;
  auto x = static_cast<uint64_t>(i);
  do {
    uint64_t left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      const auto words = philox(seed ^ kLoaderKey, stream * (kRounds + 1) + round, right);
      const uint64_t next = left ^ (((uint64_t{words[1]} << 32) | words[0]) & mask);
      left = right;
      right = next;
    }
    x = left << half | right;
  } while (x >= static_cast<uint64_t>(n));
  return static_cast<int64_t>(x);
}

Loader::Loader(std::shared_ptr<const Tokens> tokens, const LoaderConfig& config)
    : tokens_(std::move(tokens)), config_(config) {
  const int64_t n = tokens_->size(), t = config_.sequence_length, step = config_.sequences_per_step;
  SR_CHECK(t >= 1, "sequence_length is {}, expected at least 1", t);
  SR_CHECK(step >= 1, "a step reads {} sequences, expected at least 1", step);
  SR_CHECK(
      (n - 1) / t >= step,
      "{} holds {} tokens, but one step of {} sequences of {} takes {}; give more data, a smaller batch or a "
      "shorter sequence_length",
      tokens_->name(), n, step, t, step * t + 1);
  if (config_.vocab_size > 0) tokens_->check_ids(config_.vocab_size);
  if (config_.order == Order::kSequential) {
    windows_ = (n - 1) / t;
  } else {
    windows_ = std::max<int64_t>(1, (n - t) / t);
    shifts_ = std::min(t, n - windows_ * t);
  }
}

int64_t Loader::start(int64_t i) const {
  const int64_t t = config_.sequence_length, epoch = i / windows_, within = i % windows_;
  if (config_.order == Order::kSequential) return within * t;
  const auto stream = static_cast<uint64_t>(epoch);
  const auto words = philox(config_.seed ^ kLoaderKey, stream * (kRounds + 1) + kRounds, 0);
  const uint64_t shift = ((uint64_t{words[1]} << 32) | words[0]) % static_cast<uint64_t>(shifts_);
  return permute(within, windows_, config_.seed, stream) * t + static_cast<int64_t>(shift);
}

std::vector<int32_t> Loader::sequence(int64_t i) const {
  std::vector<int32_t> ids(static_cast<size_t>(config_.sequence_length) + 1);
  tokens_->read(start(i), std::span(ids));
  return ids;
}

template <class Id>
void Loader::batch(int64_t first, int64_t count, Id* inputs, Id* targets) const {
  const auto t = static_cast<size_t>(config_.sequence_length);
  for (int64_t row = 0; row < count; ++row, inputs += t, targets += t) {
    const int64_t begin = start(first + row);
    tokens_->read(begin, std::span(inputs, t));
    tokens_->read(begin + 1, std::span(targets, t));
  }
}
template void Loader::batch(int64_t, int64_t, int32_t*, int32_t*) const;
template void Loader::batch(int64_t, int64_t, int64_t*, int64_t*) const;

}  // namespace suiren::data
