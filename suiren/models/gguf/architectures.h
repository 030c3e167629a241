#pragma once
// GGUF's architectures and the families of models that are stored as such. Thread-safe.

#include <string>
#include <string_view>
#include <vector>

#include "suiren/models/config.h"

namespace suiren::models {

struct GgufArchitecture {
  const char* name;        ///< general.architecture, and what its keys begin with
  const char* model_type;  ///< the family, as in config.json
  /// Rows of q and k stand in pairs that turn together, where config.json's family has them half a head
  /// apart.
  bool permuted = false;
  /// One layer in so many sees everything, the others a window, where the file has no pattern; 0: none do.
  int64_t window_period = 0;
};

const std::vector<GgufArchitecture>& gguf_architectures();
/// The row of a family.
const GgufArchitecture& gguf_architecture(const std::string& model_type);

/// Where a tensor of a GGUF file stands in Hugging Face's files.
struct GgufTensorRow {
  const char* family;  ///< a model_type, or nullptr: all
  /// Layers are N, experts E. Without ".weight" or ".bias" at the end of `gguf`, both names get either.
  const char *gguf, *hf;
  enum Layout {
    kSame,
    kQuery,        ///< rows in pairs where the architecture is permuted; heads as of queries,
    kKey,          ///< or as of keys
    kTransposed,   ///< [out, in] in GGUF, [in, out] there
    kExperts,      ///< [experts, out, in] in GGUF, a matrix each there
    kRow,          ///< [n] in GGUF, [1, n] there
    kLatentKey,    ///< [heads, rank, key]; there, transposed, a head's rows before those of
    kLatentValue,  ///< [heads, value, rank]
    kGate,         ///< [experts, out, in]; there gate and up take turns in the columns of
    kUp,           ///< [experts, in, 2 out]
    kDown,         ///< [experts, out, in]; there [experts, in, out]
    kGateBias,     ///< [experts, out]; there gate and up take turns: [experts, 2 out]
    kUpBias,
  } layout = kSame;
};

/// The rows that a family has, its own before those of all: the first that fits counts.
std::vector<GgufTensorRow> gguf_tensor_rows(const std::string& model_type);

/// A name with its numbers taken out: "blk.3.attn_q.weight" -> "blk.N.attn_q.weight" and 3. The first number
/// between dots is the layer N, the second the expert E; -1 where there is none.
struct GgufNamePattern {
  std::string pattern;
  int64_t layer = -1, expert = -1;
};
GgufNamePattern gguf_name_pattern(std::string_view name);
/// And back.
std::string gguf_name(std::string_view pattern, int64_t layer, int64_t expert);

}  // namespace suiren::models
