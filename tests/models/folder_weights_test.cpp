// Weights as folders store them, against tests/golden/folder_weights.
#include "suiren/models/folder_weights.h"

#include <cstring>

#include "suiren/models/gguf/export.h"
#include "suiren/models/gguf/gguf_model.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

using io::BlockEntry;
using Json = nlohmann::json;

void expect_what_peers_read(const std::string& name, size_t in_blocks) {
  const std::string folder = "tests/golden/folder_weights/" + name;
  const auto weights = FolderWeights::open(folder);
  const auto expected = io::SafeTensors::open(folder + "/expected.safetensors");
  ASSERT_EQ(weights.entries().size(), expected.entries().size());
  for (const BlockEntry& e : weights.entries()) {
    const io::TensorEntry& want = expected.entry(e.name);
    const std::vector<float> got = e.values();
    EXPECT_EQ(e.shape, want.shape);
    ASSERT_EQ(got.size() * sizeof(float), want.bytes.size()) << e.name;
    std::vector<float> wanted(got.size());
    std::memcpy(wanted.data(), want.bytes.data(), want.bytes.size());
    EXPECT_EQ(got, wanted) << e.name;  // the zero of mxfp4 that has a sign has none in blocks
    in_blocks -= e.format == quant::BlockFormat::kMXFP4;
  }
  EXPECT_EQ(in_blocks, 0u);
}

TEST(FolderWeights, Fp8TimesTheScalesOfTilesIsTorchs) { expect_what_peers_read("fp8", 0); }
TEST(FolderWeights, Mxfp4ExpertsAreTransformers) { expect_what_peers_read("mxfp4", 6); }

/// Tensors to write: what other files hold, and made bytes.
struct Tensors {
  void keep(const io::SafeTensors& file, const std::function<bool(const std::string&)>& wanted) {
    for (const io::TensorEntry& e : file.entries())
      if (wanted(e.name)) list.push_back(e);
  }
  void add(const std::string& name, std::vector<int64_t> shape, uint8_t least, uint8_t most) {
    auto& bytes = made.emplace_back(static_cast<size_t>(io::checked_numel(shape, name)));
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<uint8_t>(least + (i * i * 31 + i * 7 + made.size()) % (most - least + 1u));
    list.push_back({name, kU8, std::move(shape), bytes});
  }
  std::vector<io::TensorEntry> list;
  std::deque<std::vector<uint8_t>> made;
};

/// A small gpt-oss with experts of random blocks.
void write_gpt_oss(const std::string& folder) {
  Json config = Json::parse(read_file(kFamilies + "gpt_oss/config.json"));
  config["hidden_size"] = 64, config["intermediate_size"] = 32;
  TransformerConfig c = TransformerConfig::from_json(config, "config.json");
  c.initializer_range = 0.2;
  Transformer(c, 3).save(folder);
  config["quantization_config"] = {{"quant_method", "mxfp4"}};
  write_file(folder + "/config.json", config.dump());
  const auto file = io::SafeTensors::open(folder + "/model.safetensors");
  Tensors tensors;
  tensors.keep(file, [](const std::string& n) { return n.ends_with("_bias") || !contains(n, ".experts."); });
  for (const io::TensorEntry& e : file.entries())
    if (e.shape.size() == 3) {  // [experts, in, out]
      const int64_t experts = e.shape[0], in = e.shape[1], out = e.shape[2];
      tensors.add(e.name + "_blocks", {experts, out, in / 32, 16}, 0, 255);
      tensors.add(e.name + "_scales", {experts, out, in / 32}, 118, 124);
    }
  io::write_safetensors(folder + "/model.safetensors", tensors.list);  // in place of what is mapped still
}

