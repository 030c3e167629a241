#include "suiren/train/config.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// The last line, when it begins with "--set ", is an override.
void parse(Bytes bytes) {
  std::string_view text = text_of(bytes);
  std::vector<std::string> overrides;
  if (const auto at = text.rfind("\n--set "); at != text.npos) {
    overrides.emplace_back(text.substr(at + 7));
    text = text.substr(0, at + 1);
  }
  const train::TrainConfig config = train::parse_config(text, "input", overrides);
  if (!train::changed_settings(train::settings_of(config), train::settings_of(config)).empty())
    broken("settings differ from themselves");
  if (!config.model_json.empty())
    (void)models::TransformerConfig::from_json(io::parse_json(config.model_json, "model"), "model");
}

const Target target("train_config", parse);

}  // namespace
}  // namespace suiren::fuzz
