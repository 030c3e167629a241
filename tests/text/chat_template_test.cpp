// Chat templates: against what jinja2 makes of them (tests/golden/text/make_templates.py), and what they may
// not do.

#include "suiren/text/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/json.h"

namespace suiren::text {
namespace {

using Json = nlohmann::ordered_json;

std::string render(const std::string& source, const Json& context = Json::object(),
                   const RenderOptions& options = {}) {
  return ChatTemplate::parse(source, "t.jinja").render(context, options);
}

/// The message of the Error that this ends in.
std::string error_of(const std::string& source, const Json& context = Json::object(),
                     const RenderOptions& options = {}) {
  try {
    return "no error, but: " + render(source, context, options);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalid);
    return e.message();
  }
}

Json json(const std::string& text) { return io::parse_ordered_json(text, "test"); }

TEST(ChatTemplate, EqualsJinja2OnAThousandSmallTemplates) {
  const Json golden = json(read_file("tests/golden/text/templates.json"));
  const auto clock = golden["clock"].get<std::vector<int>>();
  RenderOptions options;
  options.now = std::tm{.tm_sec = clock[5],
                        .tm_min = clock[4],
                        .tm_hour = clock[3],
                        .tm_mday = clock[2],
                        .tm_mon = clock[1] - 1,
                        .tm_year = clock[0] - 1900};
  timegm(&*options.now);
  ASSERT_GE(golden["cases"].size(), 1000u);
  for (const Json& one : golden["cases"]) {
    const auto source = one[0].get<std::string>();
    SCOPED_TRACE(source);
    if (one[1].is_null()) {
      EXPECT_THROW(render(source, golden["context"], options), Error);
    } else {
      try {
        EXPECT_EQ(render(source, golden["context"], options), one[1].get<std::string>());
      } catch (const Error& e) {
        ADD_FAILURE() << e.message();
      }
    }
  }
}

TEST(ChatTemplate, ErrorsNameTheLineWhatWasFoundAndWhatWasExpected) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{{ b c }}", "t.jinja:2: expected '}}', found 'c'"},
      {"{% if a %}\n\nx",
       "t.jinja:3: expected {% elif %} or {% else %} or {% endif %}, found the end of the template"},
      {"{% fro x in y %}{% endfor %}", "t.jinja:1: unknown tag 'fro'; did you mean 'for'?"},
      {"{% for x in y %}{% endif %}", "t.jinja:1: unknown tag 'endif'; expected {% endfor %} or {% else %}"},
      {"\n{{ 'abc }}", "t.jinja:2: a string that begins with ' is not closed"},
      {"{{ (a] }}", "t.jinja:1: unexpected ']', expected ')'"},
      {"{{ a | nothing }}", "t.jinja:1: no filter is named 'nothing'"},
      {"{% include 'x' %}", "t.jinja:1: the tag 'include' is not available to chat templates"},
      {"{% break %}", "t.jinja:1: 'break' stands outside of a for loop"},
      {"{{ 99999999999999999999 }}", "t.jinja:1: the number 99999999999999999999 does not fit 64 bits"},
      {"x\n{{ m.role.x }}", "t.jinja:2: dict has no attribute 'role'"},
      {"{{ a.x }}", "t.jinja:1: 'a' is undefined"},
      {"{{ 1 +\n 'a' }}", "t.jinja:1: '+' is not defined between int and str"},
      {"{% set x = 5 %}\n\n{{ x() }}", "t.jinja:3: int is called, but it is no function"},
      {"{{ 9223372036854775807 + 1 }}", "t.jinja:1: the result of + has more than 64 bits"},
      {"{{ [undefined1]|tojson }}", "t.jinja:1: tojson: Undefined cannot be written as JSON"},
      {"{{ m.append(1) }}", "t.jinja:1: dict has no attribute 'append'"},
      {"{{ l.append(1) }}", "t.jinja:1: 'append' of list is not available to templates"},
      {"{% macro f(a) %}{% endmacro %}{{ f(b=1) }}", "t.jinja:1: macro 'f' takes no argument 'b'"},
  };
  for (const auto& [source, message] : cases)
    EXPECT_EQ(error_of(source, json(R"({"m": {}, "l": []})")), message);
  EXPECT_EQ(error_of("{{ a }}", Json::array()),
            "t.jinja: the context is array, expected an object with messages");
}

TEST(ChatTemplate, TheTextOfRaiseExceptionIsTheMessage) {
  EXPECT_EQ(error_of("{% if true %}\n{{ raise_exception('Roles must alternate: ' ~ 5) }}{% endif %}"),
            "t.jinja:2: Roles must alternate: 5");
}

