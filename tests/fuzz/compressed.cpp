#include <vector>

#include "suiren/data/input_stream.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// The first byte chooses the format. A few bytes may stand for gigabytes: the first MiB is read.
void parse(Bytes bytes) {
  if (bytes.empty()) return;
  const std::string path = put(bytes[0] % 2 ? "input.zst" : "input.gz", text_of(bytes.subspan(1)));
  const auto input = data::InputStream::open(path);
  std::vector<char> out(64 << 10);
  for (size_t total = 0, n = 1; n > 0 && total < 1 << 20; total += n) {
    n = input->read(out.data(), out.size());
    if (n > out.size()) broken("more was read than there is room for");
  }
  if (input->consumed() >= static_cast<int64_t>(bytes.size())) broken("more was taken than the file holds");
}

const Target target("compressed", parse, 1, 128 << 20);  // zstd holds the window that a file asks for

}  // namespace
}  // namespace suiren::fuzz
