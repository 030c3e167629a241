#include <nlohmann/json.hpp>

#include "suiren/bench/figures.h"
#include "suiren/core/autograd.h"
#include "suiren/infer/kv_cache.h"
#include "suiren/infer/language_model.h"
#include "suiren/ops/view/view.h"

namespace suiren::bench {
namespace {

constexpr int64_t kPrefill = 512, kDecode = 64;

// Which model, and what its cache holds: the model's own choice, or that.
struct Plan {
  std::string path;
  std::optional<DType> cache;
  infer::LanguageModel load() const {
    infer::LanguageModel model = infer::LanguageModel::load(path);
    if (cache) model.transformer->set_cache_dtype(*cache);
    return model;
  }
  std::string name(const char* what, int64_t positions) const {
    return fmt::format("{} {}{}", what, positions, cache ? fmt::format(", {} cache", *cache) : "");
  }
};

// A model, a cache, and ids as seeded noise: their values do not matter to the time.
struct Subject {
  infer::LanguageModel model;
  infer::KvCache cache;
  std::vector<int64_t> ids;
  Subject(const Plan& plan, int64_t positions)
      : model(plan.load()),
        cache(model.transformer->config(), positions, 1, {}, model.transformer->cache_dtype()) {
    const int64_t vocabulary = model.transformer->config().vocab_size;
    for (int64_t i = 0; i < positions; ++i) ids.push_back((i * i * 31 + i * 1009 + 7) % vocabulary);
  }
  // The logits after `count` ids that follow what is cached.
  void pass(int64_t count) {
    const models::Transformer& m = *model.transformer;
    const auto some = std::span(ids).subspan(static_cast<size_t>(cache.length()), static_cast<size_t>(count));
    const Tensor states = m.hidden(m.ids(some), &cache);
    (void)m.head(slice(states, 1, count - 1, count)).to_vector<float>();
  }
};

std::shared_ptr<const io::Json> peer(const std::string& path, const char* kind, int64_t context) {
  if (!path.ends_with(".gguf")) return nullptr;
  return std::make_shared<io::Json>(io::Json{{"kind", kind}, {"model", path}, {"context", context}});
}

Figure prefill(const Plan& plan, double flops) {
  return {.group = "inference",
          .name = plan.name("prefill", kPrefill),
          .unit = "tokens/s",
          .work = kPrefill,
          .roof = Roof::kF32,
          .load = flops * kPrefill,
          .make =
              [plan] {
                const auto s = std::make_shared<Subject>(plan, kPrefill);
                return [s] {
                  const NoGrad off;
                  s->cache.truncate(0);
                  s->pass(kPrefill);
                };
              },
          .peer = peer(plan.path, "prefill", kPrefill)};
}

Figure decode(const Plan& plan, int64_t context, double bytes) {
  return {.group = "inference",
          .name = plan.name("decode after", context),
          .unit = "tokens/s",
          .work = kDecode,
          .roof = Roof::kRead,
          .load = bytes * kDecode,
          .make =
              [plan, context] {
                const auto s = std::make_shared<Subject>(plan, context + kDecode);
                const NoGrad off;
                s->pass(context);
                return [s, context] {
                  const NoGrad none;
                  s->cache.truncate(context);
                  for (int64_t i = 0; i < kDecode; ++i) s->pass(1);
                };
              },
          .peer = peer(plan.path, "decode", context)};
}

}  // namespace

std::vector<Figure> inference_figures(const std::string& path, std::optional<DType> cache) {
  SR_CHECK(!path.empty(), "give the model to run: suiren bench inference --model FILE.gguf");
  const Plan plan{path, cache};
  const infer::LanguageModel model = plan.load();
  const models::TransformerConfig& c = model.transformer->config();
  double bytes = 0;  // of the weights that a token passes: all but rows of an embedding that is not the head
  for (const auto& [name, tensor] : model.transformer->named_parameters())
    if (c.tie_word_embeddings || name != "model.embed_tokens.weight")
      bytes += static_cast<double>(tensor->bytes());
  const double flops = 2.0 * static_cast<double>(c.active_parameter_count() - c.vocab_size * c.hidden_size);
  std::vector<Figure> list{prefill(plan, flops), decode(plan, 16, bytes)};
  if (model.transformer->positions() >= 4096 + kDecode) list.push_back(decode(plan, 4096, bytes));
  return list;
}

}  // namespace suiren::bench
