// Each family against the logits that transformers computed (tests/golden/families). SUIREN_FAMILIES names
// another folder of such models: other sizes and seeds.

#include <cstdlib>
#include <set>

#include "suiren/infer/generate.h"
#include "suiren/infer/kv_cache.h"
#include "suiren/io/safetensors.h"
#include "suiren/models/families/families.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

using Json = nlohmann::json;

std::string goldens() {
  const char* folder = std::getenv("SUIREN_FAMILIES");
  return folder ? std::string(folder) + "/" : kFamilies;
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(goldens()))
    if (entry.is_directory()) all.push_back(entry.path().filename());
  std::sort(all.begin(), all.end());
  return all;
}

class FamilyTest : public testing::TestWithParam<std::string> {
 protected:
  std::string folder() const { return goldens() + GetParam(); }
  Json reference() const { return Json::parse(read_file(folder() + "/reference.json")); }
  std::vector<int64_t> prompt() const { return reference()["prompt"].get<std::vector<int64_t>>(); }
  // As the reference is: with the rotary factors of a text of this length.
  std::unique_ptr<Transformer> model(const nn::Placement& at = {}) const {
    auto m = Transformer::load(folder(), at);
    m->set_context(static_cast<int64_t>(prompt().size()));
    return m;
  }
};

TEST_P(FamilyTest, LogitsAreTransformers) {
  const auto m = model();
  const std::vector<double> want = io::Npy::open(folder() + "/logits.npy").to_doubles();
  const NoGrad off;
  const std::vector<float> got = m->logits(m->ids(prompt())).to_vector<float>();
  ASSERT_EQ(got.size(), want.size());
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::abs(got[i] - want[i]));
  EXPECT_LT(worst, 1e-4);
  RecordProperty("largest_difference", fmt::format("{:.2e}", worst));
}

TEST_P(FamilyTest, GreedyIsTransformers) {
  if (const double gap = reference()["smallest_top2_gap"]; gap < 1e-4)
    GTEST_SKIP() << "two logits of the reference come within " << gap;
  const auto want = reference()["greedy"].get<std::vector<int64_t>>();
  const auto m = model();
  infer::GenerateOptions o;
  o.max_tokens = static_cast<int64_t>(want.size());
  o.sampling.temperature = 0;
  o.ignore_eos = true;
  EXPECT_EQ(infer::generate(*m, prompt(), o).ids, want);
}

TEST_P(FamilyTest, SameBitsInChunksTokenByTokenAndInABatch) {
  const auto m = model();
  const auto ids = prompt();
  const NoGrad off;
  const auto want = m->logits(m->ids(ids)).to_bytes();
  const auto length = static_cast<int64_t>(ids.size());
  for (const size_t step : {size_t{1}, size_t{7}, size_t{16}, ids.size()}) {
    infer::KvCache cache(m->config(), length);
    std::vector<uint8_t> all;
    for (size_t at = 0; at < ids.size(); at += step) {
      const auto part = std::span(ids).subspan(at, std::min(step, ids.size() - at));
      const auto bytes = m->logits(m->ids(part), &cache).to_bytes();
      all.insert(all.end(), bytes.begin(), bytes.end());
    }
    EXPECT_EQ(all, want) << "in chunks of " << step;
  }
  auto batch = some_ids(2 * length, m->config().vocab_size);
  batch.insert(batch.end(), ids.begin(), ids.end());
  const Tensor logits = m->logits(Tensor::from(batch, {3, length}));
  EXPECT_EQ(slice(logits, 0, 2, 3).to_bytes(), want);
}

TEST_P(FamilyTest, CountsItsParameters) {
  const auto m = model();
  EXPECT_EQ(m->parameter_count(), m->config().parameter_count());
  if (m->config().moe.experts)
    EXPECT_LT(m->config().active_parameter_count(), m->config().parameter_count());
  else
    EXPECT_EQ(m->config().active_parameter_count(), m->config().parameter_count());
}

TEST_P(FamilyTest, SavesTheFilesThatItReads) {
  const Folder copy("family_" + GetParam());
  const auto m = model();
  m->save(copy.path());
  const io::SafeTensors before = io::SafeTensors::open(folder() + "/model.safetensors");
  const io::SafeTensors after = io::SafeTensors::open(copy.path() + "/model.safetensors");
  EXPECT_EQ(after.entries().size(), before.entries().size());
  for (const io::TensorEntry& e : before.entries()) {
    const io::TensorEntry& again = after.entry(e.name);
    EXPECT_EQ(again.shape, e.shape) << e.name;
    EXPECT_TRUE(std::ranges::equal(again.bytes, e.bytes)) << e.name;
  }
  EXPECT_EQ(TransformerConfig::load(copy.path()), m->config());
  const Json config = Json::parse(read_file(copy.path() + "/config.json"));
  EXPECT_EQ(config["architectures"], Json::parse(read_file(folder() + "/config.json"))["architectures"]);
}

