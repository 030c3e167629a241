#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/tokenizer_data.h"

namespace suiren::text {

namespace {

/// A JSON string; characters of other scripts stay as they are.
std::string quoted(const std::string& text) { return io::Json(text).dump(); }

}  // namespace

std::string write_tokenizer_json(const std::vector<std::string>& tokens, size_t specials,
                                 const std::vector<MergeRule>& rules, const std::string& regex) {
  const auto spelled = [&](uint32_t id) {
    return quoted(id < specials ? tokens[id] : to_characters(tokens[id]));
  };
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [";
  for (uint32_t id = 0; id < specials; ++id)
    out += fmt::format(
        "{}\n    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, \"rstrip\": "
        "false, "
        "\"normalized\": false, \"special\": true}}",
        id ? "," : "", id, spelled(id));
  out += fmt::format(
      "\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": {{\"type\": \"Sequence\", \"pretokenizers\": [\n"
      "    {{\"type\": \"Split\", \"pattern\": {{\"Regex\": {}}}, \"behavior\": \"Isolated\", \"invert\": "
      "false}},\n"
      "    {{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": "
      "false}}]}},\n"
      "  \"post_processor\": null,\n"
      "  \"decoder\": {{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
      "\"use_regex\": true}},\n"
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": "
      "false,\n"
      "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {{",
      quoted(regex));
  for (uint32_t id = 0; id < tokens.size(); ++id)
    out += fmt::format("{}\n      {}: {}", id ? "," : "", spelled(id), id);
  out += "\n    },\n    \"merges\": [";
  for (size_t i = 0; i < rules.size(); ++i)
    out += fmt::format("{}\n      [{}, {}]", i ? "," : "", spelled(rules[i].left), spelled(rules[i].right));
  return out + "\n    ]\n  }\n}\n";
}

}  // namespace suiren::text
