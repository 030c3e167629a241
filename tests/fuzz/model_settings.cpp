#include "suiren/infer/model_settings.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

/// One object in both roles: generation_config.json and tokenizer_config.json.
void parse(Bytes bytes) {
  const io::Json json = io::parse_json(text_of(bytes), "input");
  infer::ModelSettings settings;
  settings.read_generation_config(json, "input");
  settings.sampling.validate();
  if (settings.end_tokens && settings.end_tokens->size() > bytes.size()) broken("more end tokens than bytes");
  settings.read_tokenizer_config(json, "input");
  if (settings.special_tokens.size() > 7) broken("more special tokens than there are names");
}

const Target target("model_settings", parse);

}  // namespace
}  // namespace suiren::fuzz
