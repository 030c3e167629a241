// What families share.
#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/models/families/families.h"

namespace suiren::models {

using io::Json;

void set_heads(TransformerConfig& c, int64_t heads, int64_t kv_heads, int64_t head_dim) {
  c.num_attention_heads = heads, c.num_key_value_heads = kv_heads, c.head_dim = head_dim;
}
void set_tokens(TransformerConfig& c, std::optional<int64_t> bos, std::vector<int64_t> eos,
                std::optional<int64_t> pad) {
  c.bos_token_id = bos, c.eos_token_ids = std::move(eos), c.pad_token_id = pad;
}

void common_fields(Fields& f, TransformerConfig& c) {
  f.size("vocab_size", c.vocab_size);
  f.size("hidden_size", c.hidden_size);
  f.size("intermediate_size", c.intermediate_size);
  layers_field(f, c.num_hidden_layers);
  f.size("num_attention_heads", c.num_attention_heads);
  if (f.reading() && f.has("num_key_value_heads") && !f.find("num_key_value_heads"))
    c.num_key_value_heads = 0;
  f.size("num_key_value_heads", c.num_key_value_heads);
  if (c.num_key_value_heads == 0) c.num_key_value_heads = c.num_attention_heads;
  if (!c.latent.kv_rank) {
    f.size("head_dim", c.head_dim);
    SR_CHECK(c.head_dim || c.hidden_size % c.num_attention_heads == 0,
             "{}: hidden_size {} is not a multiple of num_attention_heads {}", f.name(), c.hidden_size,
             c.num_attention_heads);
    if (c.head_dim == 0) c.head_dim = c.hidden_size / c.num_attention_heads;
  }
  f.size("max_position_embeddings", c.max_position_embeddings);
  f.number("rms_norm_eps", c.rms_norm_eps);
  f.number("initializer_range", c.initializer_range);
  f.flag("tie_word_embeddings", c.tie_word_embeddings);
  f.token("bos_token_id", c.bos_token_id);
  f.token("pad_token_id", c.pad_token_id);
  f.tokens("eos_token_id", c.eos_token_ids);
}

void attention_bias(Fields& f, TransformerConfig& c, const char* key) {
  f.flag(key, c.attention_bias);
  if (f.reading()) c.attention_out_bias = c.attention_bias;
}

bool read_layer_types(Fields& f, TransformerConfig& c) {
  const Json* types = f.find("layer_types");
  if (!types) return false;
  SR_CHECK(types->is_array() && static_cast<int64_t>(types->size()) == c.num_hidden_layers,
           "{}: layer_types is {}, expected a list of {} for num_hidden_layers", f.name(),
           types->dump().substr(0, 60), c.num_hidden_layers);
  c.windowed_layers.clear();
  for (const Json& type : *types) {
    SR_CHECK_AS(kUnsupported, type == "full_attention" || type == "sliding_attention",
                "{}: layer_types holds {}; there are full_attention and sliding_attention", f.name(),
                type.dump().substr(0, 60));
    c.windowed_layers.push_back(type == "sliding_attention");
  }
  return true;
}

void write_layer_types(Fields& f, const TransformerConfig& c) {
  Json types = Json::array();
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    types.push_back(c.windowed(i) ? "sliding_attention" : "full_attention");
  f.derived("layer_types", types);
}

void settle_window(TransformerConfig& c, const std::string& name) {
  const auto& layers = c.windowed_layers;
  const bool any = std::ranges::find(layers, true) != layers.end();
  SR_CHECK(!any || c.sliding_window > 0,
           "{}: layer_types names sliding_attention, but there is no "
           "sliding_window",
           name);
  if (!any) c.sliding_window = 0;
  if (!any || std::ranges::find(layers, false) == layers.end()) c.windowed_layers.clear();
}

void qwen_window(Fields& f, TransformerConfig& c, bool (*windowed)(int64_t layer, int64_t limit)) {
  bool use = c.sliding_window > 0;
  if (!f.reading() && !use) return;  // the defaults
  int64_t limit = f.reading() ? 28 : 0;
  if (f.reading()) c.sliding_window = 4096;
  f.flag("use_sliding_window", use);
  f.size_or_none("sliding_window", c.sliding_window);
  f.size("max_window_layers", limit, 0);
  if (!use) c.sliding_window = 0;
  layer_types(f, c, [&](int64_t i) { return c.sliding_window > 0 && windowed(i, limit); });
}

std::string renamed(const std::string& name, const std::string& from, const std::string& to) {
  const size_t at = name.rfind(from);
  return at == std::string::npos ? name : name.substr(0, at) + to + name.substr(at + from.size());
}

}  // namespace suiren::models
