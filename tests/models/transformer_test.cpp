#include "suiren/models/transformer.h"

#include <cmath>

#include "suiren/base/threads.h"
#include "suiren/infer/kv_cache.h"
#include "suiren/models/rope_tables.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

using infer::KvCache;

TEST(RopeTables, GrowWithThePositionsAskedFor) {
  RopeConfig rope;
  rope.theta = 100;
  const RopeTables tables(rope_frequencies(rope, 4, 8192, 8192), 8192, Device(), kF64);
  for (const int64_t first : {0, 1000, 3}) {
    const auto [cos, sin] = tables.at(first, 2);
    ASSERT_EQ(cos.shape(), (Shape{2, 2}));
    for (int64_t p = 0; p < 2; ++p)
      for (int64_t i = 0; i < 2; ++i) {
        const double angle = static_cast<double>(first + p) * std::pow(100.0, -static_cast<double>(i) / 2);
        EXPECT_NEAR(cos.to_vector<double>()[static_cast<size_t>(2 * p + i)], std::cos(angle), 1e-12);
        EXPECT_NEAR(sin.to_vector<double>()[static_cast<size_t>(2 * p + i)], std::sin(angle), 1e-12);
      }
  }
}

TEST(Transformer, ParametersHaveHuggingFaceNamesAndCounts) {
  for (const bool tied : {false, true}) {
    TransformerConfig c = small_config();
    c.tie_word_embeddings = tied;
    c.attention_bias = c.attention_out_bias = c.mlp_bias = true;
    const Transformer model(c, 1);
    std::vector<std::string> names;
    for (const auto& [name, tensor] : model.named_parameters()) names.push_back(name);
    EXPECT_EQ(names[0], "model.embed_tokens.weight");
    EXPECT_EQ(names[1], "model.layers.0.self_attn.q_proj.weight");
    EXPECT_EQ(names[2], "model.layers.0.self_attn.q_proj.bias");
    EXPECT_EQ(names.back(), tied ? "model.norm.weight" : "lm_head.weight");
    EXPECT_EQ(model.parameter_count(), c.parameter_count());
  }
  TransformerConfig q = small_config();
  q.model_type = "qwen3";
  q.qk_norm = QkNorm::kHead;
  EXPECT_EQ(Transformer(q, 1).parameter_count(), q.parameter_count());
}

// Wider and longer than the blocks in which kernels sum.
TransformerConfig wide_config() {
  TransformerConfig c = small_config();
  c.hidden_size = 320, c.intermediate_size = 712, c.vocab_size = 1003, c.head_dim = 80;
  c.max_position_embeddings = 512, c.initializer_range = 0.1;
  return c;
}

struct Case {
  TransformerConfig config;
  std::vector<std::vector<size_t>> chunks;
};

// Logits [T, V] of one sequence, with every way to run it.
class SameBits : public testing::TestWithParam<Case> {
 protected:
  SameBits()
      : model_(GetParam().config, 3),
        length_(static_cast<int64_t>(GetParam().chunks[0][0])),
        ids_(some_ids(length_, model_.config().vocab_size)) {}
  std::vector<uint8_t> alone() const { return model_.logits(model_.ids(ids_)).to_bytes(); }
  std::vector<uint8_t> in_chunks(const std::vector<size_t>& sizes) const {
    KvCache cache(model_.config(), length_);
    std::vector<uint8_t> all;
    size_t at = 0;
    for (const size_t n : sizes) {
      const auto part = model_.logits(model_.ids(std::span(ids_).subspan(at, n)), &cache).to_bytes();
      all.insert(all.end(), part.begin(), part.end());
      at += n;
    }
    EXPECT_EQ(at, ids_.size());
    return all;
  }
  Transformer model_;
  int64_t length_;
  std::vector<int64_t> ids_;
  NoGrad off_;
};

TEST_P(SameBits, AloneInChunksAndTokenByToken) {
  const auto want = alone();
  for (const auto& sizes : GetParam().chunks) EXPECT_EQ(in_chunks(sizes), want) << "chunks from " << sizes[0];
  EXPECT_EQ(in_chunks(std::vector<size_t>(ids_.size(), 1)), want);
}

TEST_P(SameBits, InABatch) {
  const auto want = alone();
  for (const int64_t batch : {2, 5}) {
    std::vector<int64_t> all;
    for (int64_t b = 0; b < batch; ++b) {
      const auto row = b == batch - 1 ? ids_ : some_ids(length_, 97, b + 1);
      all.insert(all.end(), row.begin(), row.end());
    }
    const Tensor logits = model_.logits(Tensor::from(all, {batch, length_}));
    EXPECT_EQ(slice(logits, 0, batch - 1, batch).to_bytes(), want) << batch;
  }
}

TEST_P(SameBits, WithAnyNumberOfThreads) {
  const auto want = alone();
  const int before = thread_count();
  for (const int n : {1, 2, 3, 4, 8}) {
    set_thread_count(n);
    EXPECT_EQ(alone(), want) << n << " threads";
  }
  set_thread_count(before);
}

TEST_P(SameBits, APrefixDoesNotSeeWhatFollows) {
  const auto want = alone();
  const auto part = model_.logits(model_.ids(std::span(ids_).first(10))).to_bytes();
  EXPECT_TRUE(std::equal(part.begin(), part.end(), want.begin()));
}

