#include "suiren/models/gguf/mixture.h"

#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/models/gguf/architectures.h"
#include "suiren/models/gguf/export.h"

namespace suiren::models {

using quant::BlockFormat;

const std::vector<GgufMixture>& gguf_mixtures() {
  static const std::vector<GgufMixture> table = {
      {"q4_k_m", BlockFormat::kQ4_K, 15, true}, {"q4_k_s", BlockFormat::kQ4_K, 14},
      {"q5_k_m", BlockFormat::kQ5_K, 17, true}, {"q5_k_s", BlockFormat::kQ5_K, 16},
      {"q6_k", BlockFormat::kQ6_K, 18},         {"q8_0", BlockFormat::kQ8_0, 7},
      {"q4_0", BlockFormat::kQ4_0, 2},          {"q4_1", BlockFormat::kQ4_1, 3},
      {"q5_0", BlockFormat::kQ5_0, 8},          {"q5_1", BlockFormat::kQ5_1, 9},
      {"bf16", BlockFormat::kBF16, 32},         {"f16", BlockFormat::kF16, 1},
  };
  return table;
}

const GgufMixture& gguf_mixture(const std::string& name) {
  std::string known;
  for (const GgufMixture& m : gguf_mixtures()) {
    if (name == m.name) return m;
    known += (known.empty() ? "" : ", ") + std::string(m.name);
  }
  fail(ErrorCode::kInvalid, "the type '{}' is unknown; there are {}", name, known);
}

namespace {

/// The first and the last eighth of the layers, and every third between.
bool takes_more(int64_t layer, int64_t layers) {
  const int64_t eighth = layers / 8;
  return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

BlockFormat blocks_of_32(BlockFormat f) {
  if (f == BlockFormat::kQ4_K) return BlockFormat::kQ5_0;
  if (f == BlockFormat::kQ5_K) return BlockFormat::kQ5_1;
  if (f == BlockFormat::kQ6_K) return BlockFormat::kQ8_0;
  return f;
}

/// Formats of a mixture by what a tensor is.
struct Choice {
  const GgufMixture& mixture;
  int64_t layers, experts;
  bool tied;

  BlockFormat of(const io::BlockEntry& e) const {
    const GgufNamePattern name = gguf_name_pattern(e.name);
    const std::string_view part = std::string_view(name.pattern).substr(0, name.pattern.rfind('.'));
    const bool k = mixture.base == BlockFormat::kQ4_K || mixture.base == BlockFormat::kQ5_K;
    const bool plain = mixture.base.block_elements() == 1 || mixture.base == BlockFormat::kQ8_0;
    if (part == "output" || (tied && part == "token_embd"))
      return plain ? mixture.base : BlockFormat(BlockFormat::kQ6_K);
    if (part == "blk.N.attn_v" || part == "blk.N.attn_k")
      return attention(part == "blk.N.attn_v", k, plain, name.layer);
    if (part == "blk.N.attn_output" && experts == 8 && mixture.base == BlockFormat::kQ4_K)
      return BlockFormat::kQ5_K;
    if (part == "blk.N.attn_qkv" && mixture.more)
      return mixture.base == BlockFormat::kQ4_K ? BlockFormat::kQ5_K : BlockFormat::kQ6_K;
    if (part.starts_with("blk.N.ffn_down")) {
      if (k && mixture.more && takes_more(name.layer, layers)) return BlockFormat::kQ6_K;
      if (mixture.base == BlockFormat::kQ4_K && !mixture.more && name.layer < layers / 8)
        return BlockFormat::kQ5_K;
    }
    return mixture.base;
  }

 private:
  BlockFormat attention(bool values, bool k, bool plain, int64_t layer) const {
    if (experts == 8 && !plain) return BlockFormat::kQ8_0;  // small beside eight experts
    if (!values || !k) return mixture.base;
    if (mixture.more) return takes_more(layer, layers) ? BlockFormat(BlockFormat::kQ6_K) : mixture.base;
    constexpr int64_t kFirst = 4;
    return mixture.base == BlockFormat::kQ4_K && layer < kFirst ? BlockFormat(BlockFormat::kQ5_K)
                                                                : mixture.base;
  }
};

}  // namespace

std::vector<MixedFormat> mixture_formats(const GgufMixture& mixture,
                                         const std::vector<io::BlockEntry>& tensors, int64_t layers,
                                         int64_t experts) {
  const bool tied = std::ranges::find(tensors, "output.weight", &io::BlockEntry::name) == tensors.end();
  const Choice choice{mixture, layers, experts, tied};
  std::vector<MixedFormat> out;
  for (const io::BlockEntry& e : tensors) {
    if (stays_f32_in_gguf(e.name, e.shape)) {
      out.push_back({BlockFormat::kF32, BlockFormat::kF32});
      continue;
    }
    const BlockFormat wanted = choice.of(e);
    BlockFormat f = wanted;
    if (e.shape.back() % f.block_elements() != 0) f = blocks_of_32(f);
    if (e.shape.back() % f.block_elements() != 0) f = BlockFormat::kF16;
    out.push_back({f, wanted});
  }
  return out;
}

}  // namespace suiren::models