// A few elements of each parameter by central differences in float64.
TEST_P(FamilyTest, GradientsAreCentralDifferences) {
  const auto m = model({Device(), kF64});
  const auto all = prompt();
  const auto ids = std::span(all).first(14), targets = std::span(all).subspan(1, 14);
  const auto loss = [&] { return sum(m->token_losses(m->ids(ids), m->ids(targets))); };
  const auto named = m->named_parameters();
  const Tensors grads = gradients(loss(), m->parameters());
  const NoGrad off;
  const size_t step = std::max<size_t>(named.size() / 40, 1);
  size_t nonzero = 0;
  for (size_t p = 0; p < named.size(); p += step) {
    const std::vector<double> g = grads[p].to_vector<double>();
    const size_t i = p * 7919 % g.size();
    Tensor& x = *named[p].second;
    const double before = x.data<double>()[i], h = 1e-5;
    const auto at = [&](double value) {
      x.data<double>()[i] = value;
      x.storage()->bump_version();
      return loss().item();
    };
    const double slope = (at(before + h) - at(before - h)) / (2 * h);
    at(before);
    EXPECT_NEAR(g[i], slope, 2e-6 * std::max(1.0, std::abs(slope))) << named[p].first << "[" << i << "]";
    nonzero += g[i] != 0;
  }
  EXPECT_GT(nonzero, named.size() / step / 4);
}

// The tensors of a golden under other names, and `more` of one element each.
void rewrite(const std::string& family, const std::string& to, const std::string& prefix,
             const std::vector<std::string>& more) {
  const io::SafeTensors file = io::SafeTensors::open(kFamilies + family + "/model.safetensors");
  std::vector<io::TensorEntry> entries = file.entries();
  for (io::TensorEntry& e : entries)
    if (e.name.starts_with(prefix)) e.name = e.name.substr(prefix.size());
  const std::vector<uint8_t> zero(4);
  for (const std::string& name : more) entries.push_back({name, kF32, {1}, zero});
  io::write_safetensors(to + "/model.safetensors", entries);
  std::filesystem::copy_file(kFamilies + family + "/config.json", to + "/config.json");
}

void expect_same(const Transformer& a, const Transformer& b) {
  const auto x = a.named_parameters(), y = b.named_parameters();
  ASSERT_EQ(x.size(), y.size());
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(x[i].second->to_bytes(), y[i].second->to_bytes()) << x[i].first;
}

TEST(Families, Gpt2AsItsAuthorsPublishedIt) {
  const Folder folder("gpt2_published");
  rewrite("gpt2", folder.path(), "transformer.", {"h.0.attn.bias", "h.1.attn.masked_bias"});
  expect_same(*Transformer::load(folder.path()), *Transformer::load(kFamilies + "gpt2"));
}

TEST(Families, LayersThatPredictFurtherTokensAreSkipped) {
  const int64_t layers = TransformerConfig::load(kFamilies + "deepseek_v3").num_hidden_layers;
  const Folder folder("predict");
  rewrite("deepseek_v3", folder.path(), "-", {fmt::format("model.layers.{}.eh_proj.weight", layers)});
  expect_same(*Transformer::load(folder.path()), *Transformer::load(kFamilies + "deepseek_v3"));
  const Folder further("predict_further");
  rewrite("deepseek_v3", further.path(), "-", {fmt::format("model.layers.{}.eh_proj.weight", layers + 1)});
  EXPECT_TRUE(contains(message([&] { Transformer::load(further.path()); }), "unexpected: model.layers."));
}

TEST(Families, APartOfASharedTensorThatDoesNotFitIsNamed) {
  const Folder folder("phi3_misfit");
  Json config = Json::parse(read_file(kFamilies + "phi3/config.json"));
  config["num_key_value_heads"] = 1;
  rewrite("phi3", folder.path(), "-", {});
  write_file(folder.path() + "/config.json", config.dump());
  EXPECT_TRUE(contains(message([&] { Transformer::load(folder.path()); }),
                       "model.layers.0.self_attn.qkv_proj.weight has shape [64, 32], expected [48, 32]"));
}

TEST(Families, DynamicScalingGoesAsFarAsTheContext) {
  TransformerConfig c = small_config();
  c.rope.type = "dynamic", c.rope.factor = 2;
  Transformer model(c, 1);
  const auto ids = some_ids(100, 97);
  const NoGrad off;
  EXPECT_TRUE(contains(message([&] { model.logits(model.ids(ids)); }), "100 tokens exceed"));
  const auto before = model.logits(model.ids(std::span(ids).first(20))).to_bytes();
  model.set_context(100);
  const auto want = model.logits(model.ids(ids)).to_bytes();
  EXPECT_NE(model.logits(model.ids(std::span(ids).first(20))).to_bytes(), before);
  infer::KvCache cache(c, 100);
  auto got = model.logits(model.ids(std::span(ids).first(33)), &cache).to_bytes();
  const auto rest = model.logits(model.ids(std::span(ids).subspan(33)), &cache).to_bytes();
  got.insert(got.end(), rest.begin(), rest.end());
  EXPECT_EQ(got, want);
}

TEST(Families, EachHarmlessFieldHasAReasonAndStandsOnce) {
  std::set<std::string> keys;
  for (const HarmlessField& f : harmless_fields()) {
    EXPECT_TRUE(keys.insert(f.key).second) << f.key;
    EXPECT_GT(std::string(f.reason).size(), 5u) << f.key;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, FamilyTest, testing::ValuesIn(names()), [](const auto& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace suiren::models