TEST(ChatTemplate, KeepsTheOrderOfKeysAndTellsNullFromAbsent) {
  EXPECT_EQ(render("{{ d }}{% for k in d %}{{ k }}{% endfor %}{{ d | tojson }}",
                   json(R"({"d": {"z": 1, "a": null}})")),
            "{'z': 1, 'a': None}za{\"z\": 1, \"a\": null}");
  EXPECT_EQ(render("{{ d is defined }}{{ e is defined }}{{ d }}{{ e }}", json(R"({"d": null})")),
            "TrueFalseNone");
}

TEST(ChatTemplate, ParsesToolArgumentsOnRequest) {
  const std::string source = "{% for c in messages[0].tool_calls %}{{ c.function.arguments }}{% endfor %}";
  Json context = json(
      R"({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{\"b\": [1, 2.0], \"a\": true}"}}]}]})");
  EXPECT_EQ(render(source, context), "{\"b\": [1, 2.0], \"a\": true}");
  EXPECT_EQ(render(source, context, {.parse_tool_arguments = true}), "{'b': [1, 2.0], 'a': True}");
  context["messages"][0]["tool_calls"][0]["function"]["arguments"] = "[1]";
  EXPECT_EQ(error_of(source, context, {.parse_tool_arguments = true}),
            "messages[0].tool_calls[0].arguments: the text is array, expected a JSON object");
  context["messages"][0]["tool_calls"][0]["function"]["arguments"] = "{";
  EXPECT_NE(error_of(source, context, {.parse_tool_arguments = true})
                .find("messages[0].tool_calls[0].arguments:1:"),
            std::string::npos);
}

TEST(ChatTemplate, RefusesWhatIsNotUtf8AndNumbersBeyond64Bits) {
  EXPECT_THROW(ChatTemplate::parse("a\xff", "t"), Error);
  EXPECT_THROW(render("{{ a }}", Json{{"a", "\xff"}}), Error);
  EXPECT_THROW(render("{{ a }}", Json{{"\xff", 1}}), Error);
  EXPECT_NE(error_of("{{ a }}", Json{{"a", 18446744073709551615u}}).find("18446744073709551615"),
            std::string::npos);
  EXPECT_EQ(render("{{ a }}", Json{{"a", 9223372036854775807}}), "9223372036854775807");
}

