#include "backends/cpu/walk.h"

#include <algorithm>

namespace suiren::cpu {

Walk::Walk(std::initializer_list<Operand> operands, std::initializer_list<int64_t> item)
    : operands_(static_cast<int>(operands.size())) {
  const Operand& first = *operands.begin();
  int o = 0;
  for (const Operand& x : operands) {
    base_[o] = x.data<char>();
    item_[o] = item.begin()[o];
    ++o;
  }
  // Dimension d joins the one before it when every operand steps from one to the other without a gap.
  int used = 0;
  for (int d = 0; d < first.rank(); ++d) {
    const int64_t extent = first.dim(d);
    numel_ *= extent;
    if (extent == 1) continue;
    int64_t step[kMaxOperands];
    o = 0;
    for (const Operand& x : operands) {
      const int at = d - (first.rank() - x.rank());
      step[o] = at < 0 || x.dim(at) == 1 ? 0 : x.stride(at) * item_[o];
      ++o;
    }
    bool joins = used > 0;
    for (int i = 0; joins && i < operands_; ++i) joins = strides_[i][used - 1] == step[i] * extent;
    if (!joins)
      dims_[used++] = extent;
    else
      dims_[used - 1] *= extent;
    for (int i = 0; i < operands_; ++i) strides_[i][used - 1] = step[i];
  }
  if (used == 0) {
    dims_[used++] = 1;
    for (int i = 0; i < operands_; ++i) strides_[i][0] = item_[i];
  }
  rank_ = used;
}

void Walk::range(int64_t begin, int64_t end, Row row) const {
  if (begin >= end) return;
  const int last = rank_ - 1;
  int64_t index[kMaxRank], rest = begin, inner[kMaxOperands];
  char* p[kMaxOperands];
  for (int o = 0; o < operands_; ++o) p[o] = base_[o], inner[o] = strides_[o][last];
  for (int d = last; d >= 0; --d) {
    index[d] = rest % dims_[d];
    rest /= dims_[d];
    for (int o = 0; o < operands_; ++o) p[o] += index[d] * strides_[o][d];
  }
  while (true) {
    const int64_t n = std::min(dims_[last] - index[last], end - begin);
    row(n, p, inner);
    if ((begin += n) >= end) return;
    for (int o = 0; o < operands_; ++o) p[o] -= index[last] * strides_[o][last];
    index[last] = 0;
    for (int d = last - 1; d >= 0; --d) {
      for (int o = 0; o < operands_; ++o) p[o] += strides_[o][d];
      if (++index[d] < dims_[d]) break;
      for (int o = 0; o < operands_; ++o) p[o] -= dims_[d] * strides_[o][d];
      index[d] = 0;
    }
  }
}

}  // namespace suiren::cpu
