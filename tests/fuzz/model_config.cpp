#include <nlohmann/json.hpp>

#include "suiren/models/config.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  using models::TransformerConfig;
  const auto config = TransformerConfig::from_json(io::parse_json(text_of(bytes), "input"), "input");
  if (config.parameter_count() <= 0) broken("a model without parameters");
  if (TransformerConfig::from_json(config.to_json(), "written") != config)
    broken("what is written reads back as something else");
}

const Target target("model_config", parse);

}  // namespace
}  // namespace suiren::fuzz
