#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/infer/embedder.h"

namespace suiren::infer {
namespace {

using io::Json;

// Of each way: its word, and the flag that older files set.
struct Way {
  const char *word, *flag;
  Pooling pooling;
};
constexpr std::array kWays{Way{"mean", "pooling_mode_mean_tokens", Pooling::kMean},
                           Way{"cls", "pooling_mode_cls_token", Pooling::kCls},
                           Way{"max", "pooling_mode_max_tokens", Pooling::kMax}};

// The member, or null where it is absent.
Json member(const Json& json, const char* key, const std::string& name) {
  SR_CHECK(json.is_object(), "{} holds {}, expected an object", name, json.type_name());
  return json.value(key, Json());
}

void read_if_there(const std::string& path, EmbeddingSettings& settings,
                   void (EmbeddingSettings::*read)(const Json&, const std::string&)) {
  if (std::filesystem::exists(path)) (settings.*read)(io::read_json(path), path);
}

}  // namespace

std::string EmbeddingSettings::read_modules(const Json& json, const std::string& name) {
  SR_CHECK(json.is_array(), "{} holds {}, expected a list of modules", name, json.type_name());
  std::string folder;
  normalize = false;
  for (const Json& row : json) {
    const std::string type = io::json_string(row, "type", name), path = io::json_string(row, "path", name);
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (kind == "Transformer") {
      SR_CHECK_AS(kUnsupported, path.empty(), "{}: the encoder lies in the folder '{}'; load that folder",
                  name, path);
    } else if (kind == "Pooling") {
      SR_CHECK(folder.empty() && !path.empty() && path.find('/') == path.npos && path != "..",
               "{}: Pooling lies in '{}', expected one folder beside this file", name, path);
      folder = path;
    } else {
      SR_CHECK_AS(kUnsupported, kind == "Normalize",
                  "{}: the module {} is not supported; there are Transformer, Pooling and Normalize", name,
                  type);
      normalize = true;
    }
  }
  SR_CHECK(!folder.empty(), "{} names no Pooling", name);
  return folder;
}

void EmbeddingSettings::read_pooling(const Json& json, const std::string& name) {
  std::vector<std::string> chosen;
  const Json mode = member(json, "pooling_mode", name);
  if (mode.is_string()) {
    chosen.push_back(mode.get<std::string>());
  } else {
    SR_CHECK(mode.is_null(), "{}: pooling_mode is {}, expected a word", name, mode.dump().substr(0, 60));
    for (const auto& [key, value] : json.items())
      if (key.starts_with("pooling_mode_") && value == true) chosen.push_back(key);
  }
  const auto* way = std::ranges::find_if(kWays, [&](const Way& w) {
    return chosen.size() == 1 && (chosen[0] == w.word || chosen[0] == w.flag);
  });
  SR_CHECK_AS(kUnsupported, way != kWays.end(),
              "{}: pooling by '{}' is not supported; there are mean, cls and max", name,
              fmt::join(chosen, ", "));
  pooling = way->pooling;
}

void EmbeddingSettings::read_sentence_config(const Json& json, const std::string& name) {
  SR_CHECK_AS(kUnsupported, member(json, "do_lower_case", name) != true,
              "{}: do_lower_case is true, which is not supported; let the tokenizer's normalizer do it",
              name);
  if (member(json, "max_seq_length", name).is_null()) return;
  const int64_t length = io::json_int(json, "max_seq_length", name);
  SR_CHECK(length >= 1, "{}: max_seq_length is {}, expected at least 1", name, length);
  max_tokens = length;
}

// A number too large to be meant stands for "no limit".
void EmbeddingSettings::read_tokenizer_config(const Json& json, const std::string& name) {
  const Json length = member(json, "model_max_length", name);
  if (max_tokens > 0 || length.is_null()) return;
  SR_CHECK(length.is_number() && length.get<double>() >= 1,
           "{}: model_max_length is {}, expected a number of at least 1", name, length.dump().substr(0, 60));
  if (length.get<double>() < 1e9) max_tokens = static_cast<int64_t>(length.get<double>());
}

EmbeddingSettings EmbeddingSettings::load(const std::string& folder) {
  EmbeddingSettings s;
  const std::string modules = folder + "/modules.json",
                    prompts = folder + "/config_sentence_transformers.json";
  if (std::filesystem::exists(modules)) {
    const std::string pooling =
        folder + "/" + s.read_modules(io::read_json(modules), modules) + "/config.json";
    s.read_pooling(io::read_json(pooling), pooling);
  }
  read_if_there(folder + "/sentence_bert_config.json", s, &EmbeddingSettings::read_sentence_config);
  read_if_there(folder + "/tokenizer_config.json", s, &EmbeddingSettings::read_tokenizer_config);
  if (std::filesystem::exists(prompts)) {
    const Json prompt = member(io::read_json(prompts), "default_prompt_name", prompts);
    SR_CHECK_AS(kUnsupported, prompt.is_null(),
                "{}: default_prompt_name is {}, which is not supported; write the prompt before each text "
                "and set it to null",
                prompts, prompt.dump());
  }
  return s;
}

}  // namespace suiren::infer
