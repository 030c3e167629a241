#pragma once
// Held-out loss. One caller at a time for each model.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "suiren/data/tokens.h"
#include "suiren/models/transformer.h"

namespace suiren::train {

struct Evaluation {
  double nats = 0;                                                    ///< summed over targets
  int64_t tokens = 0;                                                 ///< targets
  double loss() const { return nats / static_cast<double>(tokens); }  ///< nats per token
  double bits_per_byte(int64_t bytes) const { return nats / 0.6931471805599453 / static_cast<double>(bytes); }
};

/// Called with targets done and in all.
using EvalProgress = std::function<void(int64_t done, int64_t total)>;

/// Windows of length + 1 tokens at stride `length`, the last `length` of each scored; a remainder is dropped;
/// at most `limit` windows (0: all). Throws Error{kInvalid} stating both numbers when there is not one
/// window.
Evaluation evaluate_windows(const models::Transformer& model, const data::Tokens& tokens, int64_t length,
                            int64_t limit = 0, const EvalProgress& progress = {});

/// A stream in the same windows, the last one short: every token but the first is a target once.
Evaluation evaluate_stream(const models::Transformer& model, std::span<const int32_t> stream, int64_t length,
                           int64_t limit = 0, const EvalProgress& progress = {});

}  // namespace suiren::train
