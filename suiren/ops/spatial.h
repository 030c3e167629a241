#pragma once
// What the rooms over images share: the spatial dimensions L... of x [N, C, L...], and lists of one number
// for each of them. Pure functions.

#include "suiren/ops/common.h"

namespace suiren {

inline Shape spatial(const Shape& s) {
  return Shape(std::span<const int64_t>(s.data() + 2, static_cast<size_t>(s.rank() - 2)));
}
/// [n, c, extents...]
inline Shape with_spatial(int64_t n, int64_t c, const Dims& extents) {
  Shape s{n, c};
  for (int64_t d : extents) s.push_back(d);
  return s;
}
/// A single number stands for every spatial dimension.
inline Dims for_each_spatial(const Dims& list, int dims) {
  if (list.size() != 1) return list;
  Dims all;
  for (int d = 0; d < dims; ++d) all.push_back(list[0]);
  return all;
}
/// One number for each spatial dimension, none below `least`. At most 2^30, so that sizes stay far from
/// overflow.
inline void check_spatial(const char* name, const Dims& list, int dims, int64_t least) {
  constexpr int64_t kMost = 1 << 30;
  SR_CHECK_AS(kShape, list.size() == dims, "{} has {} numbers, expected {}: one for each spatial dimension",
              name, list.size(), dims);
  for (int64_t v : list)
    SR_CHECK(v >= least && v <= kMost, "{} is {}, expected at least {} (and no more than 2^30)", name, list,
             least);
}

}  // namespace suiren
