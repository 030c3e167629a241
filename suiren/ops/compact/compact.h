#pragma once
// Choices whose number depends on the values. Shapes cannot, so each result has room for all (the upper
// bound), and a count [] of i64 says how many are there; behind them stands filling.

#include "suiren/core/tensor.h"

namespace suiren {

/// `count` elements of `values`, then filling.
struct Counted {
  Tensor values, count;
};
/// The elements of x where mask (bool) is true, in row-major order: values [N], filled with 0. x and mask
/// broadcast; N is the number of elements of the broadcast shape.
Counted masked_select(const Tensor& x, const Tensor& mask);
/// The coordinates of the elements that are not 0, in row-major order: values [N, rank] of i64, filled with
/// -1.
Counted nonzero(const Tensor& x);

/// The different elements of x in ascending order; x [...] with N elements.
struct Unique {
  Tensor values;   ///< [N], dtype of x, filled with 0
  Tensor inverse;  ///< x's shape, i64: x = values[inverse]
  Tensor counts;   ///< [N], i64: how often each occurs, filled with 0
  Tensor count;    ///< [], i64: how many values there are
};
/// NaN differs from everything, itself too, and is the largest; -0 equals 0.
Unique unique(const Tensor& x);

}  // namespace suiren
