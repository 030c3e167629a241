#pragma once
// Every op as rows of a table: for `suiren ops` and docs/ops.md. Safe from any thread.

#include <string>
#include <vector>

namespace suiren {

struct OpRow {
  std::string name;
  std::string doc;         ///< one line: the formula
  std::string attributes;  ///< names, with commas
  std::string dtypes;      ///< "f64 f32 bf16 f16", "all", ...
  std::string gradient;    ///< "rule", "of its parts", "view", or "none: why"
  std::string kernels;     ///< "cpu: rows, any", by chip; "parts" or "reference" where a chip has none
};
std::vector<OpRow> ops_rows();
/// docs/ops.md, whole.
std::string ops_table_markdown();

}  // namespace suiren
