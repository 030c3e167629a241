#include "suiren/io/json.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/reader.h"

namespace suiren::io {

std::string message(const std::string& text, DuplicateKeys d = DuplicateKeys::kRefuse) {
  try {
    parse_json(text, "f.json", d);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalid);
    return e.what();
  }
  return "";
}

TEST(Json, ParsesWhatNlohmannParses) {
  for (const char* text :
       {"{}", "[]", "3", "-3", "18446744073709551615", "1.5e3", "null", "true", "\"\\u00e9\\n\"",
        R"({"a": [1, {"b": [null, false]}, []], "c": {"d": {}}, "e": "x"})"}) {
    EXPECT_EQ(parse_json(text, "t"), Json::parse(text)) << text;
  }
}

TEST(Json, ErrorsCarryLineAndColumn) {
  EXPECT_EQ(message("{\n  \"a\": tru}").substr(0, 10), "f.json:2:1");
  EXPECT_NE(message("{\"a\": 1").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message("").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message("\"\xff\"").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message("1 2").find("not valid JSON"), std::string::npos);
  EXPECT_NE(message("{\"a\": 1,\n\"a\": 2}").find("f.json:2:4: key 'a' stands twice"), std::string::npos)
      << message("{\"a\": 1,\n\"a\": 2}");
  EXPECT_EQ(parse_json("{\"a\": 1, \"a\": 2}", "t", DuplicateKeys::kLastWins)["a"], 2);
}

TEST(Json, DepthIsCapped) {
  EXPECT_EQ(message(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_NE(message(std::string(65, '[') + std::string(65, ']')).find("deeper than 64"), std::string::npos);
  EXPECT_NE(message(std::string(1'000'000, '[')).find("deeper than 64"), std::string::npos);
}

TEST(Json, TypedMembersNameTheKeyAndTheValue) {
  const Json j =
      parse_json(R"({"n": 3, "x": 1.5, "s": "t", "b": true, "v": [1, 2], "w": [1, -2], "u": 1e300})", "c");
  EXPECT_EQ(json_int(j, "n", "c"), 3);
  EXPECT_EQ(json_number(j, "x", "c"), 1.5);
  EXPECT_EQ(json_string(j, "s", "c"), "t");
  EXPECT_TRUE(json_bool(j, "b", "c"));
  EXPECT_EQ(json_sizes(j, "v", "c"), (std::vector<int64_t>{1, 2}));
  const auto what = [](auto f) -> std::string {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(what([&] { json_int(j, "x", "c"); }), "c: x is 1.5, expected an integer");
  EXPECT_EQ(what([&] { json_int(j, "u", "c"); }), "c: u is 1e+300, expected an integer");
  EXPECT_EQ(what([&] { json_string(j, "n", "c"); }), "c: n is 3, expected a string");
  EXPECT_EQ(what([&] { json_bool(j, "n", "c"); }), "c: n is 3, expected true or false");
  EXPECT_EQ(what([&] { json_sizes(j, "w", "c"); }), "c: w is [1,-2], expected an array of integers >= 0");
  EXPECT_EQ(what([&] { json_number(j, "s", "c"); }), "c: s is \"t\", expected a number");
  EXPECT_EQ(what([&] { json_int(j, "nope", "c"); }), "c: nope is missing");
  EXPECT_EQ(what([&] { json_int(Json(3), "n", "c"); }), "c: expected a JSON object");
}

TEST(Json, OrderedObjectsKeepTheOrderOfTheText) {
  const OrderedJson j = parse_ordered_json(R"({"z": 1, "a": {"y": [], "b": 2}, "m": null})", "t");
  EXPECT_EQ(j.dump(), R"({"z":1,"a":{"y":[],"b":2},"m":null})");
  EXPECT_EQ(parse_json(R"({"z": 1, "a": 2})", "t").dump(), R"({"a":2,"z":1})");
  EXPECT_THROW(parse_ordered_json(R"({"a": 1, "b": 2, "a": 3})", "t"), Error);
  EXPECT_EQ(parse_ordered_json(R"({"a": 1, "b": 2, "a": 3})", "t", DuplicateKeys::kLastWins).dump(),
            R"({"a":3,"b":2})");
  EXPECT_THROW(parse_ordered_json(std::string(65, '[') + std::string(65, ']'), "t"), Error);
  std::string many = "{";
  for (int i = 0; i < 100000; ++i) many += fmt::format("{}\"k{}\":0", i > 0 ? "," : "", i * 7919 % 100000);
  EXPECT_EQ(parse_ordered_json(many + "}", "t").size(), 100000u) << "in seconds, not hours";
}

TEST(Json, RoundTripsThroughAFile) {
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("suiren-json-{}.json", ::getpid());
  const Json j = {{"a", {1, 2, 3}}, {"b", "春"}};
  write_json(path, j);
  EXPECT_EQ(read_json(path), j);
  EXPECT_EQ(read_file(path).back(), '\n');
  std::filesystem::remove(path);
}

TEST(Reader, ReadsLittleEndianAndChecksEveryRead) {
  const uint8_t raw[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 0x80, 0x3f, 'h', 'i'};
  Reader r(raw, "r.bin");
  EXPECT_EQ(r.u8(), 1);
  EXPECT_EQ(r.u16(), 0x0302);
  EXPECT_EQ(r.u32(), 0x07060504u);
  EXPECT_EQ(r.u64(), 0x0f0e0d0c0b0a0908u);
  EXPECT_EQ(r.f32(), 1.0f);
  EXPECT_EQ(r.string(2), "hi");
  EXPECT_EQ(r.remaining(), 0u);
  r.seek(18);
  try {
    r.u32();
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "r.bin: at byte 18, 4 bytes are wanted but 3 are left; the file is cut short or damaged");
  }
  EXPECT_THROW(r.bytes(UINT64_MAX), Error);
  EXPECT_THROW(r.seek(22), Error);
  EXPECT_EQ(r.offset(), 18u) << "a failed read must not move";
  EXPECT_THROW(checked_mul(INT64_MAX, 2, "x"), Error);
  EXPECT_THROW(checked_mul(-1, 2, "x"), Error);
  EXPECT_EQ(checked_numel(std::vector<int64_t>{}, "x"), 1);
  EXPECT_EQ(checked_numel(std::vector<int64_t>{3, 0, 5}, "x"), 0);
}

}  // namespace suiren::io