INSTANTIATE_TEST_SUITE_P(Sizes, SameBits,
                         testing::Values(Case{small_config(), {{23}, {16, 7}, {1, 5, 8, 9}}},
                                         Case{wide_config(), {{301}, {256, 45}, {7, 64, 100, 130}}}),
                         [](const auto& info) { return info.index ? "wide" : "small"; });

class BatchGradients : public testing::TestWithParam<bool> {};

TEST_P(BatchGradients, AreThoseOfItsSequencesInOrder) {
  Transformer model(GetParam() ? wide_config() : small_config(), 4);
  const int64_t b = 3, t = GetParam() ? 270 : 12;
  const auto tokens = some_ids(b * (t + 1), model.config().vocab_size);
  const auto row = [&](int64_t i, int64_t shift) {
    return std::span(tokens).subspan(static_cast<size_t>(i * (t + 1) + shift), static_cast<size_t>(t));
  };
  std::vector<int64_t> in, out;
  Tensors sums;
  for (int64_t i = 0; i < b; ++i) {
    in.insert(in.end(), row(i, 0).begin(), row(i, 0).end());
    out.insert(out.end(), row(i, 1).begin(), row(i, 1).end());
    accumulate_gradients(sum(model.token_losses(model.ids(row(i, 0)), model.ids(row(i, 1)))),
                         model.parameters(), sums);
  }
  const Tensors at_once = gradients(
      sum(model.token_losses(Tensor::from(in, {b, t}), Tensor::from(out, {b, t}))), model.parameters());
  const auto names = model.named_parameters();
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(at_once[i].to_bytes(), sums[i].to_bytes()) << names[i].first;
}

INSTANTIATE_TEST_SUITE_P(Sizes, BatchGradients, testing::Bool());

TEST(Transformer, GradientsAreCentralDifferences) {
  TransformerConfig c = small_config();
  c.model_type = "qwen3";
  c.qk_norm = QkNorm::kHead;
  c.attention_bias = c.attention_out_bias = true;
  c.tie_word_embeddings = true;
  Transformer model(c, 5, {Device(), kF64});
  const auto ids = some_ids(7, 97), targets = some_ids(7, 97, 1);
  const auto loss = [&] { return sum(model.token_losses(model.ids(ids), model.ids(targets))); };
  const auto named = model.named_parameters();
  const Tensors grads = gradients(loss(), model.parameters());
  const NoGrad off;
  for (size_t p = 0; p < named.size(); ++p) {
    const std::vector<double> g = grads[p].to_vector<double>();
    double* x = named[p].second->data<double>();
    for (size_t i = 0; i < g.size(); i += std::max<size_t>(g.size() / 3, 1)) {
      const double before = x[i], h = 1e-5;
      x[i] = before + h;
      named[p].second->storage()->bump_version();
      const double up = loss().item();
      x[i] = before - h;
      named[p].second->storage()->bump_version();
      const double down = loss().item();
      x[i] = before;
      named[p].second->storage()->bump_version();
      EXPECT_NEAR(g[i], (up - down) / (2 * h), 1e-6 * std::max(1.0, std::abs(g[i])))
          << named[p].first << "[" << i << "]";
    }
  }
}

TEST(Transformer, ReadsShards) {
  const Folder folder("shards");
  TransformerConfig c = small_config();
  const Transformer model(c, 8);
  model.save(folder.path());
  std::filesystem::rename(folder.path() + "/model.safetensors",
                          folder.path() + "/model-00001-of-00001.safetensors");
  write_file(folder.path() + "/model.safetensors.index.json",
             R"({"metadata": {}, "weight_map": {"lm_head.weight": "model-00001-of-00001.safetensors"}})");
  EXPECT_EQ(Transformer::load(folder.path())->parameters()[0].to_bytes(), model.parameters()[0].to_bytes());
  write_file(folder.path() + "/model.safetensors.index.json", R"({"weight_map": {"a": "../x"}})");
  EXPECT_TRUE(
      contains(message([&] { Transformer::load(folder.path()); }), "expected a file name beside the index"));
}

TEST(Transformer, RefusesWhatDoesNotFit) {
  Transformer model(small_config(), 1);
  const std::vector<int64_t> beyond{1, 97}, negative{-1};
  EXPECT_EQ(message([&] { model.ids(beyond); }), "token id 97 is outside the model's vocabulary of 97");
  EXPECT_EQ(message([&] { model.ids(negative); }), "token id -1 is outside the model's vocabulary of 97");
  EXPECT_EQ(message([&] { model.hidden(model.ids(some_ids(65, 97))); }),
            "65 tokens exceed the model's 64 positions; shorten the text");
  const Folder folder("misfit");
  model.save(folder.path());
  TransformerConfig other = small_config();
  other.num_hidden_layers = 3, other.vocab_size = 90;
  other.save(folder.path());
  const std::string text = message([&] { Transformer::load(folder.path()); });
  EXPECT_TRUE(contains(text, "missing: model.layers.2.self_attn.q_proj.weight")) << text;
  EXPECT_TRUE(contains(text, "model.embed_tokens.weight has shape [97, 32], expected [90, 32]")) << text;
  other.vocab_size = other.hidden_size = 1 << 30;  // must not be allocated
  other.save(folder.path());
  EXPECT_TRUE(contains(message([&] { Transformer::load(folder.path()); }), "too few for the"));
}

}  // namespace
}  // namespace suiren::models
