#pragma once
// The formats in which the numbers of published weights stand in files: GGUF's tensor types and the 8-bit
// floats of safetensors. A row of a tensor is a whole number of blocks; a block is so many elements in so
// many bytes. The layouts of the blocks are stated in dequantize.cpp. Everything here is constexpr and safe
// to share between threads.

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace suiren::quant {

/// Formats in blocks are named as GGUF names them, in lower case.
class BlockFormat {
 public:
  enum Id : uint8_t {
    kF32,
    kF16,
    kBF16,
    kQ8_0,
    kQ4_0,
    kQ4_1,
    kQ5_0,
    kQ5_1,
    kQ2_K,
    kQ3_K,
    kQ4_K,
    kQ5_K,
    kQ6_K,
    kIQ4_NL,
    kIQ4_XS,
    kIQ2_XXS,
    kIQ2_XS,
    kIQ3_XXS,
    kMXFP4,
    kF8_E4M3,
    kF8_E5M2,
    kF64,
    kI8,
    kI16,
    kI32,
    kI64,
  };
  static constexpr int kCount = kI64 + 1;

  constexpr BlockFormat(Id id = kF32) : id_(id) {}
  constexpr Id id() const { return id_; }
  constexpr operator Id() const { return id_; }
  constexpr std::string_view name() const { return row().name; }
  constexpr int64_t block_elements() const { return row().elements; }
  constexpr int64_t block_bytes() const { return row().bytes; }
  /// The number of this type in a GGUF file, or -1: GGUF has no 8-bit floats.
  constexpr int gguf_type() const { return row().gguf; }
  /// Whether dequantize() takes it: all but f64 and the integers, which no weights stand in.
  constexpr bool is_dequantizable() const { return id_ < kF64; }
  /// Bytes of `elements`, a multiple of block_elements().
  constexpr int64_t bytes(int64_t elements) const { return elements / row().elements * row().bytes; }

  /// "q4_k" -> format; empty when the name is unknown.
  static constexpr std::optional<BlockFormat> parse(std::string_view name) {
    for (int i = 0; i < kCount; ++i)
      if (kRows[i].name == name) return BlockFormat(static_cast<Id>(i));
    return std::nullopt;
  }
  /// GGUF's number -> format; empty when it is none of these.
  static constexpr std::optional<BlockFormat> from_gguf_type(uint32_t type) {
    for (int i = 0; i < kCount; ++i)
      if (kRows[i].gguf >= 0 && static_cast<uint32_t>(kRows[i].gguf) == type)
        return BlockFormat(static_cast<Id>(i));
    return std::nullopt;
  }

 private:
  struct Row {
    std::string_view name;
    int16_t elements, bytes, gguf;
  };
  static constexpr Row kRows[] = {
      {"f32", 1, 4, 0},        {"f16", 1, 2, 1},         {"bf16", 1, 2, 30},       {"q8_0", 32, 34, 8},
      {"q4_0", 32, 18, 2},     {"q4_1", 32, 20, 3},      {"q5_0", 32, 22, 6},      {"q5_1", 32, 24, 7},
      {"q2_k", 256, 84, 10},   {"q3_k", 256, 110, 11},   {"q4_k", 256, 144, 12},   {"q5_k", 256, 176, 13},
      {"q6_k", 256, 210, 14},  {"iq4_nl", 32, 18, 20},   {"iq4_xs", 256, 136, 23}, {"iq2_xxs", 256, 66, 16},
      {"iq2_xs", 256, 74, 17}, {"iq3_xxs", 256, 98, 18}, {"mxfp4", 32, 17, 39},    {"f8_e4m3", 1, 1, -1},
      {"f8_e5m2", 1, 1, -1},   {"f64", 1, 8, 28},        {"i8", 1, 1, 24},         {"i16", 1, 2, 25},
      {"i32", 1, 4, 26},       {"i64", 1, 8, 27},
  };
  static_assert(sizeof kRows / sizeof *kRows == kCount);
  constexpr const Row& row() const { return kRows[id_]; }
  Id id_;
};

}  // namespace suiren::quant

template <>
struct fmt::formatter<suiren::quant::BlockFormat> : fmt::formatter<std::string_view> {
  auto format(suiren::quant::BlockFormat f, format_context& c) const {
    return formatter<std::string_view>::format(f.name(), c);
  }
};
