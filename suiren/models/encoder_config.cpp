#include "suiren/models/encoder_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "suiren/base/error.h"
#include "suiren/models/families/fields.h"

namespace suiren::models {
namespace {

using io::Json;

struct EncoderFamily {
  const char* model_type;
  int64_t vocab_size;
  bool counts_after_padding;  // the first position is the one after pad_token_id's number
};
constexpr EncoderFamily kFamilies[] = {
    {"bert", 30522, false}, {"roberta", 50265, true}, {"xlm-roberta", 30522, true}};

const EncoderFamily* find_family(const std::string& model_type) {
  const auto* found =
      std::ranges::find_if(kFamilies, [&](const EncoderFamily& f) { return model_type == f.model_type; });
  return found == std::end(kFamilies) ? nullptr : found;
}

// Fields that change nothing that is computed here; the reason stands over each line.
void find_harmless(Fields& f) {
  for (const char* key :
       {// act in training only
        "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "initializer_range",
        // tokens are the tokenizer's business, and padding there is none
        "bos_token_id", "eos_token_id",
        // heads that embeddings do not pass through
        "tie_word_embeddings", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
        "pooler_size_per_head", "pooler_type",
        // notes
        "directionality", "output_past", "sbert_ce_default_activation_function"})
    f.find(key);
}

void check_sizes(const EncoderConfig& c, const std::string& name) {
  SR_CHECK(c.hidden_size % c.num_attention_heads == 0,
           "{}: hidden_size {} is not a multiple of num_attention_heads {}", name, c.hidden_size,
           c.num_attention_heads);
  SR_CHECK(c.layer_norm_eps > 0 && std::isfinite(c.layer_norm_eps),
           "{}: layer_norm_eps is {}, expected a number above 0", name, c.layer_norm_eps);
  SR_CHECK(c.positions() >= 1,
           "{}: max_position_embeddings is {}, but the first token stands at position {}: there is no room",
           name, c.max_position_embeddings, c.first_position);
}

}  // namespace

bool EncoderConfig::is_encoder(const std::string& model_type) { return find_family(model_type) != nullptr; }

int64_t EncoderConfig::parameter_count() const {
  // In double: exact below 2^53, and sizes from a hostile file cannot overflow.
  const auto number = [](int64_t x) { return static_cast<double>(x); };
  const double hidden = number(hidden_size), inner = number(intermediate_size);
  const double rows = number(vocab_size) + number(max_position_embeddings) + number(type_vocab_size);
  const double layer = 4 * hidden * (hidden + 1) + 2 * hidden * inner + inner + hidden + 4 * hidden;
  return static_cast<int64_t>(
      std::min(rows * hidden + 2 * hidden + number(num_hidden_layers) * layer, 0x1p62));
}

EncoderConfig EncoderConfig::from_json(const Json& json, const std::string& name) {
  Fields f(json, name);
  EncoderConfig c;
  c.model_type.clear();
  f.text("model_type", c.model_type);
  const EncoderFamily* const row = find_family(c.model_type);
  SR_CHECK_AS(kUnsupported, row,
              "{}: model_type '{}' is no encoder that can be read; there are bert, roberta and xlm-roberta. "
              "For models that write text there is suiren generate",
              name, c.model_type);
  c.vocab_size = row->vocab_size;
  f.size("vocab_size", c.vocab_size);
  f.size("hidden_size", c.hidden_size);
  f.size("intermediate_size", c.intermediate_size);
  layers_field(f, c.num_hidden_layers);
  f.size("num_attention_heads", c.num_attention_heads);
  f.size("max_position_embeddings", c.max_position_embeddings);
  f.size("type_vocab_size", c.type_vocab_size);
  f.number("layer_norm_eps", c.layer_norm_eps);
  f.choice("hidden_act", c.activation,
           {{"gelu", EncoderActivation::kGelu},
            {"gelu_new", EncoderActivation::kGeluTanh},
            {"gelu_pytorch_tanh", EncoderActivation::kGeluTanh},
            {"relu", EncoderActivation::kRelu}});
  int64_t padding = row->counts_after_padding ? 1 : 0;
  f.size("pad_token_id", padding, 0);
  c.first_position = row->counts_after_padding ? padding + 1 : 0;
  f.only("position_embedding_type", "absolute");
  f.only("is_decoder", false);
  f.only("add_cross_attention", false);
  find_harmless(f);
  f.refuse_unknown();
  check_sizes(c, name);
  return c;
}

EncoderConfig EncoderConfig::load(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return from_json(io::read_json(path), path);
}

}  // namespace suiren::models
