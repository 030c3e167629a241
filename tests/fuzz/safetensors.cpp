#include "suiren/io/safetensors.h"

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/models/folder_weights.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// As weights stored in few bits; what is formed is less than 64 bytes for each of the file.
void read_weights(Bytes bytes, const io::Json& quantization_config) {
  try {
    const models::FolderWeights weights(io::SafeTensors::from_bytes(bytes, "input"), quantization_config, "");
    for (const io::BlockEntry& e : weights.entries()) {
      std::vector<uint8_t> room;
      const auto wanted = static_cast<size_t>(io::checked_bytes(e.shape, e.format, e.name));
      if (e.read(room).size() != wanted) broken("a tensor has not the bytes of its shape");
    }
  } catch (const Error&) {
  }
}

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
  read_weights(bytes, {{"quant_method", "mxfp4"}});
  read_weights(bytes, {{"quant_method", "fp8"}, {"weight_block_size", {2, 3}}});
  SR_CHECK(file.contains("no such name"), "{} names", file.names().size());
}

const Target target("safetensors", parse);

}  // namespace
}  // namespace suiren::fuzz
