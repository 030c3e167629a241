#pragma once
// The tape: gradients of any op, written with ops, hence of any order.
// Grad mode is per thread. A graph belongs to the thread that made it until it is handed over whole.

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "suiren/core/op.h"

namespace suiren {

/// True while ops on this thread are recorded.
bool grad_enabled();

/// While one lives, ops on this thread are not recorded (or are, with `true`).
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};
class NoGrad : public GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

/// Where a gradient goes: output `output` of `node`.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
};

/// A tensor kept for the backward pass, with the version its bytes had. It holds no history of its own,
/// so that a node that keeps its own output is no cycle.
struct SavedTensor {
  Tensor value;
  uint64_t version = 0;
};

/// One recorded call. Leaves (parameters) are nodes without an op.
class Node : public std::enable_shared_from_this<Node> {
 public:
  const OpInfo* op = nullptr;
  std::shared_ptr<const void> attrs;
  std::vector<Edge> edges;  ///< one for each input; null where the input needs no gradient
  std::vector<TensorSpec> in_specs, out_specs;
  std::vector<SavedTensor> inputs, outputs;
  std::function<Grads(std::span<const Tensor> grads)> custom;  ///< instead of op->vjp (recompute)
  uint64_t sequence = 0;                                       ///< order of recording
  bool released = false;  ///< the saved tensors are gone: a second backward pass is refused
  Node();
  ~Node();
};

struct GradientOptions {
  /// Record the backward pass too, so that the gradients can be differentiated again.
  bool create_graph = false;
  /// Keep saved tensors for another backward pass. Without it they are freed as the pass goes.
  bool retain_graph = false;
};

/// d(sum of output * output_grad) / d(inputs), one for each input, zeros where the output does not depend on
/// it. `outputs` must be scalars when `output_grads` is empty. Sums are formed in a fixed order (latest
/// recorded consumer first), independent of threads.
/// Throws Error{kInvalid} naming the op when an in-place write changed a tensor that the pass needs, or when
/// the graph was freed before.
Tensors gradients(const Tensors& outputs, const Tensors& inputs, const Tensors& output_grads = {},
                  GradientOptions options = {});
inline Tensors gradients(const Tensor& output, const Tensors& inputs, GradientOptions options = {}) {
  return gradients(Tensors{output}, inputs, {}, options);
}

/// As gradients(), adding into `sums[i]` (in place; an undefined one is set): gradient accumulation. `output`
/// must be a scalar when `output_grad` is undefined.
void accumulate_gradients(const Tensor& output, const Tensors& inputs, Tensors& sums,
                          const Tensor& output_grad = {});

/// Runs `f` without keeping what happens inside; the backward pass runs it again (activation checkpointing,
/// Chen et al. 2016). `f` must be a function of its inputs only.
Tensors recompute(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs);

}  // namespace suiren
