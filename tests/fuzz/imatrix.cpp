#include "suiren/models/gguf/importance.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

/// Both forms of an importance matrix.
void parse(Bytes bytes) {
  const auto matrix = models::ImportanceMatrix::from_bytes(bytes, "input");
  if (matrix.size() > bytes.size()) broken("more tensors than bytes");
  if (!matrix.of("no such tensor").empty()) broken("a tensor that is not there has importance");
}

const Target target("imatrix", parse);

}  // namespace
}  // namespace suiren::fuzz
