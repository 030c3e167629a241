#include "suiren/io/json.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const io::Json value = io::parse_json(text_of(bytes), "input", io::DuplicateKeys::kLastWins);
  const std::string written = value.dump();
  if (io::parse_json(written, "written") != value && written.find("null") == written.npos)
    broken("what is written reads back as something else");  // numbers beyond f64 are written as null
  (void)io::parse_json(text_of(bytes), "input", io::DuplicateKeys::kRefuse, 7);
}

const Target target("json", parse);

}  // namespace
}  // namespace suiren::fuzz
