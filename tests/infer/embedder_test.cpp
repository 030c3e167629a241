#include "suiren/infer/embedder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/base/threads.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::contains;
using models::golden;
using models::message;
using Json = nlohmann::json;

const std::string kFolder = "tests/golden/embedding/";

std::vector<Embedder::Text> encode_all(const Embedder& e, const Json& texts) {
  std::vector<Embedder::Text> out;
  for (const Json& text : texts) out.push_back(e.encode(text.get<std::string>()));
  return out;
}

TEST(Embedder, VectorsAreThoseOfSentenceTransformers) {
  for (const char* name : {"bert", "roberta", "xlm-roberta"}) {
    SCOPED_TRACE(name);
    const Embedder e = Embedder::load(kFolder + name);
    const Json reference = golden(std::string("embedding/") + name + "/reference.json");
    const auto texts = encode_all(e, reference["texts"]);
    int64_t cut = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(texts[i].ids, reference["ids"][i].get<std::vector<int64_t>>()) << reference["texts"][i];
      cut += texts[i].cut > 0;
    }
    EXPECT_GE(cut, name == std::string("bert") ? 0 : 1);
    const std::vector<float> got = e.embed(texts);
    const auto width = static_cast<size_t>(e.dimensions());
    ASSERT_EQ(got.size(), texts.size() * width);
    for (size_t i = 0; i < texts.size(); ++i)
      for (size_t j = 0; j < width; ++j)
        ASSERT_NEAR(got[i * width + j], reference["vectors"][i][j].get<double>(), 2e-6)
            << reference["texts"][i] << " element " << j;
  }
}

TEST(Embedder, NeighboursAndThreadsChangeNoBit) {
  const Embedder e = Embedder::load(kFolder + "bert");
  const auto texts = encode_all(e, golden("embedding/bert/reference.json")["texts"]);
  const auto width = static_cast<size_t>(e.dimensions());
  const int threads = thread_count();
  const std::vector<float> together = e.embed(texts);
  set_thread_count(threads + 1);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> alone = e.embed(std::span(texts).subspan(i, 1));
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<int64_t>(i * width)))
        << i;
  }
  set_thread_count(threads);
  // More than one pass holds: a text's place in the batches does not matter either.
  std::vector<Embedder::Text> many;
  for (int r = 0; r < 40; ++r) many.insert(many.end(), texts.rbegin(), texts.rend());
  const std::vector<float> repeated = e.embed(many);
  for (size_t i = 0; i < many.size(); ++i) {
    const size_t of = texts.size() - 1 - i % texts.size();
    for (size_t j = 0; j < width; ++j) ASSERT_EQ(repeated[i * width + j], together[of * width + j]) << i;
  }
  EXPECT_TRUE(e.embed({}).empty());
}

TEST(Embedder, VectorsHaveLengthOneWhereTheFilesSaySo) {
  for (const char* name : {"bert", "roberta"}) {
    const Embedder e = Embedder::load(kFolder + name);
    const std::vector<float> v = e.embed(std::vector{e.encode("dog")});
    double square = 0;
    for (const float x : v) square += static_cast<double>(x) * x;
    if (e.settings().normalize)
      EXPECT_NEAR(square, 1, 1e-6);
    else
      EXPECT_GT(square, 2);
  }
}

TEST(EmbeddingSettings, ReadEveryVersionsSpelling) {
  EmbeddingSettings s;
  const Json modules = Json::parse(R"([{"type": "sentence_transformers.models.Transformer", "path": ""},
                                       {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}])");
  EXPECT_EQ(s.read_modules(modules, "m"), "1_Pooling");
  EXPECT_FALSE(s.normalize);
  s.read_pooling(Json::parse(R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})"), "p");
  EXPECT_EQ(s.pooling, Pooling::kCls);
  s.read_pooling(Json::parse(R"({"pooling_mode": "max"})"), "p");
  EXPECT_EQ(s.pooling, Pooling::kMax);
  s.read_tokenizer_config(Json::parse(R"({"model_max_length": 1000000000000000019884624838656})"), "t");
  EXPECT_EQ(s.max_tokens, 0);
  s.read_tokenizer_config(Json::parse(R"({"model_max_length": 512})"), "t");
  EXPECT_EQ(s.max_tokens, 512);
  s.read_sentence_config(Json::parse(R"({"max_seq_length": 256, "do_lower_case": false})"), "s");
  EXPECT_EQ(s.max_tokens, 256);
  s.read_tokenizer_config(Json::parse(R"({"model_max_length": 512})"), "t");
  EXPECT_EQ(s.max_tokens, 256);
}

TEST(EmbeddingSettings, RefuseByName) {
  EmbeddingSettings s;
  const auto modules = [&](const char* text) {
    return message([&] { s.read_modules(Json::parse(text), "m.json"); });
  };
  EXPECT_TRUE(contains(modules(R"([{"type": "a.b.Dense", "path": "2_Dense"}])"),
                       "m.json: the module a.b.Dense is not supported; there are Transformer"));
  EXPECT_TRUE(
      contains(modules(R"([{"type": "a.Transformer", "path": "0_Transformer"}])"), "load that folder"));
  EXPECT_TRUE(contains(modules(R"([{"type": "a.Pooling", "path": "../x"}])"), "Pooling lies in '../x'"));
  EXPECT_TRUE(contains(modules("[]"), "names no Pooling"));
  EXPECT_TRUE(contains(modules("{}"), "expected a list of modules"));
  const auto pooling = [&](const char* text) {
    return message([&] { s.read_pooling(Json::parse(text), "p.json"); });
  };
  EXPECT_TRUE(contains(pooling(R"({"pooling_mode": "lasttoken"})"), "p.json: pooling by 'lasttoken' is not"));
  EXPECT_TRUE(contains(pooling(R"({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true})"),
                       "by 'pooling_mode_max_tokens, pooling_mode_mean_tokens' is not"));
  EXPECT_TRUE(contains(pooling("3"), "expected an object"));
  EXPECT_TRUE(
      contains(message([&] { s.read_sentence_config(Json::parse(R"({"do_lower_case": true})"), "s"); }),
               "do_lower_case is true"));
  EXPECT_TRUE(contains(message([&] { s.read_sentence_config(Json::parse(R"({"max_seq_length": 0})"), "s"); }),
                       "max_seq_length is 0"));
}

TEST(Embedder, DecodersAreRefusedByName) {
  EXPECT_TRUE(contains(message([] { Embedder::load("tests/golden/families/llama"); }),
                       "model_type 'llama' is no encoder that can be read; there are bert"));
  EXPECT_TRUE(contains(message([] { Embedder::load("x.gguf"); }), "x.gguf is a GGUF file"));
}

}  // namespace
}  // namespace suiren::infer
