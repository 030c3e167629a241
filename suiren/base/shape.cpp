#include "suiren/base/shape.h"

#include <algorithm>

namespace suiren {

Strides contiguous_strides(const Shape& shape) {
  Strides s;
  for (int i = 0; i < shape.rank(); ++i) s.push_back(0);
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    s[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return s;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  if (shape.numel() == 0) return true;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 1) continue;
    if (strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

Shape broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  Shape out;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const int64_t da = ia < 0 ? 1 : a[ia], db = ib < 0 ? 1 : b[ib];
    SR_CHECK_AS(kShape, da == db || da == 1 || db == 1,
                "shapes {} and {} do not broadcast: {} against {} in dimension {}", a, b, da, db, i);
    out.push_back(da == 1 ? db : da);
  }
  return out;
}

int normalize_axis(int64_t axis, int rank) {
  SR_CHECK_AS(kShape, axis >= -rank && axis < rank, "dimension {} is out of range for rank {}", axis, rank);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace suiren
