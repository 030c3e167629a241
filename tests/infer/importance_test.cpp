// The importance of columns, against the definition computed here in double, and its two file formats.
#include "suiren/infer/importance.h"

#include <cmath>
#include <cstring>

#include "suiren/infer/language_model.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::ImportanceMatrix;
using models::Transformer;

constexpr int64_t kWindow = 20;

/// Mean squares of the columns of norm(embedding(ids)) of the first layer.
std::vector<double> first_layer(const Transformer& model, const std::vector<int64_t>& ids) {
  std::map<std::string, std::vector<float>> p;
  for (const auto& [name, tensor] : model.named_parameters()) p[name] = tensor->to_vector<float>();
  const auto width = static_cast<size_t>(model.config().hidden_size);
  std::vector<double> means(width);
  for (const int64_t id : ids) {
    const float* x = p["model.embed_tokens.weight"].data() + static_cast<size_t>(id) * width;
    double square = 0;
    for (size_t i = 0; i < width; ++i) square += static_cast<double>(x[i]) * x[i];
    const double scale = 1 / (square / static_cast<double>(width) + model.config().rms_norm_eps);
    for (size_t i = 0; i < width; ++i) {
      const double w = p["model.layers.0.input_layernorm.weight"][i];
      means[i] += static_cast<double>(x[i]) * x[i] * scale * w * w / static_cast<double>(ids.size());
    }
  }
  return means;
}

TEST(Importance, IsTheMeanSquareOfWhatColumnsMeet) {
  const Transformer model(models::small_config(), 5);
  const std::vector<int64_t> ids = models::some_ids(3 * kWindow, 97),
                             more = models::some_ids(3 * kWindow + 7, 97);
  const ImportanceMatrix found = importance(model, more, kWindow);  // the rest of a window is dropped
  const std::vector<double> want = first_layer(model, ids);
  for (const char* part : {"q", "k", "v"}) {
    const auto got = found.of(fmt::format("blk.0.attn_{}.weight", part));
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-5 * want[i]) << part << i;
  }
  EXPECT_EQ(found.of("blk.1.ffn_down.weight").size(), 48u);
  EXPECT_EQ(found.size(), 2u * 7);  // no embedding, no head
  EXPECT_TRUE(models::contains(models::message([&] { importance(model, ids, 1000); }), "give a longer text"));
}

TEST(Importance, OfExpertsEachHasItsOwn) {
  const auto model = Transformer::load(models::kFamilies + "mixtral");
  const auto& c = model->config();
  const std::vector<int64_t> ids = models::some_ids(kWindow, c.vocab_size);
  const ImportanceMatrix found = importance(*model, ids, kWindow);
  const auto up = found.of("blk.0.ffn_up_exps.weight"), gate = found.of("blk.0.ffn_gate_exps.weight");
  ASSERT_EQ(std::ssize(up), c.moe.experts * c.hidden_size);
  EXPECT_TRUE(std::ranges::equal(up, gate));
  std::set<float> first;
  for (int64_t e = 0; e < c.moe.experts; ++e) first.insert(up[static_cast<size_t>(e * c.hidden_size)]);
  EXPECT_GT(first.size(), 1u);
}

TEST(Importance, EachTensorThatExportWritesIsNamed) {
  for (const char* family :
       {"llama", "gpt2", "phi3", "glm4", "gemma2", "qwen2_moe", "gpt_oss", "deepseek_v3"}) {
    const auto model = Transformer::load(models::kFamilies + family);
    const ImportanceMatrix found =
        importance(*model, models::some_ids(kWindow, model->config().vocab_size), kWindow);
    for (const char* tensor : {"ffn_down.weight", "ffn_up.weight", "attn_output.weight"}) {
      const std::string experts = std::string(tensor).replace(8, 0, "_exps");
      EXPECT_FALSE(found.of(std::string("blk.0.") + tensor).empty() && found.of("blk.0." + experts).empty() &&
                   found.of("blk.0.ffn_up_exps.weight").empty())
          << family << ": " << tensor;
    }
  }
}

TEST(Importance, FilesKeepIt) {
  const models::Folder folder("importance");
  const Transformer model(models::small_config(), 5);
  const ImportanceMatrix found = importance(model, models::some_ids(kWindow, 97), kWindow);
  const std::string path = folder.path() + "/imatrix.gguf";
  found.save(path, kWindow);
  const ImportanceMatrix back = ImportanceMatrix::load(path);
  EXPECT_EQ(back.size(), found.size());
  EXPECT_TRUE(std::ranges::equal(back.of("blk.1.attn_k.weight"), found.of("blk.1.attn_k.weight")));
}

std::string number(uint32_t n) { return std::string(reinterpret_cast<const char*>(&n), 4); }

TEST(Importance, TheOlderFormIsReadAndDamageRefused) {
  const float sums[] = {8, 0, 2};
  const std::string numbers(reinterpret_cast<const char*>(sums), sizeof sums);
  const std::string entry = number(3) + "abc" + number(4) + number(3) + numbers;
  const auto read = [](const std::string& text) {
    return ImportanceMatrix::from_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "f");
  };
  const ImportanceMatrix m = read(number(1) + entry);
  EXPECT_TRUE(std::ranges::equal(m.of("abc"), std::vector<float>{2, 0, 0.5}));
  const auto refusal = [&](const std::string& text) { return models::message([&] { read(text); }); };
  EXPECT_TRUE(models::contains(refusal(number(2) + entry + entry), "abc stands twice"));
  EXPECT_TRUE(models::contains(refusal((number(1) + entry).substr(0, 25)), "cut short"));
  const float bad[] = {8, -1, 2};
  EXPECT_TRUE(models::contains(refusal(number(1) + number(3) + "abc" + number(4) + number(3) +
                                       std::string(reinterpret_cast<const char*>(bad), sizeof bad)),
                               "abc: number 1 is -0.25, expected one of 0 or more"));
}

}  // namespace
}  // namespace suiren::infer
