#pragma once
// Every op as rows of a table: for `suiren ops` and docs/ops.md. Safe from any thread.

#include <span>
#include <string>
#include <vector>

namespace suiren {

struct OpRow {
  std::string name;
  std::string room;        ///< the folder in suiren/ops
  std::string doc;         ///< one line: the formula
  std::string attributes;  ///< names, with commas
  std::string dtypes;      ///< "f64 f32 bf16 f16", "all", ...
  std::string gradient;    ///< "rule", "of its parts", "view", or "none: why"
  std::string kernels;     ///< "cpu: rows, any", by chip; "parts" or "reference" where a chip has none
  std::vector<std::string> calls;   ///< of the op's samples: "f32 [4, 7], i64 [4] -> f32 [4]; axis=1"
  std::vector<std::string> errors;  ///< what the bad samples are told
};
std::vector<OpRow> ops_rows();
/// The folders of suiren/ops, in the order of all_rooms() (generated).
std::span<const char* const> room_names();
/// docs/ops.md, whole.
std::string ops_table_markdown();

}  // namespace suiren
