#pragma once
// The weights of a model folder as Hugging Face lays it out: safetensors, in one file or in shards.

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "suiren/io/json.h"
#include "suiren/io/safetensors.h"

namespace suiren::models {

/// Read-only after it is made: share it between threads freely.
///
/// Two ways to store weights in few bits, which config.json names in quantization_config, are understood:
/// - quant_method "fp8" (DeepSeek-V3 technical report, section 3.3.2): beside a matrix NAME [N, K] of 8-bit
///   floats stands NAME_scale_inv, a factor for each tile of weight_block_size. The matrix becomes f32, the
///   element times its tile's factor. Activations are not rounded, whatever activation_scheme says.
/// - quant_method "mxfp4" (gpt-oss model card, section 2.1): experts stand in NAME_blocks
///   [experts, out, in / 32, 16], two numbers a byte, and NAME_scales [experts, out, in / 32], exponents.
///   Each becomes a matrix in blocks (dtype mxfp4, the same numbers) under its parameter's name:
///   "model.layers.0.mlp.experts.3.up_proj.weight". Rows of gate and up take turns.
class FolderWeights {
 public:
  /// FOLDER/model.safetensors, or else the shards that FOLDER/model.safetensors.index.json names.
  /// Error{kNotFound} for a file that is not there, {kInvalid} naming what is damaged or does not fit,
  /// {kUnsupported} naming another quant_method or a dtype that is no weight's.
  static FolderWeights open(const std::string& folder);
  /// The same of one file with the members of quantization_config; `where` opens messages.
  FolderWeights(io::SafeTensors file, const io::Json& quantization_config, const std::string& where);
  FolderWeights(FolderWeights&&) = default;

  /// Valid as long as this. What is stored in another way is formed when it is read.
  const std::vector<io::BlockEntry>& entries() const { return entries_; }

 private:
  FolderWeights() = default;
  void collect(const io::Json& quantization_config, const std::string& where);
  std::deque<io::SafeTensors> files_;
  std::vector<io::BlockEntry> entries_;
};

/// Before memory is taken for a model: Error{kInvalid} when these are less than a quarter of its parameters.
/// Where only some are missing, Module::load_entries names them.
void check_size(std::span<const io::BlockEntry> entries, int64_t parameters, const std::string& where);

}  // namespace suiren::models
