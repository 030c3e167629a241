#include "suiren/io/utf8.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const std::string_view text = text_of(bytes);
  const size_t bad = io::find_invalid_utf8(text);
  const std::string mended = io::replace_invalid_utf8(text);
  if (io::find_invalid_utf8(mended) != mended.npos) broken("mended text is not UTF-8");
  if (bad == text.npos ? mended != text : mended == text) broken("the search and the mending disagree");
  if (mended.substr(0, bad) != text.substr(0, bad)) broken("what stands before the damage was changed");
  io::check_utf8(text, "input");
}

const Target target("utf8", parse, 8);  // a wrong byte becomes the three of U+FFFD, in a growing string

}  // namespace
}  // namespace suiren::fuzz
