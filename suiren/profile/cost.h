#pragma once
// What one call of an op takes at least, from its shapes: operations and bytes. Pure.

#include <array>
#include <span>

#include "suiren/core/op.h"

namespace suiren::profile {

struct Cost {
  double flops = 0;    ///< additions and multiplications; a function such as exp counts as one
  double read = 0;     ///< bytes that must come from memory once, even if everything else stays in caches
  double written = 0;  ///< bytes that must go there
  DType dtype = kF32;  ///< of the arithmetic: whose peak bounds the flops
  double bytes() const { return read + written; }
};

/// The cost of a call that gave `outputs`. An op without a rule of its own counts one operation for each
/// element of its largest operand; its bytes are its inputs read, its outputs written, and what it writes in
/// place both. An input's elements that a broadcast repeats count once.
Cost op_cost(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
             std::span<const Tensor> outputs);

/// What a machine does at best; 0 where that is not known.
struct Roofs {
  std::array<double, DType::kCount> flops{};  ///< operations a second, by DType id
  double read = 0;                            ///< bytes a second, reading
  double update = 0;                          ///< bytes a second, reading and writing
};
/// The later of flops over the peak and bytes over the bandwidth (Williams, Waterman & Patterson 2009);
/// 0 where the roof is not known. What mostly reads is held against `read`, the rest against `update`.
double roof_seconds(const Cost& cost, const Roofs& roofs);
/// Whether it is the flops that take longer.
bool bound_by_flops(const Cost& cost, const Roofs& roofs);

}  // namespace suiren::profile
