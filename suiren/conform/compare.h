#pragma once
// Two devices, op by op: the first op whose results differ, with what is needed to run it again.
// For one thread at a time.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "suiren/core/tensor.h"

namespace suiren::conform {

/// One op on which two devices disagree.
struct OpDifference {
  int64_t call = 0;  ///< its number in the order of the run, from 1
  std::string op, attributes, inputs;
  std::string result;                                ///< which one: "output 0", or "input 1 after the call"
  int64_t element = 0, elements = 0, different = 0;  ///< the worst one, of how many, and how many are outside
  double expected = 0, got = 0, allowed = 0;         ///< |got - expected| may be `allowed` there
};

struct Comparison {
  int64_t calls = 0;   ///< ops compared
  double closest = 0;  ///< the largest error among those that agree, as a share of what is allowed
  std::string closest_op;
  std::optional<OpDifference> difference;  ///< the first
};

/// Runs `forward`, and each op that it launches once more on `other`, with the very inputs (values, strides)
/// of the first run: so no difference is carried on, and the op that is named is the one at fault. A fused op
/// that the first device takes apart is compared part by part. Stops comparing at the first difference and
/// writes that call into the folder `save_to`: call.json and tensors.safetensors.
///
/// Allowed: the op suite's relative tolerance of the dtype, and its absolute one times the square root of the
/// terms that may be summed and the size of the values. Integers are exact.
Comparison compare_devices(const std::function<void()>& forward, const Device& other,
                           const std::string& save_to);

/// Runs a saved call on `device` and compares it with the saved results.
Comparison replay_call(const std::string& folder, const Device& device);

}  // namespace suiren::conform
