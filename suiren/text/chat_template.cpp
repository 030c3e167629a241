#include "suiren/text/chat_template.h"

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/utf8.h"
#include "suiren/text/jinja/interpreter.h"
#include "suiren/text/jinja/parser.h"

namespace suiren::text {
namespace {

using Json = nlohmann::ordered_json;

void parse_arguments(Json& message, const std::string& where) {
  if (!message.is_object() || !message.contains("tool_calls") || !message["tool_calls"].is_array()) return;
  int64_t i = 0;
  for (Json& call : message["tool_calls"]) {
    const std::string name = fmt::format("{}.tool_calls[{}].arguments", where, i++);
    if (!call.is_object()) continue;
    Json& holder = call.contains("function") && call["function"].is_object() ? call["function"] : call;
    if (!holder.contains("arguments") || !holder["arguments"].is_string()) continue;
    Json arguments = io::parse_ordered_json(holder["arguments"].get_ref<const std::string&>(), name);
    SR_CHECK(arguments.is_object(), "{}: the text is {}, expected a JSON object", name,
             arguments.type_name());
    holder["arguments"] = std::move(arguments);
  }
}

Json with_parsed_arguments(Json context) {
  if (!context.contains("messages") || !context["messages"].is_array()) return context;
  int64_t i = 0;
  for (Json& message : context["messages"]) parse_arguments(message, fmt::format("messages[{}]", i++));
  return context;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return local;
}

}  // namespace

ChatTemplate ChatTemplate::parse(std::string_view source, const std::string& name) {
  io::check_utf8(source, name);
  return ChatTemplate(std::make_shared<const jinja::Template>(jinja::parse_template(source, name)));
}

std::string ChatTemplate::render(const Json& context, const RenderOptions& options) const {
  SR_CHECK(context.is_object(), "{}: the context is {}, expected an object with messages", made_->name,
           context.type_name());
  auto values =
      jinja::Value::from_json(options.parse_tool_arguments ? with_parsed_arguments(context) : context);
  jinja::Interpreter interpreter(*made_, std::move(values), options.now.value_or(local_time()),
                                 options.max_steps, options.max_output);
  try {
    return interpreter.run();
  } catch (const Error& error) {
    fail(error.code(), "{}:{}: {}", made_->name, interpreter.line(), error.message());
  }
}

}  // namespace suiren::text
