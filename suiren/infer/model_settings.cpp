#include "suiren/infer/model_settings.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::infer {
namespace {

using io::Json;

// The member, or null where it is absent or null.
const Json* given(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}

void check_object(const Json& json, const std::string& name) {
  SR_CHECK(json.is_object(), "{} holds {}, expected an object", name, json.type_name());
}

// A token is its text, or an object with the text as "content".
std::string token_text(const Json& token, const std::string& key, const std::string& name) {
  if (token.is_string()) return token.get<std::string>();
  SR_CHECK(token.is_object(), "{}: {} is {}, expected a token", name, key, token.type_name());
  return io::json_string(token, "content", fmt::format("{}: {}", name, key));
}

// One template, or a list of {"name", "template"}.
std::string default_template(const Json& value, const std::string& name) {
  if (value.is_string()) return value.get<std::string>();
  SR_CHECK(value.is_array(), "{}: chat_template is {}, expected a template or a list of them", name,
           value.type_name());
  for (const Json& entry : value) {
    check_object(entry, name + ": an entry of chat_template");
    if (io::json_string(entry, "name", name + ": chat_template") == "default")
      return io::json_string(entry, "template", name + ": chat_template");
  }
  fail(ErrorCode::kInvalid, "{}: chat_template is a list without one named 'default'", name);
}

}  // namespace

void ModelSettings::read_generation_config(const Json& json, const std::string& name) {
  check_object(json, name);
  const auto number = [&](const char* key, double& to) {
    if (given(json, key)) to = io::json_number(json, key, name);
  };
  number("temperature", sampling.temperature);
  number("top_p", sampling.top_p);
  number("min_p", sampling.min_p);
  number("typical_p", sampling.typical_p);
  number("repetition_penalty", sampling.repetition_penalty);
  if (given(json, "top_k")) sampling.top_k = io::json_int(json, "top_k", name);
  if (given(json, "do_sample") && !io::json_bool(json, "do_sample", name)) sampling.temperature = 0;
  try {
    sampling.validate();
  } catch (const Error& e) {
    fail(e.code(), "{}: {}", name, e.what());
  }
  if (const Json* ends = given(json, "eos_token_id"))
    end_tokens = ends->is_array() ? io::json_sizes(json, "eos_token_id", name)
                                  : std::vector<int64_t>{io::json_int(json, "eos_token_id", name)};
}

void ModelSettings::read_tokenizer_config(const Json& json, const std::string& name) {
  check_object(json, name);
  for (const char* key :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})
    if (const Json* token = given(json, key)) special_tokens[key] = token_text(*token, key, name);
  if (given(json, "add_bos_token")) add_bos = io::json_bool(json, "add_bos_token", name);
  if (const Json* value = given(json, "chat_template")) {
    chat_template = default_template(*value, name);
    chat_template_name = name;
  }
}

ModelSettings ModelSettings::load(const std::string& folder) {
  ModelSettings s;
  const auto path = [&](const char* file) { return folder + "/" + file; };
  const auto there = [&](const char* file) { return std::filesystem::exists(path(file)); };
  if (there("generation_config.json"))
    s.read_generation_config(io::read_json(path("generation_config.json")), path("generation_config.json"));
  if (there("tokenizer_config.json"))
    s.read_tokenizer_config(io::read_json(path("tokenizer_config.json")), path("tokenizer_config.json"));
  if (there("chat_template.jinja")) {
    s.chat_template = read_file(path("chat_template.jinja"));
    s.chat_template_name = path("chat_template.jinja");
  }
  return s;
}

}  // namespace suiren::infer