TEST(ChatTemplate, StepsBoundTimeAndMemory) {
  const char* const endless[] = {
      "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
      "{% set ns = namespace(x='0123456789abcdef') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% "
      "endfor %}",
      "{% set ns = namespace(x=[1, 2]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
      "ns.x }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ "
      "ns.x | tojson }}",
      "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% set "
      "ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(199) %}{% set ns.x = [ns.x] %}{% endfor %}{% for i "
      "in range(99999) %}{{ ns.x }}{% endfor %}",
      "{{ 'x' * 99999999999 }}",
      "{{ [1] * 99999999999 }}",
      "{{ 'x'.center(99999999999) }}",
      "{{ 'x'.ljust(99999999999) }}",
      "{{ 'x'.zfill(99999999999) }}",
      "{{ ('x' * 99999).replace('', 'y' * 99999) }}",
      "{{ ('\\n' * 99999) | indent(99999, true, true) }}",
      "{{ [[[[]]]] | tojson(indent=99999999999) }}",
      "{{ '\\t'.expandtabs(99999999999) }}",
      "{{ range(99999) | map('string') | join('x' * 99999) }}",
      "{{ [1] | batch(99999999999, 0) | list }}",
      "{{ [1] | slice(99999999999) | list }}",
      "{{ 'x' | center(99999999999) }}",
  };
  for (const char* source : endless) {
    SCOPED_TRACE(source);
    const std::string message = error_of(source, Json::object(), {.max_steps = 200'000});
    EXPECT_TRUE(message.find("more than the 200000 steps") != message.npos ||
                message.find("nested deeper") != message.npos)
        << message;
  }
  EXPECT_EQ(
      error_of("{% for a in range(9999) %}0123456789{% endfor %}", Json::object(), {.max_output = 5000}),
      "t.jinja:1: the template writes more than the 5000 bytes that are allowed");
  EXPECT_THROW(render("{{ '%99999999d' % 1 }}"), Error);
  EXPECT_THROW(render("{{ '{:99999999}'.format(1) }}"), Error);
}

std::string times(const std::string& text, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += text;
  return out;
}

TEST(ChatTemplate, NestingIsBounded) {
  constexpr int kMany = 100000;
  const std::string sources[] = {
      "{{ " + times("(", kMany) + "1" + times(")", kMany) + " }}",
      "{{ " + times("[", kMany) + times("]", kMany) + " }}",
      "{{ " + times("not ", kMany) + "1 }}",
      "{{ " + times("-", kMany) + "1 }}",
      "{{ 1" + times(" + 1", kMany) + " }}",
      "{{ a" + times(".a", kMany) + " }}",
      "{{ a" + times("()", kMany) + " }}",
      "{{ a" + times(" | trim", kMany) + " }}",
      "{{ a" + times(" and a", kMany) + " }}",
      "{{ a" + times(" if a else b", kMany) + " }}",
      times("{% if a %}", kMany) + times("{% endif %}", kMany),
      times("{% for a in b %}", kMany),
      times("{% macro a() %}", kMany),
      "{% set ns = namespace(x=1) %}{% for i in range(50000) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace(x={}) %}{% for i in range(50000) %}{% set ns.x = {1: ns.x} %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(50000) %}{% set ns.x = ns.x | map('string') %}{% "
      "endfor %}{{ ns.x | list }}",
      "{% set ns = namespace(x=[1]) %}{% for i in range(50000) %}{% set ns.x = ns.x | batch(1) %}{% endfor "
      "%}{{ ns.x | list }}",
      "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}",
  };
  for (const std::string& source : sources) {
    const std::string message = error_of(source, Json::object());
    EXPECT_TRUE(message.find("deeper") != message.npos || message.find("chain") != message.npos)
        << source.substr(0, 100) << ": " << message;
  }
  // Long, but not deep.
  const auto long_if = "{% if a %}" + times("{% elif a %}", kMany) + "{% else %}x{% endif %}";
  EXPECT_EQ(render(long_if), "x");
  EXPECT_EQ(render("{{ 'a'" + times(" ~ 'b'", kMany) + " }}").size(), kMany + 1u);
  EXPECT_EQ(render("{% set ns = namespace(x=none) %}{% for i in range(50000) %}{% set ns.x = "
                   "namespace(x=ns.x) %}{% endfor %}x"),
            "x");
  Json deep = 1;
  for (int i = 0; i < 300; ++i) deep = Json::array({deep});
  EXPECT_NE(error_of("x", Json{{"deep", deep}}).find("nested deeper"), std::string::npos);
}

TEST(ChatTemplate, NothingLeadsOutOfTheSandbox) {
  // Ways out of Python's jinja2 that have been published, in our words: all end in an error or print nothing.
  const char* const escapes[] = {
      "{{ ''.__class__.__mro__[1].__subclasses__() }}",
      "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
      "{{ joiner.__init__.__globals__['os'] }}",
      "{{ namespace.__init__.__globals__ }}",
      "{{ self._TemplateReference__context }}",
      "{{ lipsum.__globals__['os'] }}",
      "{{ range.__class__.__base__.__subclasses__() }}",
      "{{ ''|attr('__class__')|attr('__mro__') }}",
      "{{ ''|attr('format')|attr('__globals__') }}",
      "{{ '{0.__class__.__mro__}'.format('') }}",
      "{{ '{0.__class__}'.format_map({'0': 1}) }}",
      "{{ [''] | map(attribute='__class__') | map(attribute='__base__') | list }}",
      "{{ [''] | selectattr('__class__') | list }}",
      "{{ [''] | map('attr', '__class__') | map('attr', '__mro__') | list | first | list }}",
      "{{ dict.fromkeys }}",
      "{{ dict.mro() }}",
      "{{ request.application.__globals__ }}",
      "{{ config.items() }}",
      "{{ get_flashed_messages.__globals__ }}",
      "{{ messages.pop() }}",
      "{{ messages[0].update({'role': 'x'}) }}",
      "{% set messages.x = 1 %}",
      "{{ open('/etc/passwd').read() }}",
      "{{ eval('1') }}",
      "{{ import('os') }}",
      "{% include '/etc/passwd' %}",
      "{% import 'os' as os %}",
      "{% from 'os' import system %}",
      "{% extends '/etc/passwd' %}",
      "{% do messages.append(1) %}",
      "{% debug %}",
      "{{ environment }}",
      "{{ raise_exception.__globals__ }}",
      "{{ strftime_now.__self__ }}",
      "{{ (1).__class__ }}",
      "{{ loop.__class__ }}",
      "{% macro m() %}{% endmacro %}{{ m.__class__ }}",
      "{% macro m() %}{% endmacro %}{{ m._func }}",
  };
  const Json context = json(R"({"messages": [{"role": "user", "content": "x"}]})");
  for (const char* source : escapes) {
    SCOPED_TRACE(source);
    std::string text;
    try {
      text = render(source, context);
    } catch (const Error&) {
    }
    EXPECT_TRUE(text.empty() || text == "[]" || text == "[Undefined]") << text;
  }
}

TEST(ChatTemplate, IsSafeToShareBetweenThreads) {
  const auto made = ChatTemplate::parse(
      "{% macro m(x) %}<{{ x }}>{% endmacro %}{% for x in xs %}{{ m(x | upper) }}{% endfor %}{{ xs | tojson "
      "}}",
      "t");
  const Json context = json(R"({"xs": ["a", "b", "é"]})");
  const std::string expected = made.render(context);
  EXPECT_EQ(expected, "<A><B><É>[\"a\", \"b\", \"é\"]");
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) wrong[t] += made.render(context) != expected;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

}  // namespace
}  // namespace suiren::text
