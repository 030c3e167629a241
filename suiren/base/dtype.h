#pragma once
// Element types of tensors. Everything here is constexpr and safe to share between threads.

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace suiren {

/// bfloat16: the upper half of an IEEE binary32; conversion rounds to nearest even, NaN stays NaN.
struct bfloat16 {
  uint16_t bits = 0;
  bfloat16() = default;
  constexpr explicit bfloat16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    bits = (u & 0x7fffffff) > 0x7f800000 ? static_cast<uint16_t>((u >> 16) | 0x40)
                                         : static_cast<uint16_t>((u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  constexpr operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

/// IEEE binary16 storage; conversion rounds to nearest even, subnormals are kept.
struct float16 {
  uint16_t bits = 0;
  float16() = default;
  constexpr explicit float16(float x);
  constexpr operator float() const;
};

/// The type of a tensor's elements: a plain one, or a block format of quantized weights, whose rows are a
/// whole number of blocks (suiren/quant/unpack.h has their layouts). The numbers are those of the chip ABI.
class DType {
 public:
  enum Id : uint8_t {
    kF64,
    kF32,
    kBF16,
    kF16,
    kI8,
    kU8,
    kI16,
    kI32,
    kI64,
    kBool,
    kQ8_0 = 64,
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
  };
  static constexpr int kCount = 10;  ///< plain types: ids 0 .. 9
  static constexpr int kBlockCount = kMXFP4 - kQ8_0 + 1;

  constexpr DType(Id id = kF32) : id_(id) {}
  constexpr Id id() const { return id_; }
  constexpr operator Id() const { return id_; }
  constexpr bool is_block() const { return id_ >= kQ8_0; }
  /// Bytes of one element; of a block format 0, see bytes().
  constexpr int64_t size() const { return is_block() ? 0 : kSizes[id_]; }
  constexpr std::string_view name() const { return is_block() ? block().name : kNames[id_]; }
  constexpr int64_t block_elements() const { return is_block() ? block().elements : 1; }
  constexpr int64_t block_bytes() const { return is_block() ? block().bytes : size(); }
  /// Bytes of `elements`, a multiple of block_elements().
  constexpr int64_t bytes(int64_t elements) const { return elements / block_elements() * block_bytes(); }
  constexpr bool is_floating() const { return id_ <= kF16; }
  constexpr bool is_integer() const { return id_ >= kI8 && id_ <= kI64; }
  /// "f32", "bf16", ... -> plain dtype; empty when the name is unknown.
  static constexpr std::optional<DType> parse(std::string_view name) {
    for (int i = 0; i < kCount; ++i)
      if (kNames[i] == name) return DType(static_cast<Id>(i));
    return std::nullopt;
  }

 private:
  struct Block {
    std::string_view name;
    int16_t elements, bytes;
  };
  constexpr const Block& block() const { return kBlocks[id_ - kQ8_0]; }
  static constexpr int64_t kSizes[] = {8, 4, 2, 2, 1, 1, 2, 4, 8, 1};
  static constexpr std::string_view kNames[] = {"f64", "f32", "bf16", "f16", "i8",
                                                "u8",  "i16", "i32",  "i64", "bool"};
  static constexpr Block kBlocks[] = {
      {"q8_0", 32, 34},     {"q4_0", 32, 18},    {"q4_1", 32, 20},     {"q5_0", 32, 22},
      {"q5_1", 32, 24},     {"q2_k", 256, 84},   {"q3_k", 256, 110},   {"q4_k", 256, 144},
      {"q5_k", 256, 176},   {"q6_k", 256, 210},  {"iq4_nl", 32, 18},   {"iq4_xs", 256, 136},
      {"iq2_xxs", 256, 66}, {"iq2_xs", 256, 74}, {"iq3_xxs", 256, 98}, {"mxfp4", 32, 17},
  };
  Id id_;
};

inline constexpr DType kF64 = DType::kF64, kF32 = DType::kF32, kBF16 = DType::kBF16, kF16 = DType::kF16,
                       kI8 = DType::kI8, kU8 = DType::kU8, kI16 = DType::kI16, kI32 = DType::kI32,
                       kI64 = DType::kI64, kBool = DType::kBool;
inline constexpr DType kQ8_0 = DType::kQ8_0, kQ4_0 = DType::kQ4_0, kQ4_1 = DType::kQ4_1, kQ5_0 = DType::kQ5_0,
                       kQ5_1 = DType::kQ5_1, kQ2_K = DType::kQ2_K, kQ3_K = DType::kQ3_K, kQ4_K = DType::kQ4_K,
                       kQ5_K = DType::kQ5_K, kQ6_K = DType::kQ6_K, kIQ4_NL = DType::kIQ4_NL,
                       kIQ4_XS = DType::kIQ4_XS, kIQ2_XXS = DType::kIQ2_XXS, kIQ2_XS = DType::kIQ2_XS,
                       kIQ3_XXS = DType::kIQ3_XXS, kMXFP4 = DType::kMXFP4;

/// The dtype in which sums of `d` are accumulated: f64 for f64, f32 for the other floats, i64 for the rest.
constexpr DType accumulator(DType d) { return d == kF64 ? kF64 : d.is_floating() ? kF32 : kI64; }

template <class T>
struct dtype_of_t;
template <>
struct dtype_of_t<double> {
  static constexpr DType value = kF64;
};
template <>
struct dtype_of_t<float> {
  static constexpr DType value = kF32;
};
template <>
struct dtype_of_t<bfloat16> {
  static constexpr DType value = kBF16;
};
template <>
struct dtype_of_t<float16> {
  static constexpr DType value = kF16;
};
template <>
struct dtype_of_t<int8_t> {
  static constexpr DType value = kI8;
};
template <>
struct dtype_of_t<uint8_t> {
  static constexpr DType value = kU8;
};
template <>
struct dtype_of_t<int16_t> {
  static constexpr DType value = kI16;
};
template <>
struct dtype_of_t<int32_t> {
  static constexpr DType value = kI32;
};
template <>
struct dtype_of_t<int64_t> {
  static constexpr DType value = kI64;
};
template <>
struct dtype_of_t<bool> {
  static constexpr DType value = kBool;
};
template <class T>
inline constexpr DType dtype_of = dtype_of_t<T>::value;

/// Calls f.template operator()<T>() with the C++ type of `d`, a plain type:
/// visit_dtype(d, [&]<class T>() { ... }).
template <class F>
decltype(auto) visit_dtype(DType d, F&& f) {
  switch (d.id()) {
    case DType::kF64:
      return f.template operator()<double>();
    case DType::kF32:
      return f.template operator()<float>();
    case DType::kBF16:
      return f.template operator()<bfloat16>();
    case DType::kF16:
      return f.template operator()<float16>();
    case DType::kI8:
      return f.template operator()<int8_t>();
    case DType::kU8:
      return f.template operator()<uint8_t>();
    case DType::kI16:
      return f.template operator()<int16_t>();
    case DType::kI32:
      return f.template operator()<int32_t>();
    case DType::kI64:
      return f.template operator()<int64_t>();
    default:
      return f.template operator()<bool>();
  }
}

constexpr float16::float16(float x) {
  const uint32_t u = std::bit_cast<uint32_t>(x), sign = (u >> 16) & 0x8000;
  const uint32_t a = u & 0x7fffffff;
  if (a >= 0x7f800000) {  // infinity or NaN; NaN stays quiet
    bits = static_cast<uint16_t>(sign | 0x7c00 | (a > 0x7f800000 ? 0x200 | ((a >> 13) & 0x3ff) : 0));
  } else if (a >= 0x477ff000) {  // rounds to 65536 or more
    bits = static_cast<uint16_t>(sign | 0x7c00);
  } else if (a >= 0x38800000) {  // normal
    const uint32_t r = a - 0x38000000;
    bits = static_cast<uint16_t>(sign | ((r + 0xfff + ((r >> 13) & 1)) >> 13));
  } else if (a >= 0x33000000) {  // subnormal: shift the mantissa with its hidden bit
    const uint32_t shift = 126 - (a >> 23), m = (a & 0x7fffff) | 0x800000;
    const uint32_t half = 1u << (shift - 1), kept = m >> shift, rest = m & ((1u << shift) - 1);
    bits = static_cast<uint16_t>(sign | (kept + (rest > half || (rest == half && (kept & 1)))));
  } else {
    bits = static_cast<uint16_t>(sign);
  }
}

constexpr float16::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, e = (bits >> 10) & 31, m = bits & 0x3ff;
  if (e == 31) return std::bit_cast<float>(sign | 0x7f800000 | (m << 13));
  if (e != 0) return std::bit_cast<float>(sign | ((e + 112) << 23) | (m << 13));
  const float magnitude = static_cast<float>(m) * 0x1p-24f;
  return (bits & 0x8000) ? -magnitude : magnitude;
}

}  // namespace suiren

template <>
struct fmt::formatter<suiren::DType> : fmt::formatter<std::string_view> {
  auto format(suiren::DType d, format_context& c) const {
    return formatter<std::string_view>::format(d.name(), c);
  }
};
