// GGUF files as models, against tests/golden/gguf: the families' small models as llama.cpp's converter
// stores them (make_gguf.py there).

#include <algorithm>
#include <cstring>
#include <set>

#include "suiren/base/digest.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/io/safetensors.h"
#include "suiren/models/gguf/export.h"
#include "suiren/models/gguf/gguf_config.h"
#include "suiren/models/gguf/gguf_model.h"
#include "tests/models/fetched.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

const std::string kGguf = "tests/golden/gguf/";
const char* const kStored[] = {"deepseek_v3", "gemma2",  "gpt2",          "gpt_oss",
                               "llama3-rope", "mixtral", "phi3-longrope", "qwen2_moe"};

/// `written`, but for the norms of Gemma, which a file holds plus 1: the difference has lost low bits.
void expect_same_bytes(const io::BlockEntry& read, const io::TensorEntry& written, bool offset) {
  std::vector<uint8_t> room;
  const std::span<const uint8_t> bytes = read.read(room);
  ASSERT_EQ(read.shape, written.shape) << read.name;
  ASSERT_EQ(bytes.size(), written.bytes.size()) << read.name;
  if (!offset || !read.name.ends_with("norm.weight")) {
    EXPECT_EQ(std::memcmp(bytes.data(), written.bytes.data(), bytes.size()), 0) << read.name;
    return;
  }
  for (size_t at = 0; at < bytes.size(); at += sizeof(float)) {
    float a, b;
    std::memcpy(&a, bytes.data() + at, sizeof a);
    std::memcpy(&b, written.bytes.data() + at, sizeof b);
    EXPECT_EQ(a, (1 + b) - 1) << read.name;
  }
}

TEST(GgufModel, TensorsAreThoseOfHuggingFacesFilesBitForBit) {
  for (const std::string name : kStored) {
    const GgufModel model = GgufModel::open(kGguf + name + ".gguf");
    const auto files = io::SafeTensors::open(kFamilies + name + "/model.safetensors");
    std::set<std::string> names;
    for (const io::BlockEntry& e : model.entries()) {
      ASSERT_TRUE(files.contains(e.name)) << name << ": " << e.name;
      expect_same_bytes(e, files.entry(e.name), model.config().norm_offset);
      names.insert(e.name);
    }
    EXPECT_EQ(names.size(), files.entries().size()) << name;
  }
}

/// What llama.cpp's converter leaves out: special tokens (in the vocabulary's part), training.
TransformerConfig comparable(TransformerConfig c) {
  c.bos_token_id = c.pad_token_id = {};
  c.eos_token_ids.clear();
  c.initializer_range = 0, c.skipped_predict_layers = 0;
  return c;
}

TEST(GgufModel, DescriptionsAreThoseOfConfigJson) {
  for (const std::string name : kStored) {
    const TransformerConfig read = comparable(GgufModel::open(kGguf + name + ".gguf").config());
    TransformerConfig expected = comparable(TransformerConfig::load(kFamilies + name));
    if (name == "llama3-rope") {  // no published setting: the factors themselves, here 1 or 8
      const std::vector<double> factors{1, 8, 8, 8};
      EXPECT_EQ(read.rope.short_factor, factors);
      EXPECT_EQ(read.rope.long_factor, factors);
      EXPECT_EQ(read.rope.attention_factor, 1);
      expected.rope = read.rope;
    }
    EXPECT_EQ(read.to_json().dump(1), expected.to_json().dump(1)) << name;
  }
}

/// A golden with other metadata, in memory for as long as this lives.
class Changed {
 public:
  explicit Changed(const std::string& name)
      : file_(io::Gguf::open(kGguf + name + ".gguf")), tensors_(file_.entries()) {
    for (const auto& [key, value] : file_.metadata()) metadata.set(key, value);
  }
  GgufModel open() {
    write_gguf(folder_.path() + "/model.gguf", tensors_, metadata);
    return GgufModel::open(folder_.path() + "/model.gguf");
  }
  void rename(const std::string& from, const std::string& to) {
    for (io::BlockEntry& e : tensors_)
      if (e.name == from) e.name = to;
  }
  void drop(const std::string& name) {
    std::erase_if(tensors_, [&](const io::BlockEntry& e) { return e.name == name; });
  }
  void replace(const std::string& name, const std::vector<float>& values) {
    for (io::BlockEntry& e : tensors_)
      if (e.name == name) e.bytes = {reinterpret_cast<const uint8_t*>(values.data()), 4 * values.size()};
  }
  io::GgufMetadata metadata;

 private:
  Folder folder_{"gguf_changed"};
  io::Gguf file_;
  std::vector<io::BlockEntry> tensors_;
};

const nlohmann::json& listing() {
  static const nlohmann::json g = golden("gguf/families.json");
  return g;
}

std::vector<io::BlockEntry> weights_of(const io::SafeTensors& file) {
  std::vector<io::BlockEntry> out;
  for (const io::TensorEntry& e : file.entries())
    out.push_back({e.name, *quant::BlockFormat::parse(e.dtype.name()), e.shape, e.bytes});
  return out;
}

