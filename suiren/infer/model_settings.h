#pragma once
// What a publisher says about the use of a model, beside its weights: generation_config.json,
// tokenizer_config.json and chat_template.jinja, read as transformers reads them. Pure but for load().

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "suiren/infer/sampler.h"
#include "suiren/io/json.h"

namespace suiren::infer {

struct ModelSettings {
  /// Of generation_config.json: temperature (0 when `do_sample` is false), top_k, top_p, min_p, typical_p,
  /// repetition_penalty. What the file is silent on changes nothing.
  SamplingOptions sampling;
  std::optional<std::vector<int64_t>> end_tokens;  ///< its eos_token_id, one or several
  /// Of tokenizer_config.json: "bos_token", "eos_token" ... and how they are spelled.
  std::map<std::string, std::string> special_tokens;
  bool add_bos = false;            ///< its add_bos_token: BOS opens a text even if the tokenizer adds none
  std::string chat_template;       ///< Jinja; empty: none
  std::string chat_template_name;  ///< where it stands, for messages

  /// Each reads one file's object; `name` (its path) opens the message of Error{kInvalid} for a value of the
  /// wrong type or range. Of several chat templates the one named "default" is taken.
  void read_generation_config(const io::Json& json, const std::string& name);
  void read_tokenizer_config(const io::Json& json, const std::string& name);
  /// A model folder; each file may be absent. chat_template.jinja goes before tokenizer_config.json's.
  static ModelSettings load(const std::string& folder);
};

}  // namespace suiren::infer
