#include "suiren/models/families/fields.h"

#include <algorithm>

#include "suiren/base/error.h"

namespace suiren::models {

using io::Json;

const std::vector<HarmlessField>& harmless_fields() {
  static const char* const kTraining = "acts in training only, where suiren's own configuration speaks";
  static const char* const kLibrary = "tells a library how to run, not what to compute";
  static const char* const kOther = "belongs to heads or tasks that a language model does not have";
  static const char* const kNote = "a note about the file";
  static const std::vector<HarmlessField> fields = {
      {"_attn_implementation", kLibrary},
      {"_attn_implementation_autoset", kLibrary},
      {"_name_or_path", kNote},
      {"_model_name_or_path", kNote},
      {"add_cross_attention", "a decoder of its own has no encoder to attend to"},
      {"architectures", "checked where the family is chosen"},
      {"auto_map", kLibrary},
      {"aux_loss_alpha", kTraining},
      {"cache_implementation", kLibrary},
      {"chunk_size_feed_forward", kLibrary},
      {"dtype", "the files state their own"},
      {"embd_pdrop", kTraining},
      {"ep_size", kLibrary},
      {"finetuning_task", kNote},
      {"gradient_checkpointing", kTraining},
      {"id2label", kOther},
      {"is_encoder_decoder", "checked by the architecture"},
      {"is_llama_config", kNote},
      {"label2id", kOther},
      {"max_window_layers", "read by the families whose windows it bounds"},
      {"model_type", "checked where the family is chosen"},
      {"output_attentions", kLibrary},
      {"output_hidden_states", kLibrary},
      {"output_router_logits", kLibrary},
      {"quantization_config", "says how the files hold the weights; acts where they are opened"},
      {"pretraining_tp", "splits a product without changing it but for rounding"},
      {"problem_type", kOther},
      {"reorder_and_upcast_attn", "changes rounding alone"},
      {"resid_pdrop", kTraining},
      {"residual_dropout", kTraining},
      {"return_dict", kLibrary},
      {"router_aux_loss_coef", kTraining},
      {"router_jitter_noise", kTraining},
      {"seq_aux", kTraining},
      {"task_specific_params", kOther},
      {"tokenizer_class", kNote},
      {"torch_dtype", "the files state their own"},
      {"transformers.js_config", kLibrary},
      {"transformers_version", kNote},
      {"unk_token_id", "a name for a token that the tokenizer knows"},
      {"unsloth_version", kNote},
      {"use_cache", kLibrary},
  };
  return fields;
}

Fields::Fields(const Json& json, const std::string& name) : in_(&json), name_(name) {
  SR_CHECK(json.is_object(), "{}: expected a JSON object", name);
}
Fields::Fields(Json& json) : out_(&json) {}

bool Fields::has(const char* key) {
  known_.insert(key);
  return in_->contains(key);
}
const Json* Fields::find(const char* key) {
  return has(key) && !in_->at(key).is_null() ? &in_->at(key) : nullptr;
}

void Fields::size(const char* key, int64_t& value, int64_t least) {
  if (!reading()) return void((*out_)[key] = value);
  if (!find(key)) return;
  value = io::json_int(*in_, key, name_);
  constexpr int64_t kMost = int64_t{1} << 31;
  SR_CHECK(value >= least && value <= kMost, "{}: {} is {}, expected {} to {}", name_, key, value, least,
           kMost);
}
void Fields::number(const char* key, double& value) {
  if (!reading()) return void((*out_)[key] = value);
  if (find(key)) value = io::json_number(*in_, key, name_);
}
void Fields::flag(const char* key, bool& value) {
  if (!reading()) return void((*out_)[key] = value);
  if (find(key)) value = io::json_bool(*in_, key, name_);
}
void Fields::sizes(const char* key, std::vector<int64_t>& value) {
  if (!reading()) return void((*out_)[key] = value);
  if (find(key)) value = io::json_sizes(*in_, key, name_);
}
void Fields::text(const char* key, std::string& value) {
  if (!reading()) return void((*out_)[key] = value);
  if (find(key)) value = io::json_string(*in_, key, name_);
}
void Fields::numbers(const char* key, std::vector<double>& value) {
  if (!reading()) return void((*out_)[key] = value);
  const Json* list = find(key);
  if (!list) return;
  value.clear();
  SR_CHECK(list->is_array(), "{}: {} is {}, expected an array of numbers", name_, key, list->type_name());
  for (const Json& x : *list) {
    SR_CHECK(x.is_number(), "{}: {} holds {}, expected numbers", name_, key, x.dump().substr(0, 60));
    value.push_back(x.get<double>());
  }
}

void Fields::size_or_none(const char* key, int64_t& value) {
  if (!reading()) return void((*out_)[key] = value ? Json(value) : Json());
  if (has(key) && !find(key)) value = 0;
  size(key, value, 0);
}
void Fields::number_or_none(const char* key, double& value) {
  if (!reading()) return void((*out_)[key] = value != 0 ? Json(value) : Json());
  if (has(key) && !find(key)) value = 0;
  number(key, value);
}
void Fields::number_or_none(const char* key, std::optional<double>& value) {
  if (!reading()) return void(value ? (*out_)[key] = *value : Json());
  if (find(key)) value = io::json_number(*in_, key, name_);
}
void Fields::size_or_none(const char* key, std::optional<int64_t>& value) {
  if (!reading()) return void(value ? (*out_)[key] = *value : Json());
  if (find(key)) value = io::json_int(*in_, key, name_);
}

void Fields::token(const char* key, std::optional<int64_t>& id) {
  if (!reading()) return void((*out_)[key] = id ? Json(*id) : Json());
  if (!has(key)) return;
  id.reset();
  if (find(key)) id = io::json_int(*in_, key, name_);
}
void Fields::tokens(const char* key, std::vector<int64_t>& ids) {
  if (!reading())
    return void((*out_)[key] = ids.empty() ? Json() : ids.size() == 1 ? Json(ids[0]) : Json(ids));
  if (!has(key)) return;
  ids.clear();
  if (const Json* value = find(key); value && value->is_array())
    ids = io::json_sizes(*in_, key, name_);
  else if (value)
    ids = {io::json_int(*in_, key, name_)};
}

void Fields::fixed(const char* key, const Json& value) {
  if (!reading()) return void((*out_)[key] = value);
  const Json* found = find(key);
  if (found && *found != value)
    fail(ErrorCode::kUnsupported, "{}: {} is {}; only {} is supported", name_, key,
         found->dump().substr(0, 60), value.dump());
}
void Fields::only(const char* key, const Json& value) {
  if (reading()) fixed(key, value);
}
void Fields::derived(const char* key, const Json& value) {
  if (!reading()) return void((*out_)[key] = value);
  has(key);
}

void Fields::unsupported(const char* key, const std::string& value, const std::string& known) const {
  fail(ErrorCode::kUnsupported, "{}: {} {} is not supported; there is {}", name_, key, value, known);
}

void Fields::refuse_unknown() const {
  for (const auto& [key, value] : in_->items()) {
    const auto same = [&key = key](const HarmlessField& h) { return key == h.key; };
    if (value.is_null() || known_.count(key) || std::ranges::any_of(harmless_fields(), same)) continue;
    const std::string near = nearest(key, known_);
    SR_CHECK(near.empty(), "{}: unknown key '{}'; did you mean '{}'?", name_, key, near);
    fail(ErrorCode::kUnsupported, "{}: unknown key '{}' (value {}): it may change what the model computes",
         name_, key, value.dump().substr(0, 60));
  }
}

void rope_object(Fields& f, RopeConfig& r, bool alpha) {
  std::string type = r.type == "ntk_alpha" ? "dynamic" : r.type;  // as Hunyuan's files spell it
  f.text("rope_type", type);
  if (f.reading() && !f.find("rope_type")) f.text("type", type);
  if (f.reading()) f.find("type");
  f.number("rope_theta", r.theta);
  f.number_or_none("factor", r.factor);
  f.number_or_none("attention_factor", r.attention_factor);
  if (alpha) f.number_or_none("alpha", r.alpha);
  f.size_or_none("original_max_position_embeddings", r.original_max_position_embeddings);
  if (f.reading() || r.partial_rotary_factor != 1) f.number("partial_rotary_factor", r.partial_rotary_factor);
  if (f.reading() || type == "llama3") {
    f.number("low_freq_factor", r.low_freq_factor);
    f.number("high_freq_factor", r.high_freq_factor);
  }
  if (f.reading() || type == "yarn") {
    f.number("beta_fast", r.beta_fast);
    f.number("beta_slow", r.beta_slow);
    f.flag("truncate", r.truncate);
  }
  // Latent attention reads mscale_all_dim with every scaled type.
  if (f.reading() || r.mscale != 0) f.number("mscale", r.mscale);
  if (f.reading() || r.mscale_all_dim != 0) f.number("mscale_all_dim", r.mscale_all_dim);
  if (f.reading() || type == "longrope") {
    f.numbers("short_factor", r.short_factor);
    f.numbers("long_factor", r.long_factor);
  }
  if (!f.reading()) return;
  if (type == "su") type = "longrope";
  if (type == "dynamic" && r.alpha.value_or(0) != 0) type = "ntk_alpha";
  const std::set<std::string> types{"default", "linear", "dynamic", "yarn", "longrope", "llama3"};
  SR_CHECK_AS(kUnsupported, types.count(type) || type == "ntk_alpha",
              "{}: rope_type '{}' is not supported; there are default, linear, dynamic, yarn, longrope and "
              "llama3",
              f.name(), type);
  r.type = type;
  // What its type does not read is no part of the description.
  const RopeConfig fresh;
  if (type != "llama3")
    r.low_freq_factor = fresh.low_freq_factor, r.high_freq_factor = fresh.high_freq_factor;
  if (type != "yarn")
    r.beta_fast = fresh.beta_fast, r.beta_slow = fresh.beta_slow, r.truncate = fresh.truncate;
  if (type != "longrope") r.short_factor.clear(), r.long_factor.clear();
}

void layers_field(Fields& f, int64_t& layers) {
  f.size("num_hidden_layers", layers);
  SR_CHECK(layers <= kMostLayers, "{}: num_hidden_layers is {}, expected at most {}", f.name(), layers,
           kMostLayers);
}

void rope_fields(Fields& f, RopeConfig& r, bool alpha) {
  f.number("rope_theta", r.theta);
  if (f.reading() || r.partial_rotary_factor != 1) f.number("partial_rotary_factor", r.partial_rotary_factor);
  const double theta = r.theta;
  const auto object = [&](Fields& inner) { rope_object(inner, r, alpha); };
  f.object("rope_parameters", object);
  if (f.reading() || r.type != "default") f.object("rope_scaling", object);
  SR_CHECK(!f.reading() || !f.find("rope_theta") || r.theta == theta,
           "{}: rope_theta is {}, but rope_parameters says {}; make them equal", f.name(), theta, r.theta);
}

}  // namespace suiren::models
