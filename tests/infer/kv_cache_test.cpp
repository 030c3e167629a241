#include "suiren/infer/kv_cache.h"

#include "suiren/base/threads.h"
#include "suiren/infer/generate.h"
#include "suiren/io/block_entry.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "suiren/quant/quantize.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::some_ids;
using models::Transformer;

constexpr DType kTypes[] = {kF32, kF16, kBF16, kQ8_0};

std::unique_ptr<Transformer> load(const std::string& family, DType cache, DType dtype = kF32) {
  auto model = Transformer::load(models::kFamilies + family, {.dtype = dtype});
  model->set_cache_dtype(cache);
  return model;
}

// The family with random weights and what a cache holds of a head as wide as a block.
std::unique_ptr<Transformer> load_wide(const std::string& family, DType cache, DType dtype = kF32) {
  auto c = models::TransformerConfig::load(models::kFamilies + family);
  c.head_dim = 32, c.initializer_range = 0.2;
  if (c.latent.kv_rank) {
    c.head_dim = c.latent.nope_head_dim + c.latent.rope_head_dim;
    c.latent.kv_rank = 32 - c.latent.rope_head_dim;
  }
  for (auto* factors : {&c.rope.short_factor, &c.rope.long_factor})
    if (!factors->empty()) factors->resize(16, 1.5);
  auto model = std::make_unique<Transformer>(c, 7, nn::Placement{.dtype = dtype});
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
      for (const DType type : {kF32, kF16, kBF16}) {
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

TEST(KvCache, BlocksAreTheSameInChunksInABatchAndOnAnyThreads) {
  const NoGrad off;
  for (const auto& entry : std::filesystem::directory_iterator(models::kFamilies)) {
    if (!entry.is_directory()) continue;
    const std::string family = entry.path().filename();
    SCOPED_TRACE(family);
    for (const DType dtype : {kF32, kBF16}) {
      const auto model = load_wide(family, kQ8_0, dtype);
      const auto ids = some_ids(40, model->config().vocab_size);
      set_thread_count(2);
      const auto whole = floats(model->logits(model->ids(ids)));
      for (const size_t chunk : {1, 7, 40}) EXPECT_EQ(in_chunks(*model, ids, chunk), whole) << dtype << chunk;
      for (const int threads : {1, 5}) {
        set_thread_count(threads);
        EXPECT_EQ(in_chunks(*model, ids, 13), whole) << dtype << " threads " << threads;
      }
      const auto plain = floats(load_wide(family, kF32, dtype)->logits(model->ids(ids)));
      EXPECT_NE(whole, plain);
    }
  }
  set_thread_count(available_cpus());
}

// Several sequences in one cache, whose blocks lie apart.
TEST(KvCache, ASequenceHasItsBitsAmongOthers) {
  const NoGrad off;
  for (const DType type : kTypes) {
    const auto model = load_wide("llama", type);
    const int64_t vocabulary = model->config().vocab_size, length = 20;
    auto batch = some_ids(2 * length, vocabulary, 3);
    const auto ids = some_ids(length, vocabulary);
    batch.insert(batch.end(), ids.begin(), ids.end());
    const Tensor all = Tensor::from(batch, {3, length});
    KvCache cache(model->config(), 30, 3, {}, type);
    std::vector<float> last;
    for (const auto& [first, end] : {std::pair{0, 9}, {9, 10}, {10, 20}}) {
      const auto part = floats(slice(model->logits(slice(all, 1, first, end), &cache), 0, 2, 3));
      last.insert(last.end(), part.begin(), part.end());
    }
    EXPECT_EQ(last, floats(model->logits(model->ids(ids)))) << type;
  }
}

TEST(KvCache, ForgetsAndGrows) {
  const NoGrad off;
  for (const DType type : kTypes) {
    const auto model = load_wide("llama", type);
    const auto ids = some_ids(40, model->config().vocab_size), other = some_ids(20, 50, 9);
    const std::span<const int64_t> span(ids);
    KvCache cache(model->config(), 20, 1, {}, type);
    (void)model->logits(model->ids(span.first(9)), &cache);
    (void)model->logits(model->ids(std::span(other).first(11)), &cache);
    cache.truncate(9);
    cache.reserve(40);
    EXPECT_EQ(cache.capacity(), 40);
    const auto rest = floats(model->logits(model->ids(span.subspan(9)), &cache));
    const auto whole = floats(model->logits(model->ids(ids)));
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.end() - static_cast<std::ptrdiff_t>(rest.size())))
        << type;
  }
}

// Keys and values, 3 layers, 30 positions, 2 heads of 32; the compressed vectors alone, 24 + 8 wide.
TEST(KvCache, BlocksTake34BytesFor32Numbers) {
  const auto bytes = [](const char* family, DType type) {
    const auto model = load_wide(family, type);
    return KvCache(model->config(), 30, 1, {}, type).bytes();
  };
  EXPECT_EQ(bytes("llama", kQ8_0), 2 * 3 * 30 * 2 * 34);
  EXPECT_EQ(bytes("llama", kF16), 2 * 3 * 30 * 2 * 64);
  EXPECT_EQ(bytes("minicpm3", kQ8_0) * 64, bytes("minicpm3", kF16) * 34);
}

TEST(KvCache, GenerationAndTrainingSeeTheSameNumbers) {
  for (const DType type : kTypes) {
    const auto model = load_wide("llama", type);
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
  for (const DType type : {kF32, kF16, kQ8_0}) {
    const auto model = load_wide("llama", type);
    const auto ids = some_ids(20, model->config().vocab_size);
    const std::span<const int64_t> span(ids);
    const Tensor loss = sum(model->token_losses(model->ids(span.first(19)), model->ids(span.subspan(1))));
    std::vector<float> all;
    for (const Tensor& g : gradients(loss, model->parameters()))
      for (const float x : floats(g)) all.push_back(x);
    of_types.push_back(all);
  }
  for (const auto& [type, allowed] : {std::pair{1, 1e-3}, {2, 5e-2}}) {
    const std::vector<float>& rounded = of_types[static_cast<size_t>(type)];
    ASSERT_EQ(of_types[0].size(), rounded.size());
    double difference = 0, size = 0;
    for (size_t i = 0; i < of_types[0].size(); ++i) {
      difference += std::pow(rounded[i] - of_types[0][i], 2);
      size += std::pow(of_types[0][i], 2);
    }
    EXPECT_GT(difference, 0);
    EXPECT_LT(std::sqrt(difference / size), allowed);
  }
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
            "a cache of keys and values holds f32, f16, bf16 or q8_0, not i8");
  EXPECT_EQ(models::message([&] { other.set_cache_dtype(kQ4_0); }),
            "a cache of keys and values holds f32, f16, bf16 or q8_0, not q4_0");
  EXPECT_EQ(models::message([&] { other.set_cache_dtype(kQ8_0); }),
            "a q8_0 cache holds blocks of 32 numbers, and a head of this model is 8 wide; take f16");
  EXPECT_EQ(models::message([&] { load("deepseek_v3", kQ8_0); }),
            "a q8_0 cache holds blocks of 32 numbers, and the compressed vector of this model is 24 wide; "
            "take f16");
  EXPECT_EQ(other.cache_dtype(), kF32);
  EXPECT_TRUE(models::contains(models::message([&] { KvCache(model.config(), 9, 1, {}, kQ8_0); }),
                               "a multiple of 32 elements, which q8_0 needs"));
}

}  // namespace
}  // namespace suiren::infer
