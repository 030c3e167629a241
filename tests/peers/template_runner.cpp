// What tests/peers/templates_check.py drives: one JSON object per line of stdin, {"template", "context",
// "now": [y, m, d, H, M, S], "parse_tool_arguments", "max_steps"}; answered by {"text"} or {"error"}.

#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/text/chat_template.h"

using suiren::io::OrderedJson;

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    OrderedJson answer;
    try {
      const OrderedJson request = suiren::io::parse_ordered_json(line, "stdin");
      suiren::text::RenderOptions options;
      const auto now = request["now"].get<std::vector<int>>();
      std::tm clock{.tm_sec = now.at(5),
                    .tm_min = now.at(4),
                    .tm_hour = now.at(3),
                    .tm_mday = now.at(2),
                    .tm_mon = now.at(1) - 1,
                    .tm_year = now.at(0) - 1900};
      timegm(&clock);
      options.now = clock;
      options.parse_tool_arguments = request.value("parse_tool_arguments", false);
      options.max_steps = request.value("max_steps", options.max_steps);
      const auto made =
          suiren::text::ChatTemplate::parse(request["template"].get_ref<const std::string&>(), "template");
      answer["text"] = made.render(request["context"], options);
    } catch (const suiren::Error& e) {
      answer = {{"error", e.message()}};
    }
    std::cout << answer.dump() << std::endl;
  }
}
