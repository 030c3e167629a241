#pragma once
// Chat templates: from the messages of a conversation to the text that a model was trained on. A template is
// a small program in Jinja that comes with the model's files, so it is run as strange code: by an interpreter
// that knows no files, no environment and no other code, whose steps, output and nesting are bounded.
//
// What it writes equals, byte for byte, what python jinja2 writes as Hugging Face's transformers sets it up
// (ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, the loopcontrols extension, the `generation`
// tag, a `tojson` that escapes no HTML, `raise_exception`, `strftime_now`). Left out, each an error that says
// so: integers beyond 64 bits, include/import/extends/block/autoescape, random, lipsum, tuples as keys of
// dicts.

#include <cstdint>
#include <ctime>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace suiren::text {

namespace jinja {
struct Template;
}

struct RenderOptions {
  /// What strftime_now(format) says; the local time of the call when not set.
  std::optional<std::tm> now;
  /// messages[i].tool_calls[j].function.arguments that are strings become the JSON object that they hold, as
  /// most templates expect. Error{kInvalid} for one that is no JSON object.
  bool parse_tool_arguments = false;
  /// A step is a node evaluated, or 16 bytes of text or one list item made: time and memory grow with no more
  /// than these and the context. With 201 messages and 50 tools of 10 parameters, 69 of 73 published
  /// templates take fewer than 250,000 and all fewer than 4 million.
  int64_t max_steps = 4'000'000;
  int64_t max_output = 64 << 20;  ///< bytes
};

/// A handle to an immutable template: copies are cheap and may be shared between threads.
class ChatTemplate {
 public:
  /// Parses Jinja source. `name` opens every message with the line: "tokenizer_config.json:12: expected '%}',
  /// found 'foo'". Error{kInvalid}.
  static ChatTemplate parse(std::string_view source, const std::string& name);

  /// The text for a context: an object with `messages`, and what else the template reads (`tools`,
  /// `documents`, `add_generation_prompt`, `bos_token`, `enable_thinking` ...); a name that is not there is
  /// undefined, which is not the same as null. It is nlohmann's ordered_json because templates walk over
  /// objects and print them: io::Json sorts keys, and the text would differ from what the model saw in
  /// training. io::parse_ordered_json reads it. Error{kInvalid}: "name:line: ..." what was found and
  /// expected, the text given to raise_exception, or a limit.
  std::string render(const nlohmann::ordered_json& context, const RenderOptions& options = {}) const;

 private:
  explicit ChatTemplate(std::shared_ptr<const jinja::Template> made) : made_(std::move(made)) {}
  std::shared_ptr<const jinja::Template> made_;
};

}  // namespace suiren::text
