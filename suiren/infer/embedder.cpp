#include "suiren/infer/embedder.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "suiren/base/error.h"
#include "suiren/core/autograd.h"
#include "suiren/ops/cast/cast.h"

namespace suiren::infer {
namespace {

constexpr size_t kBatchTokens = 4096;  // of one pass: what it needs beside the weights is bounded

void append(std::span<const uint32_t> from, std::vector<int64_t>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

Embedder::Embedder(std::unique_ptr<models::Encoder> encoder, text::Tokenizer tokenizer,
                   EmbeddingSettings settings)
    : encoder_(std::move(encoder)), tokenizer_(std::move(tokenizer)), settings_(settings) {
  const int64_t positions = encoder_->config().positions();
  max_tokens_ = settings_.max_tokens > 0 ? std::min(settings_.max_tokens, positions) : positions;
  const size_t special = tokenizer_.special_before().size() + tokenizer_.special_after().size();
  SR_CHECK(static_cast<int64_t>(special) < max_tokens_,
           "a text may have {} tokens, of which the tokenizer adds {}: there is no room for text",
           max_tokens_, special);
}

Embedder Embedder::load(const std::string& folder, const nn::Placement& at) {
  SR_CHECK_AS(kUnsupported, !folder.ends_with(".gguf"),
              "{} is a GGUF file; encoders are read from folders with config.json, tokenizer.json and "
              "model.safetensors",
              folder);
  auto encoder = models::Encoder::load(folder, at);
  return Embedder(std::move(encoder), text::Tokenizer::load(folder), EmbeddingSettings::load(folder));
}

Embedder::Text Embedder::encode(std::string_view text) const {
  const auto before = tokenizer_.special_before(), after = tokenizer_.special_after();
  const std::vector<uint32_t> own = tokenizer_.encode(text);
  const size_t room = static_cast<size_t>(max_tokens_) - before.size() - after.size();
  const size_t kept = std::min(own.size(), room);
  Text out;
  out.cut = static_cast<int64_t>(own.size() - kept);
  append(before, out.ids);
  append(std::span(own).first(kept), out.ids);
  append(after, out.ids);
  return out;
}

// Sums in double, in the order of the tokens.
void Embedder::pool(std::span<const float> states, std::span<float> vector) const {
  const size_t width = vector.size(), rows = states.size() / width;
  std::vector<double> v(states.begin(), states.begin() + static_cast<int64_t>(width));
  if (settings_.pooling != Pooling::kCls) {
    for (size_t r = 1; r < rows; ++r)
      for (size_t i = 0; i < width; ++i) {
        const double x = states[r * width + i];
        v[i] = settings_.pooling == Pooling::kMax ? std::max(v[i], x) : v[i] + x;
      }
    if (settings_.pooling == Pooling::kMean)
      for (double& x : v) x /= static_cast<double>(rows);
  }
  double square = 0;
  for (const double x : v) square += x * x;
  const double length = settings_.normalize && square > 0 ? std::sqrt(square) : 1;
  for (size_t i = 0; i < width; ++i) vector[i] = static_cast<float>(v[i] / length);
}

std::vector<float> Embedder::embed(std::span<const Text> texts) const {
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return texts[i].ids.size(); });
  const auto width = static_cast<size_t>(dimensions());
  std::vector<float> out(texts.size() * width);
  const NoGrad off;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    std::vector<int64_t> ids, lengths;
    for (end = begin; end < order.size(); ++end) {
      const std::vector<int64_t>& next = texts[order[end]].ids;
      SR_CHECK(!next.empty(), "text {} has no token, and the tokenizer adds none", order[end]);
      if (!ids.empty() && ids.size() + next.size() > kBatchTokens) break;
      ids.insert(ids.end(), next.begin(), next.end());
      lengths.push_back(static_cast<int64_t>(next.size()));
    }
    const auto states = cast(encoder_->hidden(ids, lengths), kF32).to_vector<float>();
    size_t at = 0;
    for (size_t i = begin; i < end; ++i) {
      const size_t count = static_cast<size_t>(lengths[i - begin]) * width;
      pool(std::span(states).subspan(at, count), std::span(out).subspan(order[i] * width, width));
      at += count;
    }
  }
  return out;
}

}  // namespace suiren::infer
