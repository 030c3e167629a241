#include "suiren/infer/generate.h"

#include <algorithm>
#include <chrono>

#include "suiren/core/autograd.h"
#include "suiren/infer/draft.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/view/view.h"

namespace suiren::infer {
namespace {

constexpr size_t kChunk =
    512;  // positions of a prompt at a time: what a pass needs beside the cache is bounded

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool contains(const std::vector<int64_t>& ids, int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Appends the log-probabilities of `targets` after states [1, targets.size(), hidden].
void append_logprobs(const models::Transformer& model, const Tensor& states, std::span<const int64_t> targets,
                     std::vector<float>& to) {
  for (const float loss : cast(model.losses_after(states, model.ids(targets)), kF32).to_vector<float>())
    to.push_back(-loss);
}

}  // namespace

Generator::Generator(const models::Transformer& model)
    : model_(model), cache_(model.config(), 0, 1, model.device(), model.cache_dtype()) {}

// The states after `ids`, which follow what is cached: [1, T, hidden].
Tensor Generator::states_after(std::span<const int64_t> ids) {
  const int64_t need = cache_.length() + static_cast<int64_t>(ids.size());
  // By doubling, so that a text without end copies each position a few times at most.
  if (need > cache_.capacity()) cache_.reserve(std::min(model_.positions(), 2 * need));
  Tensor states = model_.hidden(model_.ids(ids), &cache_);
  cached_.insert(cached_.end(), ids.begin(), ids.end());
  return states;
}

// Keeps `length` positions of the cache.
void Generator::forget(int64_t length) {
  cache_.truncate(length);
  cached_.resize(static_cast<size_t>(length));
}

// The state after the prompt's last id, [1, 1, hidden]; undefined when go_on stopped it.
Tensor Generator::prefill(std::span<const int64_t> prompt, const GenerateOptions& options,
                          Generation& result) {
  size_t same = 0;  // at least the last is computed: its state is wanted
  if (!options.prompt_logprobs)
    while (same + 1 < prompt.size() && same < cached_.size() && cached_[same] == prompt[same]) ++same;
  forget(static_cast<int64_t>(same));
  Tensor states;
  for (size_t begin = same; begin < prompt.size(); begin += kChunk) {
    if (options.go_on && !options.go_on()) return {};
    const std::span<const int64_t> chunk = prompt.subspan(begin, std::min(kChunk, prompt.size() - begin));
    states = states_after(chunk);
    result.computed += static_cast<int64_t>(chunk.size());
    const auto targets = prompt.subspan(begin + 1, std::min(chunk.size(), prompt.size() - begin - 1));
    if (options.prompt_logprobs && !targets.empty())
      append_logprobs(model_, slice(states, 1, 0, static_cast<int64_t>(targets.size())), targets,
                      result.prompt_logprobs);
  }
  return slice(states, 1, -1, states.dim(1));
}

// states [1, 1, hidden]: after the prompt. Later [1, 1 + draft, hidden]: after the last id, and after each of
// the draft that follows it in the cache.
void Generator::decode(Tensor states, std::span<const int64_t> prompt, const GenerateOptions& options,
                       int64_t count, const OnToken& on_token, Generation& result) {
  std::vector<int64_t> ids(prompt.begin(), prompt.end()), draft;
  const auto vocabulary = static_cast<size_t>(model_.config().vocab_size);
  while (true) {
    const std::vector<float> logits = cast(model_.head(states), kF32).to_vector<float>();
    int64_t id = 0;
    for (size_t row = 0;; ++row, ++result.accepted) {
      id = sample(std::span(logits).subspan(row * vocabulary, vocabulary), options.sampling,
                  static_cast<int64_t>(ids.size()), {ids, prompt.size()});
      const bool end = !options.ignore_eos && contains(options.eos_token_ids, id);
      if (!end) {
        result.ids.push_back(id);
        ids.push_back(id);
        const auto at = static_cast<int64_t>(row);
        if (options.logprobs)
          append_logprobs(model_, slice(states, 1, at, at + 1), {&id, 1}, result.logprobs);
      }
      if (end || (on_token && !on_token(id))) {
        result.finish_reason = "stop";
        return;
      }
      if (static_cast<int64_t>(result.ids.size()) == count) return;
      if (row == draft.size() || draft[row] != id) break;
    }
    forget(static_cast<int64_t>(ids.size()) - 1);
    const int64_t rest = count - static_cast<int64_t>(result.ids.size()) - 1;  // the last needs no position
    draft = draft_by_lookup(ids, std::min(options.speculate, rest));
    result.drafted += static_cast<int64_t>(draft.size());
    std::vector<int64_t> next{id};
    next.insert(next.end(), draft.begin(), draft.end());
    states = states_after(next);
  }
}

Generation Generator::run(std::span<const int64_t> prompt, const GenerateOptions& options,
                          const OnToken& on_token) {
  options.sampling.validate();
  const auto length = static_cast<int64_t>(prompt.size());
  const int64_t context = model_.positions();
  SR_CHECK(length > 0, "the prompt holds no tokens; give at least one");
  SR_CHECK(length <= context, "the prompt has {} tokens, but the model has {} positions; shorten the prompt",
           length, context);
  SR_CHECK(options.speculate >= 0, "speculate is {}, expected at least 0", options.speculate);
  SR_CHECK(options.max_tokens >= 0, "max_tokens is {}, expected at least 0", options.max_tokens);
  // The last new token needs no position of its own.
  const int64_t count = std::min(options.max_tokens, context - length + 1);
  Generation result{{}, "length"};
  if (count == 0 && !options.prompt_logprobs) return result;

  const NoGrad off;
  const auto start = Clock::now();
  cache_.reserve(std::min(context, length + std::min<int64_t>(count, 256)));
  cached_.resize(static_cast<size_t>(cache_.length()));  // a pass that threw left the cache as it was
  const Tensor state = prefill(prompt, options, result);
  result.prefill_seconds = seconds_since(start);
  if (!state.defined())
    result.finish_reason = "stop";
  else if (count > 0)
    decode(state, prompt, options, count, on_token, result);
  result.decode_seconds = seconds_since(start) - result.prefill_seconds;
  return result;
}

Generation generate(const models::Transformer& model, std::span<const int64_t> prompt,
                    const GenerateOptions& options, const OnToken& on_token) {
  return Generator(model).run(prompt, options, on_token);
}

}  // namespace suiren::infer
