#pragma once
// Generation: the prompt in one pass, then token by token on a KV cache.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "suiren/infer/kv_cache.h"
#include "suiren/infer/sampler.h"
#include "suiren/models/transformer.h"

namespace suiren::infer {

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplingOptions sampling;
  bool ignore_eos = false;
  std::vector<int64_t> eos_token_ids;  ///< ends here; the end token itself is not in the result
  bool logprobs = false;               ///< of the new ids; each costs a product with the head once more
  bool prompt_logprobs = false;        ///< of the prompt's; all of it is computed then, cached or not
  std::function<bool()> go_on;         ///< asked before each 512 positions of the prompt; false stops
  int64_t speculate = 0;  ///< new ids to guess ahead at most (draft.h); the result is the same, to the bit
};

struct Generation {
  std::vector<int64_t> ids;   ///< the new ones
  std::string finish_reason;  ///< "stop" (end token, or on_token or go_on said so) or "length" (max_tokens or
                              ///< context)
  /// Natural logarithms of the model's own probabilities (step 1 of sampler.h has not been taken), with the
  /// bits of Transformer::losses_after: of `ids`, and of the prompt from its second id on.
  std::vector<float> logprobs, prompt_logprobs;
  int64_t drafted = 0, accepted = 0;               ///< ids guessed, and those of them that came true
  int64_t computed = 0;                            ///< positions of the prompt that were not cached
  double prefill_seconds = 0, decode_seconds = 0;  ///< the prompt's states, and all after them
};

/// Called with each new id as it is known; false stops.
using OnToken = std::function<bool(int64_t id)>;

/// Texts one after another on one cache: what a prompt shares with the ids that are cached, from the first
/// on, is not computed again, and the bits of the result are the same. One thread at a time; the model must
/// outlive it.
class Generator {
 public:
  explicit Generator(const models::Transformer& model);
  /// Continues `prompt`. Throws Error{kInvalid} for an empty prompt, an id beyond the vocabulary, or a prompt
  /// longer than the model's positions (stating both lengths).
  Generation run(std::span<const int64_t> prompt, const GenerateOptions& options,
                 const OnToken& on_token = {});

 private:
  Tensor states_after(std::span<const int64_t> ids);
  void forget(int64_t length);
  Tensor prefill(std::span<const int64_t> prompt, const GenerateOptions& options, Generation& result);
  void decode(Tensor states, std::span<const int64_t> prompt, const GenerateOptions& options, int64_t count,
              const OnToken& on_token, Generation& result);
  const models::Transformer& model_;
  KvCache cache_;
  std::vector<int64_t> cached_;  // the ids that the cache holds
};

/// Generator(model).run(...).
Generation generate(const models::Transformer& model, std::span<const int64_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token = {});

}  // namespace suiren::infer
