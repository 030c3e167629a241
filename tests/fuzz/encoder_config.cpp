#include "suiren/models/encoder_config.h"

#include <nlohmann/json.hpp>

#include "suiren/infer/embedder.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

template <class F>
void tolerate(F&& f) {
  try {
    f();
  } catch (const Error&) {
  }
}

/// One value in all roles: config.json of an encoder, and the settings of sentence-transformers.
void parse(Bytes bytes) {
  const io::Json json = io::parse_json(text_of(bytes), "input");
  tolerate([&] {
    const auto config = models::EncoderConfig::from_json(json, "input");
    if (config.parameter_count() <= 0 || config.positions() <= 0) broken("an encoder without room");
  });
  infer::EmbeddingSettings settings;
  tolerate([&] {
    if (settings.read_modules(json, "input").find('/') != std::string::npos)
      broken("a way out of the folder");
  });
  tolerate([&] { settings.read_pooling(json, "input"); });
  tolerate([&] { settings.read_tokenizer_config(json, "input"); });
  tolerate([&] { settings.read_sentence_config(json, "input"); });
  if (settings.max_tokens < 0) broken("a negative number of tokens");
}

const Target target("encoder_config", parse);

}  // namespace
}  // namespace suiren::fuzz
