#include "suiren/data/record_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suiren/io/json.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// A template, at most 256 bytes of it, and a record.
void parse(Bytes bytes) {
  const std::string_view text = text_of(take_part(bytes)).substr(0, 256);
  const data::RecordTemplate made(text);
  std::string out;
  made.render(io::parse_json(text_of(bytes), "record"), "record", out);
  if (out.size() > (text.size() + 1) * (bytes.size() * 8 + 64))
    broken("the document is larger than its parts");
}

// A template of 256 bytes names a field 85 times; numbers may be written longer than they were read.
const Target target("record_template", parse, 85 * 8);

}  // namespace
}  // namespace suiren::fuzz
