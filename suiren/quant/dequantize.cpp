#include "suiren/quant/dequantize.h"

#include <cstring>

#include "suiren/base/error.h"
#include "suiren/quant/float8.h"
#include "suiren/quant/unpack.h"

namespace suiren::quant {
namespace {

template <DType::Id kId>
void decode_block(const uint8_t* b, float* y) {
  using Layout = BlockLayout<kId>;
  constexpr int kElements = static_cast<int>(DType(kId).block_elements());
  uint8_t codes[kElements];
  float scales[kElements / Layout::kGroup], offsets[kElements / Layout::kGroup];
  Layout::template unpack<ScalarIsa>(b, codes, scales, offsets, 1);
  for (int e = 0; e < kElements; ++e) {
    y[e] = scales[e / Layout::kGroup] * static_cast<float>(codes[e] - Layout::kZero);
    if constexpr (Layout::kOffsets) y[e] += offsets[e / Layout::kGroup];
  }
}

/// One element in one number of type T.
template <class T>
void decode_number(const uint8_t* b, float* y) {
  *y = static_cast<float>(layouts::load<T>(b));
}

using Decode = void (*)(const uint8_t* block, float* values);
Decode decoder(BlockFormat format) {
  if (format == BlockFormat::kF8_E4M3) return decode_number<float8_e4m3>;
  if (format == BlockFormat::kF8_E5M2) return decode_number<float8_e5m2>;
  const DType dtype = *format.dtype();
  if (dtype.is_block())
    return visit_block_format(dtype, []<DType::Id kId>() -> Decode { return decode_block<kId>; });
  return visit_dtype(dtype, []<class T>() -> Decode { return decode_number<T>; });
}

}  // namespace

void dequantize(BlockFormat format, std::span<const uint8_t> bytes, std::span<float> out) {
  SR_CHECK_AS(kUnsupported, format.is_dequantizable(), "{} holds no weights; read its numbers as they are",
              format);
  const auto size = static_cast<size_t>(format.block_bytes()),
             elements = static_cast<size_t>(format.block_elements());
  SR_CHECK(bytes.size() % size == 0 && out.size() == bytes.size() / size * elements,
           "{} bytes of {} ({} bytes a block) do not hold {} elements", bytes.size(), format, size,
           out.size());
  const Decode decode = decoder(format);
  for (size_t i = 0; i < bytes.size() / size; ++i) decode(bytes.data() + i * size, out.data() + i * elements);
}

}  // namespace suiren::quant
