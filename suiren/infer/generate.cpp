#include "suiren/infer/generate.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/core/autograd.h"
#include "suiren/infer/kv_cache.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/view/view.h"

namespace suiren::infer {
namespace {

// Logits after the last of `ids`, [vocabulary].
std::vector<float> next_logits(const models::Transformer& model, std::span<const int64_t> ids,
                               KvCache& cache) {
  const Tensor states = model.hidden(model.ids(ids), &cache);  // [1, T, hidden]
  return cast(model.head(slice(states, 1, -1, states.dim(1))), kF32).to_vector<float>();
}

}  // namespace

Generation generate(const models::Transformer& model, std::span<const int64_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token) {
  options.sampling.validate();
  const auto length = static_cast<int64_t>(prompt.size());
  const int64_t context = model.positions();
  SR_CHECK(length > 0, "the prompt holds no tokens; give at least one");
  SR_CHECK(length <= context, "the prompt has {} tokens, but the model has {} positions; shorten the prompt",
           length, context);
  SR_CHECK(options.max_tokens >= 0, "max_tokens is {}, expected at least 0", options.max_tokens);
  // The last new token needs no position of its own.
  const int64_t count = std::min(options.max_tokens, context - length + 1);
  Generation result{{}, "length"};
  if (count == 0) return result;

  const NoGrad off;
  KvCache cache(model.config(), std::min(length + count - 1, context), 1, model.device(), model.dtype());
  std::vector<float> logits = next_logits(model, prompt, cache);
  while (true) {
    const int64_t id = sample(logits, options.sampling, cache.length());
    const auto& ends = options.eos_token_ids;
    const bool end = !options.ignore_eos && std::find(ends.begin(), ends.end(), id) != ends.end();
    if (!end) result.ids.push_back(id);
    if (end || (on_token && !on_token(id))) {
      result.finish_reason = "stop";
      return result;
    }
    if (static_cast<int64_t>(result.ids.size()) == count) return result;
    logits = next_logits(model, {&id, 1}, cache);
  }
}

std::vector<int64_t> end_tokens(const std::string& folder, const models::TransformerConfig& config) {
  const std::string path = folder + "/generation_config.json";
  if (!std::filesystem::exists(path)) return config.eos_token_ids;
  const io::Json json = io::read_json(path);
  const auto found = json.find("eos_token_id");
  if (found == json.end() || found->is_null()) return config.eos_token_ids;
  if (found->is_array()) return io::json_sizes(json, "eos_token_id", path);
  return {io::json_int(json, "eos_token_id", path)};
}

}  // namespace suiren::infer
