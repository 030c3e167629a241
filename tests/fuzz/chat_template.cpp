#include "suiren/text/chat_template.h"

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/utf8.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

const nlohmann::ordered_json& context() {
  static const auto made = io::parse_ordered_json(
      R"({"messages": [{"role": "system", "content": "S \u00e9"}, {"role": "user", "content": [{"type": "text", "text": "Hi\n"}]},
          {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{\"x\": [1, 2.5]}"}}]}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": {"type": "string"}}}}],
          "s": "some <text>", "n": 5, "f": 2.5, "d": {"a": 1, "b": [1, 2]}, "xs": [3, 1, 2], "yes": true, "none": null, "bos_token": "<s>"})",
      "context");
  return made;
}

/// A template; the same text comes out twice, and is UTF-8.
void parse(Bytes bytes) {
  constexpr int64_t kSteps = 100'000;
  text::RenderOptions options{
      .now = std::tm{}, .parse_tool_arguments = true, .max_steps = kSteps, .max_output = 1 << 16};
  const auto made = text::ChatTemplate::parse(text_of(bytes), "input");
  const std::string text = made.render(context(), options);
  if (text.size() > 1 << 16) broken("more text than is allowed");
  if (io::find_invalid_utf8(text) != text.npos) broken("text that is not UTF-8");
  if (made.render(context(), options) != text) broken("the same template gives two texts");
}

// A token, and a node of the tree, for each character; and what the steps allow.
const Target target("chat_template", parse, 1024, 16 << 20);

}  // namespace
}  // namespace suiren::fuzz
