#include "suiren/infer/kv_cache.h"

#include "suiren/infer/generate.h"
#include "suiren/io/block_entry.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/quant/quantize.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::some_ids;
using models::Transformer;

constexpr DType kTypes[] = {kF32, kF16, kBF16};

std::unique_ptr<Transformer> load(const std::string& family, DType cache, DType dtype = kF32) {
  auto model = Transformer::load(models::kFamilies + family, {.dtype = dtype});
  model->set_cache_dtype(cache);
  return model;
}

std::vector<float> floats(const Tensor& x) { return widen(x).to_vector<float>(); }

// Logits of `ids` in chunks on a cache.
std::vector<float> in_chunks(const Transformer& model, std::span<const int64_t> ids, size_t chunk) {
  KvCache cache(model.config(), static_cast<int64_t>(ids.size()), 1, model.device(), model.cache_dtype());
  std::vector<float> all;
  for (size_t at = 0; at < ids.size(); at += chunk) {
    const auto part =
        floats(model.logits(model.ids(ids.subspan(at, std::min(chunk, ids.size() - at))), &cache));
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(KvCache, ATokensBitsDoNotDependOnTheCacheWhateverItHolds) {
  const NoGrad off;
  for (const char* family : {"llama", "gemma2", "gpt_oss", "deepseek_v3", "gpt2"})
    for (const DType dtype : {kF32, kBF16}) {
      std::vector<std::vector<float>> of_types;
      for (const DType type : kTypes) {
        const auto model = load(family, type, dtype);
        const auto ids = some_ids(40, model->config().vocab_size);
        const auto whole = floats(model->logits(model->ids(ids)));
        for (const size_t chunk : {1, 7, 40})
          EXPECT_EQ(in_chunks(*model, ids, chunk), whole)
              << family << " " << dtype << " " << type << " " << chunk;
        of_types.push_back(whole);
      }
      if (dtype != kF32) continue;
      EXPECT_NE(of_types[1], of_types[0]) << family;  // rounding is felt, and no more than felt
      EXPECT_NE(of_types[2], of_types[0]) << family;
      for (size_t i = 0; i < of_types[0].size(); ++i) {
        EXPECT_NEAR(of_types[1][i], of_types[0][i], 0.02) << family;
        EXPECT_NEAR(of_types[2][i], of_types[0][i], 0.2) << family;
      }
    }
}

TEST(KvCache, GenerationAndTrainingSeeTheSameNumbers) {
  for (const DType type : kTypes) {
    const auto model = load("llama", type);
    GenerateOptions o;
    o.max_tokens = 16, o.ignore_eos = true, o.logprobs = true;
    const auto prompt = some_ids(20, model->config().vocab_size);
    const Generation g = generate(*model, prompt, o);
    auto all = prompt;
    all.insert(all.end(), g.ids.begin(), g.ids.end());
    const std::span<const int64_t> span(all);
    const auto losses = floats(model->token_losses(model->ids(span.first(all.size() - 1)),
                                                   model->ids(span.subspan(1))));  // with gradient
    ASSERT_EQ(g.logprobs.size(), 16u);
    for (size_t i = 0; i < 16; ++i) EXPECT_EQ(g.logprobs[i], -losses[prompt.size() - 1 + i]) << type;
  }
}

// Gradients pass the rounding as if it were not there: all parameters have one, near that of f32.
TEST(KvCache, GradientsPassTheRounding) {
  std::vector<std::vector<float>> of_types;
  for (const DType type : {kF32, kF16}) {
    const auto model = load("llama", type);
    const auto ids = some_ids(20, model->config().vocab_size);
    const std::span<const int64_t> span(ids);
    const Tensor loss = sum(model->token_losses(model->ids(span.first(19)), model->ids(span.subspan(1))));
    std::vector<float> all;
    for (const Tensor& g : gradients(loss, model->parameters()))
      for (const float x : floats(g)) all.push_back(x);
    of_types.push_back(all);
  }
  ASSERT_EQ(of_types[0].size(), of_types[1].size());
  double difference = 0, size = 0;
  for (size_t i = 0; i < of_types[0].size(); ++i) {
    difference += std::pow(of_types[1][i] - of_types[0][i], 2);
    size += std::pow(of_types[0][i], 2);
  }
  EXPECT_GT(difference, 0);
  EXPECT_LT(std::sqrt(difference / size), 1e-3);
}

TEST(KvCache, IsF16BesideQuantizedWeights) {
  const NoGrad off;
  models::TransformerConfig c = models::small_config();
  c.intermediate_size = 64;
  const Transformer plain(c, 1);
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<io::BlockEntry> entries;
  for (const auto& [name, tensor] : plain.named_parameters()) {
    const auto values = tensor->to_vector<float>();
    const auto format = tensor->rank() == 2 ? quant::BlockFormat::kQ8_0 : quant::BlockFormat::kF32;
    bytes.emplace_back(static_cast<size_t>(quant::BlockFormat(format).bytes(tensor->numel())));
    quant::quantize(format, values, {}, bytes.back());
    std::vector<int64_t> shape;
    for (int i = 0; i < tensor->rank(); ++i) shape.push_back(tensor->dim(i));
    entries.push_back({name, format, shape, {}});
  }
  for (size_t i = 0; i < entries.size(); ++i) entries[i].bytes = bytes[i];
  const auto model = Transformer::from_entries(c, entries, "test");
  EXPECT_EQ(model->cache_dtype(), kF16);
  EXPECT_EQ(model->placed({})->cache_dtype(), kF16);
  const auto ids = some_ids(40, 97);
  const auto whole = floats(model->logits(model->ids(ids)));
  for (const size_t chunk : {1, 7, 40}) EXPECT_EQ(in_chunks(*model, ids, chunk), whole) << chunk;
}

TEST(KvCache, RefusesWhatNoCacheHolds) {
  const Transformer model(models::small_config(), 1);
  EXPECT_EQ(model.cache_dtype(), kF32);
  Transformer other(models::small_config(), 1);
  EXPECT_EQ(models::message([&] { other.set_cache_dtype(kI8); }),
            "a cache of keys and values holds f32, f16 or bf16, not i8");
}

}  // namespace
}  // namespace suiren::infer
