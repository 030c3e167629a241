#pragma once
// What a model's matrices meet in a text: the importance of their columns.

#include <cstdint>
#include <functional>
#include <span>

#include "suiren/models/gguf/importance.h"
#include "suiren/models/transformer.h"

namespace suiren::infer {

/// Runs `ids` through the model in windows of `window` ids, what remains at the end dropped, and takes the
/// mean square of each column of the input of each matrix of its layers, summed in double. `progress` gets
/// the ids done. One call at a time in a process. Error{kInvalid} when the ids are no window.
models::ImportanceMatrix importance(const models::Transformer& model, std::span<const int64_t> ids,
                                    int64_t window, const std::function<void(int64_t)>& progress = {});

}  // namespace suiren::infer
