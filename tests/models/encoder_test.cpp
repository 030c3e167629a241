#include "suiren/models/encoder.h"

#include "suiren/io/safetensors.h"
#include "suiren/models/config.h"
#include "suiren/ops/view/view.h"
#include "tests/models/support.h"

namespace suiren::models {
namespace {

using Json = nlohmann::json;

const std::string kFolder = "tests/golden/embedding/";

EncoderConfig read(const char* text) { return EncoderConfig::from_json(Json::parse(text), "c.json"); }
std::string refusal(const char* text) {
  return message([&] { read(text); });
}

TEST(EncoderConfig, MissingKeysTakeTransformersDefaults) {
  EXPECT_EQ(read(R"({"model_type": "bert"})"), EncoderConfig());
  const EncoderConfig r = read(R"({"model_type": "roberta", "max_position_embeddings": 514})");
  EXPECT_EQ(r.vocab_size, 50265);
  EXPECT_EQ(r.first_position, 2);
  EXPECT_EQ(r.positions(), 512);
  EXPECT_EQ(read(R"({"model_type": "xlm-roberta", "pad_token_id": 4})").first_position, 5);
}

TEST(EncoderConfig, RefusesByName) {
  EXPECT_EQ(refusal(R"({"model_type": "bert", "hiden_size": 3})"),
            "c.json: unknown key 'hiden_size'; did you mean 'hidden_size'?");
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "rotary_base": 1})"), "unknown key 'rotary_base'"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "hidden_act": "silu"})"),
                       "hidden_act 'silu' is not supported"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "position_embedding_type": "relative_key"})"),
                       "position_embedding_type is \"relative_key\"; only \"absolute\""));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "is_decoder": true})"), "is_decoder is true"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "hidden_size": 10})"),
                       "hidden_size 10 is not a multiple of num_attention_heads 12"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "bert", "layer_norm_eps": 0})"), "layer_norm_eps is 0"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "roberta", "max_position_embeddings": 2})"),
                       "the first token stands at position 2"));
  EXPECT_TRUE(contains(refusal(R"({"model_type": "llama"})"), "model_type 'llama' is no encoder"));
  EXPECT_TRUE(contains(refusal("{}"), "model_type '' is no encoder"));
}

TEST(Encoder, IsRefusedWhereADecoderIsNeeded) {
  EXPECT_TRUE(contains(message([] { TransformerConfig::load(kFolder + "bert"); }),
                       "model_type 'bert' is an encoder, which writes no text; suiren embed takes it"));
}

TEST(Encoder, CountsItsParametersAndReadsOlderNames) {
  const Folder folder("older_bert");
  const auto model = Encoder::load(kFolder + "bert");
  EXPECT_EQ(model->parameter_count(), model->config().parameter_count());
  write_file(folder.path() + "/config.json", read_file(kFolder + "bert/config.json"));
  io::TensorEntries entries;
  for (const auto& [name, tensor] : model->named_parameters()) {
    std::string older = "bert." + name;
    if (contains(name, "LayerNorm.weight")) older.replace(older.size() - 6, 6, "gamma");
    if (contains(name, "LayerNorm.bias")) older.replace(older.size() - 4, 4, "beta");
    entries.add(older, *tensor);
  }
  const std::vector<int64_t> numbers(64);
  const Tensor ids = Tensor::from(numbers, {1, 64});
  entries.add("bert.embeddings.position_ids", ids);
  entries.add("cls.predictions.bias", Tensor::from(std::vector<float>(5), {5}));
  io::write_safetensors(folder.path() + "/model.safetensors", entries.list());
  const auto older = Encoder::load(folder.path());
  const std::vector<int64_t> text = some_ids(9, 160), lengths{4, 5};
  const NoGrad off;
  EXPECT_EQ(older->hidden(text, lengths).to_vector<float>(), model->hidden(text, lengths).to_vector<float>());
}

TEST(Encoder, ATextSeesItselfAlone) {
  const NoGrad off;
  const auto model = Encoder::load(kFolder + "roberta");
  const std::vector<int64_t> lengths{3, 3, 7, 1, 12, 12};
  const std::vector<int64_t> ids = some_ids(38, 300);
  const Tensor together = model->hidden(ids, lengths);
  EXPECT_EQ(together.shape(), (Shape{38, 32}));
  int64_t row = 0;
  for (const int64_t length : lengths) {
    const auto own = std::span(ids).subspan(static_cast<size_t>(row), static_cast<size_t>(length));
    const Tensor alone = model->hidden(own, std::span(&length, 1));
    EXPECT_EQ(alone.to_vector<float>(), slice(together, 0, row, row + length).to_vector<float>()) << row;
    row += length;
  }
}

TEST(Encoder, NamesWhatDoesNotFit) {
  const auto model = Encoder::load(kFolder + "bert");
  const auto said = [&](std::vector<int64_t> ids, std::vector<int64_t> lengths) {
    return message([&] { model->hidden(ids, lengths); });
  };
  EXPECT_TRUE(contains(said({160}, {1}), "token id 160 is outside the model's vocabulary of 160"));
  EXPECT_TRUE(
      contains(said(std::vector<int64_t>(65), {65}), "a text has 65 tokens, the model has 64 positions"));
  EXPECT_TRUE(contains(said({1, 2}, {1}), "add up to 1, but there are 2 ids"));
  EXPECT_TRUE(contains(said({}, {}), "add up to 0"));
}

TEST(Encoder, WeightsThatAreTooFewAreRefusedBeforeMemoryIsTaken) {
  const Folder folder("few_weights");
  write_file(folder.path() + "/config.json", R"({"model_type": "bert", "vocab_size": 2000000000})");
  write_file(folder.path() + "/model.safetensors", read_file(kFolder + "bert/model.safetensors"));
  EXPECT_TRUE(contains(message([&] { Encoder::load(folder.path()); }), "too few for the"));
}

}  // namespace
}  // namespace suiren::models
