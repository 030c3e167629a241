#include "suiren/io/arrays.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  for (const auto& [name, array] : io::parse_npz(bytes, "input"))
    if (static_cast<int64_t>(array.to_bytes().size()) != array.bytes()) broken(name + " has another size");
}

// Deflate makes at most 1032 of a byte (RFC 1951); unpacked, as a tensor, and copied out of it.
const Target target("npz", parse, 3 * 1032);

}  // namespace
}  // namespace suiren::fuzz
