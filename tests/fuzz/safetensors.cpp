#include "suiren/io/safetensors.h"

#include "suiren/base/error.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const auto file = io::SafeTensors::from_bytes(bytes, "input");
  size_t total = 0, sum = 0;
  for (const io::TensorEntry& e : file.entries()) {
    for (uint8_t b : e.bytes) sum += b;
    total += e.bytes.size();
    if (&file.entry(e.name) != &e) broken("an entry is not found by its name");
  }
  for (const io::BlockEntry& e : file.float8_entries()) {
    total += e.bytes.size();
    if (file.contains(e.name)) broken("a tensor stands in two lists");
  }
  if (total > bytes.size() || sum > total * 255) broken("tensors hold more than the file");
  SR_CHECK(file.contains("no such name"), "{} names", file.names().size());
}

const Target target("safetensors", parse);

}  // namespace
}  // namespace suiren::fuzz
