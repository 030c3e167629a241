#pragma once
// The order in which training reads tokens: computed from an index, never stored, so resuming is that index.
// Read-only once made; share between threads.

#include <cstdint>
#include <memory>
#include <vector>

#include "suiren/data/tokens.h"

namespace suiren::data {

enum class Order { kSequential, kShuffled };
/// "sequential" or "shuffled"; Error{kInvalid} otherwise.
Order parse_order(const std::string& name);

struct LoaderConfig {
  int64_t sequence_length = 0;  ///< T, inputs in a sequence
  Order order = Order::kShuffled;
  uint64_t seed = 0;
  int64_t vocab_size = 0;          ///< the model's; ids from here on are refused. 0: no check
  int64_t sequences_per_step = 1;  ///< sequences that a step reads: the data must hold at least so many
};

/// Cuts a token sequence of N ids into windows of T+1 (T inputs, T targets) at stride T.
///
/// Sequential: sequence i is tokens [w*T, w*T+T], w = i mod W, W = floor((N-1)/T): past the end it starts
/// again. Shuffled: epoch e = floor(i / W) reads each of its W windows once, in an order keyed by (seed, e),
/// from a grid that is shifted by a number in [0, T) keyed by them too; then W = max(1, floor((N-T)/T)).
class Loader {
 public:
  /// Throws Error{kInvalid}: sequence length < 1, fewer than a step's tokens (with both numbers), an id that
  /// is too large (with file and position).
  Loader(std::shared_ptr<const Tokens> tokens, const LoaderConfig& config);

  int64_t windows_per_epoch() const { return windows_; }
  /// Position in the tokens of the first id of sequence i >= 0. O(1).
  int64_t start(int64_t i) const;
  /// The T+1 ids of sequence i: inputs are the first T, targets the last T.
  std::vector<int32_t> sequence(int64_t i) const;
  /// Fills rows of `inputs` and `targets` [count, T] with sequences first, first+1, ...; T is the id type
  /// that the tensors hold (int32_t or int64_t).
  template <class Id>
  void batch(int64_t first, int64_t count, Id* inputs, Id* targets) const;
  const LoaderConfig& config() const { return config_; }
  const Tokens& tokens() const { return *tokens_; }

 private:
  std::shared_ptr<const Tokens> tokens_;
  LoaderConfig config_;
  int64_t windows_ = 0, shifts_ = 1;
};

/// A bijection of [0, n) keyed by (seed, stream): a Feistel network with Philox rounds over the next even
/// power of two, walked along its cycles until it lands below n (Black & Rogaway 2002). O(1) expected.
int64_t permute(int64_t i, int64_t n, uint64_t seed, uint64_t stream);

}  // namespace suiren::data