TEST(FolderWeights, Mxfp4ExpertsStayInBlocksAndGiveTheBitsOfTheirGguf) {
  const Folder folder("mxfp4");
  write_gpt_oss(folder.path());
  const auto model = Transformer::load(folder.path());
  for (const auto& [name, parameter] : model->named_parameters())
    EXPECT_EQ(parameter->dtype() == DType(DType::kMXFP4),
              contains(name, ".experts.") && name.ends_with(".weight"))
        << name;

  const auto weights = FolderWeights::open(folder.path());
  const GgufExport made(model->config(), weights.entries());
  io::GgufMetadata metadata;
  made.write_metadata(metadata);
  const std::string path = folder.path() + "/model.gguf";
  io::GgufWriter writer(path, made.tensors(), metadata);
  for (size_t i = 0; i < made.tensors().size(); ++i) writer.append(made.bytes(i));
  writer.commit();
  const GgufModel file = GgufModel::open(path);
  const auto again = Transformer::from_entries(file.config(), file.entries(), path);
  const NoGrad off;
  const std::vector<int64_t> ids = some_ids(20, model->config().vocab_size);
  const std::vector<float> got = model->logits(model->ids(ids)).to_vector<float>();
  EXPECT_EQ(got, again->logits(again->ids(ids)).to_vector<float>());
  for (const float x : got) ASSERT_TRUE(std::isfinite(x));
}

std::string refusal(const std::string& folder, Json quantization,
                    const std::function<bool(const std::string&)>& wanted) {
  const Folder to("folder_weights");
  Tensors tensors;
  const auto file = io::SafeTensors::open("tests/golden/folder_weights/" + folder + "/model.safetensors");
  tensors.keep(file, wanted);
  io::write_safetensors(to.path() + "/model.safetensors", tensors.list);
  return message([&] {
    FolderWeights(io::SafeTensors::open(to.path() + "/model.safetensors"), quantization,
                  "config.json: quantization_config");
  });
}

TEST(FolderWeights, WhatDoesNotFitIsNamed) {
  const auto all = [](const std::string&) { return true; };
  const auto without = [](const char* part) {
    return [part](const std::string& name) { return !contains(name, part); };
  };
  const Json mxfp4 = {{"quant_method", "mxfp4"}};
  EXPECT_TRUE(contains(refusal("mxfp4", mxfp4, without("down_proj_scales")), "down_proj_scales is missing"));
  EXPECT_TRUE(contains(refusal("mxfp4", mxfp4, without("down_proj_blocks")), "down_proj_blocks is missing"));
  EXPECT_TRUE(contains(refusal("mxfp4", Json(), all), "down_proj_blocks is u8, which no layer holds"));
  const auto method = [&](Json q) { return refusal("mxfp4", std::move(q), all); };
  EXPECT_TRUE(contains(method({{"quant_method", "gptq"}, {"bits", 4}}),
                       "config.json: quantization_config: quant_method is 'gptq'; there are fp8"));
  EXPECT_TRUE(contains(method({{"quant_method", "mxfp4"}, {"group_size", 16}}), "unknown key 'group_size'"));
  EXPECT_TRUE(contains(method({{"quant_method", "fp8"}}), "weight_block_size"));
  EXPECT_TRUE(contains(method({{"quant_method", "fp8"}, {"weight_block_size", {0, 3}}}),
                       "weight_block_size is [0, 3], expected two sizes above 0"));
  // Of fp8 the floats alone can be written here.
  const Json fp8 = {{"quant_method", "fp8"}, {"weight_block_size", {3, 32}}};
  EXPECT_TRUE(contains(refusal("fp8", fp8, all), "a.weight is missing"));
  const auto file = [] { return io::SafeTensors::open("tests/golden/folder_weights/fp8/model.safetensors"); };
  EXPECT_TRUE(contains(message([&] { FolderWeights(file(), Json(), "c"); }),
                       "a.weight is f8_e4m3, which no layer holds: config.json states no quant_method fp8"));
  EXPECT_TRUE(
      contains(message([&] {
                 FolderWeights(file(), {{"quant_method", "fp8"}, {"weight_block_size", {4, 32}}}, "c");
               }),
               "a.weight_scale_inv is f32 [3, 2], expected floats [2, 2]: one for each 4 x 32 of a.weight"));
}

}  // namespace
}  // namespace suiren::models
