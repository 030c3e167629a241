#include "suiren/io/utf8.h"

#include <gtest/gtest.h>

#include "suiren/base/error.h"

namespace suiren::io {

/// Encodes by the definition, to compare with.
std::string encode(uint32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EveryCodePointIsAcceptedAndSurrogatesAreNot) {
  for (uint32_t c = 0; c < 0x110100; ++c) {
    const bool good = c < 0x110000 && !(c >= 0xd800 && c < 0xe000);
    ASSERT_EQ(find_invalid_utf8("abcdefgh" + encode(c)) == std::string::npos, good) << c;
  }
}

TEST(Utf8, IllFormedSequencesAreFoundAndReplaced) {
  const struct {
    const char* text;
    size_t at;
    const char* replaced;
  } cases[] = {{"ab\xff", 2, "ab\uFFFD"},
               {"\xc0\xaf", 0, "\uFFFD\uFFFD"},                      // overlong
               {"\xe0\x80\x80", 0, "\uFFFD\uFFFD\uFFFD"},            // overlong
               {"\xed\xa0\x80", 0, "\uFFFD\uFFFD\uFFFD"},            // surrogate
               {"\xf4\x90\x80\x80", 0, "\uFFFD\uFFFD\uFFFD\uFFFD"},  // past U+10FFFF
               {"\xe6\x98x", 0, "\uFFFDx"},                          // cut short: one replacement
               {"ok\xf0\x9f\x98", 2, "ok\uFFFD"},
               {"\x80z", 0, "\uFFFDz"}};
  for (const auto& c : cases) {
    EXPECT_EQ(find_invalid_utf8(c.text), c.at);
    EXPECT_EQ(replace_invalid_utf8(c.text), c.replaced);
  }
  EXPECT_EQ(replace_invalid_utf8("春\n"), "春\n");
  try {
    check_utf8("one\ntwo \xfe", "f.txt", 100, 7);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(
        e.what(),
        "f.txt is not UTF-8: byte 0xfe at offset 108 (line 8); convert the file, or use --lossy to read such "
        "bytes as U+FFFD");
  }
}

}  // namespace suiren::io
