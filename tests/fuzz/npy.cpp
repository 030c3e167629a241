#include "suiren/io/npy.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const io::Npy array = io::Npy::from_bytes(bytes, "input");
  const std::vector<double> values = array.to_doubles();
  if (static_cast<int64_t>(values.size()) != array.numel()) broken("elements and shape disagree");
  if (array.bytes().size() > bytes.size()) broken("the array is larger than the file");
}

const Target target("npy", parse, 8);  // an i1 becomes a double

}  // namespace
}  // namespace suiren::fuzz