/// llama.cpp's newest files of DeepSeek hold the up-projection of the latent in two parts.
bool split_there(const std::string& name) {
  return contains(name, ".attn_k_b.") || contains(name, ".attn_v_b.");
}

TEST(GgufExport, TensorsAreThoseOfLlamaCppsConverter) {
  for (const auto& [name, expected] : listing().items()) {
    const auto file = io::SafeTensors::open(kFamilies + name + "/model.safetensors");
    const GgufExport made(TransformerConfig::load(kFamilies + name), weights_of(file));
    size_t compared = 0;
    for (size_t i = 0; i < made.tensors().size(); ++i) {
      const io::BlockEntry& e = made.tensors()[i];
      if (contains(e.name, ".attn_kv_b.") && !expected["tensors"].contains(e.name)) continue;
      ASSERT_TRUE(expected["tensors"].contains(e.name)) << name << ": " << e.name;
      const auto& row = expected["tensors"][e.name];
      EXPECT_EQ(e.format.name(), row[0].get<std::string>()) << name << ": " << e.name;
      EXPECT_EQ(e.shape, row[1].get<std::vector<int64_t>>()) << name << ": " << e.name;
      const std::vector<uint8_t> bytes = made.bytes(i);
      EXPECT_EQ(sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()}), row[2])
          << name << ": " << e.name;
      ++compared;
    }
    const auto skipped = std::ranges::count_if(expected["tensors"].items(),
                                               [](const auto& row) { return split_there(row.key()); });
    EXPECT_EQ(compared + static_cast<size_t>(skipped), expected["tensors"].size()) << name;
  }
}

/// Writes what GgufExport makes; without suiren.* keys as another program would.
GgufModel written(const std::string& name, const std::string& path, bool own_keys) {
  const auto file = io::SafeTensors::open(kFamilies + name + "/model.safetensors");
  const GgufExport made(TransformerConfig::load(kFamilies + name), weights_of(file));
  io::GgufMetadata metadata, plain;
  made.write_metadata(metadata);
  io::GgufWriter writer(path, made.tensors(), metadata);
  for (size_t i = 0; i < made.tensors().size(); ++i) writer.append(made.bytes(i));
  writer.commit();
  if (own_keys) return GgufModel::open(path);
  const io::Gguf whole = io::Gguf::open(path);
  for (const auto& [key, value] : whole.metadata())
    if (!key.starts_with("suiren.")) plain.set(key, value);
  io::write_gguf(path + ".plain", whole.entries(), plain);
  return GgufModel::open(path + ".plain");
}

TEST(GgufExport, ReadBackEachFamilyIsTheSameBitForBit) {
  const Folder folder("gguf_export");
  for (const auto& [name, expected] : listing().items()) {
    const GgufModel model = written(name, folder.path() + "/model.gguf", true);
    const auto file = io::SafeTensors::open(kFamilies + name + "/model.safetensors");
    EXPECT_EQ(model.entries().size(), file.entries().size()) << name;
    for (const io::BlockEntry& e : model.entries()) expect_same_bytes(e, file.entry(e.name), false);
  }
}

TEST(GgufExport, KeysSayTheWholeDescription) {
  const Folder folder("gguf_keys");
  const auto core = [](TransformerConfig c) {
    c.initializer_range = 0, c.skipped_predict_layers = 0;
    if (c.eos_token_ids.size() > 1) c.eos_token_ids.resize(1);
    return c;
  };
  for (const auto& [name, expected] : listing().items()) {
    const TransformerConfig read = core(written(name, folder.path() + "/model.gguf", false).config());
    TransformerConfig wanted = core(TransformerConfig::load(kFamilies + name));
    if (name == "llama3-rope") wanted.rope = read.rope;  // no published setting: see above
    EXPECT_EQ(read.to_json().dump(1), wanted.to_json().dump(1)) << name;
  }
}

TEST(GgufExport, WidenedTensorsAreNamedAndWrongOnesRefused) {
  const TransformerConfig c = small_config();
  const std::vector<uint8_t> bytes(2 * 97 * 32);
  std::vector<io::BlockEntry> weights{
      {"model.embed_tokens.weight", quant::BlockFormat::kBF16, {97, 32}, bytes},
      {"model.norm.weight", quant::BlockFormat::kBF16, {32}, std::span(bytes).first(64)}};
  io::GgufMetadata metadata;
  const GgufExport made(c, weights);
  made.write_metadata(metadata);
  EXPECT_EQ(made.tensors()[0].format, quant::BlockFormat::kBF16);
  EXPECT_EQ(made.tensors()[1].format, quant::BlockFormat::kF32);
  const auto named =
      std::ranges::find(metadata.items(), "suiren.stored_as.bf16", &io::GgufMetadata::Item::key);
  ASSERT_NE(named, metadata.items().end());
  EXPECT_TRUE(contains(named->encoded, "model.norm.weight"));
  const auto type = std::ranges::find(metadata.items(), "general.file_type", &io::GgufMetadata::Item::key);
  ASSERT_NE(type, metadata.items().end());
  EXPECT_EQ(type->encoded, std::string("\x20\0\0\0", 4));  // 32: mostly bf16
  weights[0].name = "model.embed.weight";
  EXPECT_TRUE(
      contains(message([&] { GgufExport(c, weights); }), "the tensor 'model.embed.weight' has no place"));
  weights[0] = {"model.layers.0.self_attn.q_proj.weight", quant::BlockFormat::kBF16, {30, 32}, {}};
  EXPECT_TRUE(contains(message([&] { GgufExport(c, weights); }), "expected a multiple of 2 x 4 rows"));
}

