// Models whose matrices are in block formats: what is loaded stays as it is, logits are near those of the
// numbers that the blocks stand for, and a token's bits do not depend on how it was computed.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "suiren/core/host_array.h"
#include "suiren/infer/generate.h"
#include "suiren/infer/kv_cache.h"
#include "suiren/infer/language_model.h"
#include "suiren/models/gguf/export.h"
#include "suiren/ops/view/view.h"
#include "suiren/quant/quantize.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::Folder;
using models::some_ids;
using models::Transformer;
using models::TransformerConfig;

TransformerConfig config(bool tied) {
  TransformerConfig c = models::small_config();
  c.hidden_size = 64, c.intermediate_size = 96, c.num_attention_heads = 4, c.num_key_value_heads = 2;
  c.head_dim = 16, c.num_hidden_layers = 2, c.tie_word_embeddings = tied;
  return c;
}

// A random model's tensors, its matrices in `format`; `floats`: as the numbers that the blocks stand for.
std::unique_ptr<Transformer> model_of(const TransformerConfig& c, quant::BlockFormat format, bool floats) {
  const Transformer random(c, 3);
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<io::BlockEntry> entries;
  for (const auto& [name, tensor] : random.named_parameters()) {
    const std::vector<float> values = tensor->to_vector<float>();
    const quant::BlockFormat own =
        tensor->rank() == 2 ? format : quant::BlockFormat(quant::BlockFormat::kF32);
    bytes.emplace_back(static_cast<size_t>(own.bytes(tensor->numel())));
    quant::quantize(own, values, {}, bytes.back());
    const auto& d = tensor->shape();
    entries.push_back({name, own, {d.begin(), d.end()}, bytes.back()});
  }
  auto model = Transformer::from_entries(c, entries, "test");
  if (!floats) return model;
  auto wide = std::make_unique<Transformer>(c, 3);
  const auto to = wide->named_parameters(), from = model->named_parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    HostArray a = to_host_array(*from[i].second);
    a.dtype = kF32;
    to[i].second->become(from_host_array(a, Device()));
  }
  return wide;
}

TEST(QuantizedModel, KeepsItsMatricesInBlocks) {
  const auto model = model_of(config(false), quant::BlockFormat::kQ4_1, false);
  for (const auto& [name, tensor] : model->named_parameters()) {
    EXPECT_EQ(tensor->dtype(), tensor->rank() == 2 ? kQ4_1 : kF32) << name;
    EXPECT_TRUE(tensor->storage()->stable()) << name;
    EXPECT_EQ(tensor->requires_grad(), tensor->rank() != 2) << name;
  }
}

TEST(QuantizedModel, LogitsAreNearThoseOfItsNumbers) {
  for (const bool tied : {false, true})
    for (const quant::BlockFormat format : {quant::BlockFormat::kQ8_0, quant::BlockFormat::kQ5_1}) {
      const auto model = model_of(config(tied), format, false), wide = model_of(config(tied), format, true);
      const auto ids = model->ids(some_ids(20, 90));
      const HostArray got = to_host_array(model->logits(ids)), want = to_host_array(wide->logits(ids));
      Wide square = 0, error = 0;
      for (int64_t i = 0; i < want.numel(); ++i) {
        square += want[i] * want[i];
        error += (got[i] - want[i]) * (got[i] - want[i]);
      }
      // Rounding to 8 bits in each of fifteen products: 0.034 at most was seen.
      EXPECT_LT(std::sqrt(static_cast<double>(error / square)), 0.05) << format.name() << tied;
      EXPECT_GT(error, 0) << "the activations were not rounded";
    }
}

TEST(QuantizedModel, ATokenHasTheSameBitsInAPassAChunkOrAlone) {
  const TransformerConfig c = config(true);
  const auto model = model_of(c, quant::BlockFormat::kQ4_0, false);
  const std::vector<int64_t> ids = some_ids(23, 90);
  const std::vector<uint8_t> whole = model->logits(model->ids(ids)).to_bytes();
  for (const size_t chunk : {size_t{1}, size_t{5}, size_t{16}}) {
    KvCache cache(c, 32, 1, {}, model->cache_dtype());
    std::vector<uint8_t> parts;
    for (size_t at = 0; at < ids.size(); at += chunk) {
      const auto some = std::span(ids).subspan(at, std::min(chunk, ids.size() - at));
      const std::vector<uint8_t> logits = model->logits(model->ids(some), &cache).to_bytes();
      parts.insert(parts.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(parts, whole) << chunk;
  }
}

// The same tensors by way of a file; loss of the numbers that stand there.
TEST(QuantizedModel, ComesFromAGgufFile) {
  const Folder folder("quantized_model");
  TransformerConfig c = config(false);
  const Transformer random(c, 3);
  std::vector<io::BlockEntry> weights;
  std::vector<std::vector<uint8_t>> bytes;
  for (const auto& [name, tensor] : random.named_parameters()) {
    bytes.push_back(tensor->to_bytes());
    const auto& d = tensor->shape();
    weights.push_back({name, quant::BlockFormat::kF32, {d.begin(), d.end()}, bytes.back()});
  }
  const models::GgufExport file(c, weights, quant::BlockFormat::kQ8_0);
  io::GgufMetadata metadata;
  file.write_metadata(metadata);
  io::GgufWriter writer(folder.path() + "/model.gguf", file.tensors(), metadata);
  for (size_t i = 0; i < file.tensors().size(); ++i) writer.append(file.bytes(i));
  writer.commit();

  const LanguageModel model = LanguageModel::load(folder.path() + "/model.gguf");
  EXPECT_FALSE(model.tokenizer);
  EXPECT_THROW((void)model.require_tokenizer(), Error);
  const auto direct = model_of(c, quant::BlockFormat::kQ8_0, false);
  const auto ids = direct->ids(some_ids(12, 90));
  EXPECT_EQ(model.transformer->logits(ids).to_bytes(), direct->logits(ids).to_bytes());
}

}  // namespace
}  // namespace suiren::infer
