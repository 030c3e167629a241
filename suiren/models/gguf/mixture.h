#pragma once
// Which format each tensor of a quantized GGUF file gets: llama.cpp's mixtures. Thread-safe.

#include <string>
#include <vector>

#include "suiren/io/block_entry.h"

namespace suiren::models {

struct GgufMixture {
  const char* name;         ///< "q4_k_m"
  quant::BlockFormat base;  ///< of most matrices
  uint32_t file_type;       ///< general.file_type
  bool more = false;        ///< values and down-projections of some layers get more bits ("m")
};
const std::vector<GgufMixture>& gguf_mixtures();
/// Error{kInvalid} lists the names there are.
const GgufMixture& gguf_mixture(const std::string& name);

/// What a tensor gets, and what it would get if its rows were whole blocks.
struct MixedFormat {
  quant::BlockFormat format, wanted;
};
/// The formats of `tensors` (their bytes are not looked at), in their order. Vectors, norms and routers stay
/// f32. Where rows are no whole blocks a tensor gets blocks of 32 with about as many bits (q4_k: q5_0, q5_k:
/// q5_1, q6_k: q8_0), and where they are no multiple of 32 either, f16.
std::vector<MixedFormat> mixture_formats(const GgufMixture& mixture,
                                         const std::vector<io::BlockEntry>& tensors, int64_t layers,
                                         int64_t experts);

}  // namespace suiren::models
