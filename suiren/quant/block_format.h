#pragma once
// The formats in which the numbers of published weights stand in files: GGUF's tensor types and the 8-bit
// floats of safetensors. A row of a tensor is a whole number of blocks; a block is so many elements in so
// many bytes. The layouts of the blocks are stated in unpack.h. Everything here is constexpr and safe
// to share between threads.

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "suiren/base/dtype.h"

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
  constexpr std::string_view name() const { return row().dtype ? row().dtype->name() : row().name; }
  constexpr int64_t block_elements() const { return row().dtype ? row().dtype->block_elements() : 1; }
  constexpr int64_t block_bytes() const { return row().dtype ? row().dtype->block_bytes() : 1; }
  /// The number of this type in a GGUF file, or -1: GGUF has no 8-bit floats.
  constexpr int gguf_type() const { return row().gguf; }
  /// The dtype of a tensor that holds these bytes; none: there are no tensors of 8-bit floats.
  constexpr std::optional<DType> dtype() const { return row().dtype; }
  /// Whether dequantize() takes it: all but f64 and the integers, which no weights stand in.
  constexpr bool is_dequantizable() const { return id_ < kF64; }
  /// Bytes of `elements`, a multiple of block_elements().
  constexpr int64_t bytes(int64_t elements) const { return elements / block_elements() * block_bytes(); }

  /// "q4_k" -> format; empty when the name is unknown.
  static constexpr std::optional<BlockFormat> parse(std::string_view name) {
    return find([&](BlockFormat f) { return f.name() == name; });
  }
  /// GGUF's number -> format; empty when it is none of these.
  static constexpr std::optional<BlockFormat> from_gguf_type(uint32_t type) {
    return find(
        [&](BlockFormat f) { return f.gguf_type() >= 0 && static_cast<uint32_t>(f.gguf_type()) == type; });
  }
  /// The format in which the elements of a tensor stand in a file; empty for bool and u8, which GGUF has not.
  static constexpr std::optional<BlockFormat> of(DType dtype) {
    return find([&](BlockFormat f) { return f.dtype() == dtype; });
  }

 private:
  template <class F>
  static constexpr std::optional<BlockFormat> find(F&& wanted) {
    for (int i = 0; i < kCount; ++i)
      if (const BlockFormat f(static_cast<Id>(i)); wanted(f)) return f;
    return std::nullopt;
  }
  struct Row {
    int16_t gguf;
    std::optional<DType> dtype;
    std::string_view name;  // without a dtype: one byte each
  };
  static constexpr Row kRows[] = {
      {0, DType::kF32, {}},      {1, DType::kF16, {}},     {30, DType::kBF16, {}},
      {8, DType::kQ8_0, {}},     {2, DType::kQ4_0, {}},    {3, DType::kQ4_1, {}},
      {6, DType::kQ5_0, {}},     {7, DType::kQ5_1, {}},    {10, DType::kQ2_K, {}},
      {11, DType::kQ3_K, {}},    {12, DType::kQ4_K, {}},   {13, DType::kQ5_K, {}},
      {14, DType::kQ6_K, {}},    {20, DType::kIQ4_NL, {}}, {23, DType::kIQ4_XS, {}},
      {16, DType::kIQ2_XXS, {}}, {17, DType::kIQ2_XS, {}}, {18, DType::kIQ3_XXS, {}},
      {39, DType::kMXFP4, {}},   {-1, {}, "f8_e4m3"},      {-1, {}, "f8_e5m2"},
      {28, DType::kF64, {}},     {24, DType::kI8, {}},     {25, DType::kI16, {}},
      {26, DType::kI32, {}},     {27, DType::kI64, {}},
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
