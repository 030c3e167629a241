#pragma once
// dispatch<Op>(attrs, inputs...): infer, choose a kernel, allocate, launch, record. Thread-safe for distinct
// outputs.

#include <array>

#include "suiren/base/threads.h"
#include "suiren/core/op.h"

namespace suiren {

/// Runs an op by its OpInfo. `device` is used when there are no inputs.
Tensors run_op(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
               const Device& device = {});

/// The first output of an op on tensors.
template <CompleteOp Op, class... T>
Tensor dispatch(const typename Op::Attrs& attrs, const T&... inputs) {
  const std::array<Tensor, sizeof...(T)> in{inputs...};
  return std::move(run_op(op_info<Op>(), &attrs, in)[0]);
}
/// All outputs.
template <CompleteOp Op, class... T>
Tensors dispatch_all(const typename Op::Attrs& attrs, const T&... inputs) {
  const std::array<Tensor, sizeof...(T)> in{inputs...};
  return run_op(op_info<Op>(), &attrs, in);
}

/// Sees every op that is launched (views launch nothing), the parts of composites included. For comparing
/// chips.
class DispatchObserver {
 public:
  virtual ~DispatchObserver() = default;
  /// Called in place of the launch, from the thread that dispatches: calls `run` once and returns its result.
  virtual Tensors around(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
                         FunctionRef<Tensors()> run) = 0;
};
/// One at a time, for the process; null: none.
void set_dispatch_observer(DispatchObserver* observer);

/// "f32 [2, 3], i64 [2]", for people.
std::string shapes_of(std::span<const Tensor> tensors);

/// With --strict-device a step that would leave the chip is an error instead of a fallback.
void set_strict_device(bool strict);

/// One kind of fallback since the last reset: an op that a chip did not run itself.
struct Fallback {
  std::string device, op, shapes, reason, where;  ///< where: "cpu" (by copy) or "reference"
  int64_t count = 0, bytes = 0;                   ///< bytes copied both ways
  double milliseconds = 0;
};
std::vector<Fallback> fallback_ledger();
void reset_fallback_ledger();

}  // namespace suiren
