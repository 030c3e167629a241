#pragma once
// Between dispatch and the tape; not for callers of the library.

#include "suiren/core/autograd.h"

namespace suiren {

SavedTensor save(const Tensor& t);
/// The saved tensor, joined to its history again when grad mode is on. Error{kInvalid} when its bytes
/// changed.
Tensor unsave(const SavedTensor& s, const Edge& history, const char* op);
/// Gradients of f at `inputs`, by running it once more under the tape; for ops and blocks that keep only
/// inputs.
Tensors replay_gradients(const std::function<Tensors(const Tensors&)>& f, const Tensors& inputs,
                         const std::vector<Edge>& edges, std::span<const Tensor> grads);

}  // namespace suiren
