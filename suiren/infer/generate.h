#pragma once
// Generation: the prompt in one pass, then token by token on a KV cache.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "suiren/infer/sampler.h"
#include "suiren/models/transformer.h"

namespace suiren::infer {

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplingOptions sampling;
  bool ignore_eos = false;
  std::vector<int64_t> eos_token_ids;  ///< ends here; the end token itself is not in the result
};

struct Generation {
  std::vector<int64_t> ids;   ///< the new ones
  std::string finish_reason;  ///< "stop" (end token, or on_token said so) or "length" (max_tokens or context)
};

/// Called with each new id as it is known; false stops.
using OnToken = std::function<bool(int64_t id)>;

/// Continues `prompt`. Throws Error{kInvalid} for an empty prompt, an id beyond the vocabulary, or a prompt
/// longer than the model's positions (stating both lengths).
Generation generate(const models::Transformer& model, std::span<const int64_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token = {});

/// The ids that end a text: those of FOLDER/generation_config.json when it names some, else config.json's.
std::vector<int64_t> end_tokens(const std::string& folder, const models::TransformerConfig& config);

}  // namespace suiren::infer
