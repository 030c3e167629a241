#include "suiren/io/json_scanner.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/philox.h"
#include "suiren/io/json.h"

namespace suiren::io {
namespace {

/// The message of the Error that f throws; "" when it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalid) << e.what();
    return e.what();
  }
  return "";
}

TEST(JsonScanner, WalksObjectsArraysAndNumbers) {
  JsonScanner s(" {\"a\" : [\"x\", 12 , 0],\n\"b\":{\"c\":[1.5e3,\"]\\\"\"]} } ", "f");
  s.expect('{');
  EXPECT_EQ(s.string(), "a");
  s.expect(':');
  s.expect('[');
  EXPECT_EQ(s.string(), "x");
  uint32_t n = 7;
  s.expect(',');
  EXPECT_TRUE(s.small_number(n) && n == 12);
  s.expect(',');
  EXPECT_TRUE(s.small_number(n) && n == 0);
  EXPECT_FALSE(s.take(','));
  s.expect(']');
  s.expect(',');
  EXPECT_EQ(s.string(), "b");
  s.expect(':');
  EXPECT_EQ(s.skip(), "{\"c\":[1.5e3,\"]\\\"\"]}");
  s.expect('}');
  EXPECT_EQ(s.peek(), '\0');
}

TEST(JsonScanner, NumbersThatAreNotSmallStayWhereTheyAre) {
  for (const char* text : {"-1", "1.5", "1e3", "01", "1000000000", "x", "\"1\"", ""}) {
    uint32_t n = 7;
    JsonScanner s(text, "f");
    EXPECT_FALSE(s.small_number(n)) << text;
    EXPECT_EQ(n, 7u);
    EXPECT_EQ(s.at(), 0u);
  }
}

// Strings of escapes, quotes, control characters and bytes that may or may not be UTF-8: taken and read, or
// refused, as the parser of values does.
TEST(JsonScanner, StringsAsTheParserReadsThem) {
  const std::string pieces[] = {"a",
                                "\\n",
                                "\\\\",
                                "\\\"",
                                "\\/",
                                "\\u00e9",
                                "\\ud83d\\ude00",
                                "\\ud83d",
                                "\\ude00",
                                "\\u12",
                                "\\x",
                                "\n",
                                "\x7f",
                                "\xC3\xA9",
                                "\xFF",
                                "\xE7\x9D",
                                "\xED\xA0\x80",
                                "\\u0000",
                                "\"",
                                "\\",
                                "\xF0\x9F\x98\x80",
                                "\\uD834\\uDD1E",
                                "\\ud83d\\u0041"};
  int taken = 0, refused = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    std::string text = "\"";
    for (uint64_t j = 0; j < i % 5; ++j) text += pieces[philox(1, i, j)[0] % std::size(pieces)];
    text += '"';
    std::string ours, theirs;
    const bool bad = !message_of([&] {
                        JsonScanner s(text, "f");
                        ours = s.string();
                        if (s.peek() != '\0' || s.at() != text.size()) s.refuse("something follows");
                      }).empty();
    const bool they_refuse = !message_of([&] { theirs = parse_json(text, "f").get<std::string>(); }).empty();
    EXPECT_EQ(bad, they_refuse) << text;
    if (!bad && !they_refuse) EXPECT_EQ(ours, theirs) << text;
    (bad ? refused : taken)++;
  }
  EXPECT_GT(taken, 500);
  EXPECT_GT(refused, 500);
}

TEST(JsonScanner, ErrorsHaveAPlace) {
  EXPECT_EQ(message_of([] { JsonScanner("[\n  \"ab", "f.json", 4).string(); }),
            "f.json:2:6: not valid JSON: a string does not end");
  EXPECT_EQ(message_of([] { JsonScanner("x", "f").expect('{'); }), "f:1:1: not valid JSON: expected '{'");
  for (const std::string text : {"", "[", "{\"a\":1", "\"", "\"\\", "[\"]"})
    EXPECT_NE(message_of([&] { JsonScanner(text, "f").skip(); }), "") << text;
  EXPECT_NE(message_of([] { JsonScanner(std::string(100, '['), "f").skip(); }).find("64 levels"),
            std::string::npos);
}

}  // namespace
}  // namespace suiren::io
