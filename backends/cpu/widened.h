#pragma once
// Calls on bf16 or f16 run by kernels that know f32 alone: operands are widened into scratch, results are
// rounded once on the way back. So a kernel that is written for f32 serves three dtypes.

#include <vector>

#include "backends/cpu/kernel_list.h"

namespace suiren::cpu {

/// The f32 form of a call: its bf16 and f16 operands stand as row-major f32.
class WidenedCall {
 public:
  /// False when no operand is narrow: there is nothing to widen.
  static bool applies(const Call& call);
  /// `narrow` outlives it.
  explicit WidenedCall(const Call& narrow);
  /// Null, or why the call cannot be widened as it stands: an operand is strided.
  Reason declines() const { return declines_; }
  /// The call in f32. Its narrow operands have no data before run().
  Call call() const { return {form_, pointer_of}; }
  /// What `kernel` and the widened operands need.
  uint64_t scratch_bytes(const Kernel& kernel) const;
  void run(const Kernel& kernel, char* scratch);

 private:
  static void* pointer_of(sr_memory memory) { return memory; }
  const Call& narrow_;
  sr_op form_;
  std::vector<sr_tensor> tensors_;
  std::vector<int64_t> strides_;
  uint64_t bytes_ = 0;
  Reason declines_ = nullptr;
};

}  // namespace suiren::cpu