TEST(GgufModel, WhatIsNotUnderstoodIsNamed) {
  const auto refused = [](const char* golden, const std::function<void(Changed&)>& change) {
    Changed file(golden);
    change(file);
    return message([&] { file.open().entries(); });
  };
  EXPECT_TRUE(
      contains(refused("mixtral", [](Changed& f) { f.metadata.set("general.architecture", "mamba"); }),
               "general.architecture 'mamba' is not supported; there are llama, qwen2,"));
  EXPECT_TRUE(contains(refused("mixtral", [](Changed& f) { f.metadata.set("llama.logit_scale", 2.0F); }),
                       "the key 'llama.logit_scale' is not understood"));
  EXPECT_TRUE(
      contains(refused("mixtral", [](Changed& f) { f.metadata.set("llama.rope.scaling.type", "su"); }),
               "rope.scaling.type 'su' is not supported"));
  EXPECT_TRUE(contains(refused("mixtral", [](Changed& f) { f.metadata.set("llama.block_count", 0U); }),
                       "block_count is 0"));
  EXPECT_TRUE(contains(refused("mixtral", [](Changed& f) { f.metadata.set("llama.expert_count", 3U); }),
                       "expected 3 extents, the first of 3 experts"));
  EXPECT_TRUE(
      contains(refused("mixtral", [](Changed& f) { f.rename("blk.0.attn_q.weight", "blk.0.attn_z.weight"); }),
               "the tensor 'blk.0.attn_z.weight' is not understood in a model of the family mixtral"));
  EXPECT_TRUE(
      contains(refused("mixtral", [](Changed& f) { f.drop("token_embd.weight"); }), "token_embd.weight"));
  EXPECT_TRUE(contains(refused("gpt_oss", [](Changed& f) { f.drop("blk.0.ffn_up_exps.bias"); }),
                       "blk.0.ffn_up_exps.bias"));
}

TEST(GgufModel, Llama3ScalingIsRecognizedByItsFactors) {
  TransformerConfig c = TransformerConfig::load(kFamilies + "llama3-rope");
  c.rope.theta = 5e5, c.rope.factor = 32, c.rope.original_max_position_embeddings = 8192;
  const auto tensors = gguf_rope_tensors(c);
  ASSERT_EQ(tensors.size(), 1U);
  Changed file("llama3-rope");
  file.metadata.set("llama.rope.freq_base", 5e5F);
  file.replace(tensors[0].first, tensors[0].second);
  const TransformerConfig read = file.open().config();
  EXPECT_EQ(read.rope.type, "llama3");
  EXPECT_EQ(read.rope.factor, 32);
  EXPECT_EQ(read.rope.original_max_position_embeddings, 8192);
  file.drop("rope_freqs.weight");
  EXPECT_EQ(file.open().config().rope.type, "default");
}

TEST(GgufModel, PublishedSmolLm2) {
  const std::string folder = fetched("smollm2");
  if (folder.empty()) GTEST_SKIP() << "SmolLM2-135M-Instruct is not here: tools/fetch_models smollm2";
  const GgufModel model = GgufModel::open(folder + "/SmolLM2-135M-Instruct.Q4_1.gguf");
  EXPECT_EQ(model.config().parameter_count(), 134515008);
  EXPECT_EQ(model.entries().size(), 272U);
  EXPECT_EQ(model.end_tokens(), (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(contains(model.chat_template(), "<|im_start|>"));
}

TEST(GgufModel, PublishedTinyLlama) {
  const std::string folder = fetched("tinyllama");
  if (folder.empty()) GTEST_SKIP() << "TinyLlama-1.1B-Chat is not here: tools/fetch_models tinyllama";
  const GgufModel model = GgufModel::open(folder + "/TinyLlama-1.1B-Chat.IQ2_XXS.gguf");
  EXPECT_EQ(model.config().parameter_count(), 1100048384);
  EXPECT_EQ(model.entries().size(), 201U);
  EXPECT_EQ(model.end_tokens(), (std::vector<int64_t>{2}));
  EXPECT_TRUE(contains(model.chat_template(), "<|assistant|>"));
}

}  // namespace
}  // namespace suiren::models
