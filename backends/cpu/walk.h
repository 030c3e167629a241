#pragma once
// Walks several strided operands of one shape together, in row-major order, as few and as long rows as the
// strides allow. For elementwise kernels: an element's value must not depend on the row that it came in.

#include <initializer_list>

#include "backends/cpu/kernel_list.h"
#include "suiren/base/shape.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {

class Walk {
 public:
  static constexpr int kMaxOperands = 8;

  /// The first operand gives the shape; the others are broadcast to it (right-aligned, extents of 1 repeat).
  /// `item` are the bytes of an element, in the same order.
  Walk(std::initializer_list<Operand> operands, std::initializer_list<int64_t> item);

  int64_t numel() const { return numel_; }
  int rank() const { return rank_; }
  int64_t dim(int i) const { return dims_[i]; }
  /// In bytes, between neighbours along (merged) dimension i.
  int64_t stride(int operand, int i) const { return strides_[operand][i]; }
  char* base(int operand) const { return base_[operand]; }
  /// True when operand i has no gaps at all.
  bool dense(int operand) const {
    return numel_ <= 1 || (rank_ == 1 && strides_[operand][0] == item_[operand]);
  }

  /// row(n, pointers, byte strides) for every row; threads share the work in pieces of at least `grain`
  /// elements, which may cut rows.
  using Row = FunctionRef<void(int64_t n, char* const* p, const int64_t* s)>;
  void run(int64_t grain, Row row) const {
    parallel_for(numel_, grain, [&](int64_t begin, int64_t end) { range(begin, end, row); });
  }
  /// The elements begin .. end - 1, in row-major order.
  void range(int64_t begin, int64_t end, Row row) const;

 private:
  int operands_ = 0, rank_ = 1;
  int64_t numel_ = 1;
  int64_t dims_[kMaxRank];
  int64_t strides_[kMaxOperands][kMaxRank];
  int64_t item_[kMaxOperands];
  char* base_[kMaxOperands];
};

/// Elements that are worth a second thread (10 us or so), for kernels that cost about a load and a store, an
/// exp, or a library call an element.
inline constexpr int64_t kGrainCheap = 65536, kGrainMath = 16384, kGrainSlow = 1024;

}  // namespace suiren::cpu
