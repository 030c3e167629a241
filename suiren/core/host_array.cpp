#include "suiren/core/host_array.h"

#include <bit>
#include <cmath>
#include <type_traits>

#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"

namespace suiren {
namespace {

// x in f32 with the last bit set when bits were cut off: a second rounding to fewer bits is then exact.
float round_to_odd(Wide x) {
  float f = static_cast<float>(x);
  if (f == x || std::isnan(x) || std::isinf(f)) return f;
  if (std::fabs(static_cast<Wide>(f)) > std::fabs(x)) f = std::nextafter(f, 0.0f);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(f) | 1u);
}

template <class T>
T narrow(Wide x) {
  if constexpr (std::is_same_v<T, bool>) {
    return x != 0;
  } else if constexpr (std::is_integral_v<T>) {
    if (!std::isfinite(x)) return 0;
    // Wrap modulo 2^64 as integer arithmetic does; beyond that range a float has no integer anyway.
    const Wide limit = 18446744073709551616.0L;
    const Wide y = std::fmod(std::trunc(x), limit);
    return static_cast<T>(y < 0 ? 0 - static_cast<uint64_t>(-y) : static_cast<uint64_t>(y));
  } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, float>) {
    return static_cast<T>(x);
  } else {
    return T(round_to_odd(x));
  }
}

}  // namespace

HostArray to_host_array(const Tensor& t) {
  HostArray out{t.dtype(), t.shape(), std::vector<Wide>(static_cast<size_t>(t.numel()))};
  std::vector<uint8_t> bytes = t.to_bytes();
  if (t.dtype().is_block()) {
    std::vector<float> values(out.v.size());
    quant::dequantize(*quant::BlockFormat::of(t.dtype()), bytes, values);
    out.v.assign(values.begin(), values.end());
    out.blocks = std::move(bytes);
    return out;
  }
  visit_dtype(t.dtype(), [&]<class T>() {
    for (size_t i = 0; i < out.v.size(); ++i) {
      T x;
      std::memcpy(&x, bytes.data() + i * sizeof(T), sizeof(T));
      if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>)
        out.v[i] = static_cast<float>(x);
      else
        out.v[i] = static_cast<Wide>(x);
    }
  });
  return out;
}

Tensor from_host_array(const HostArray& a, const Device& device) {
  if (a.dtype.is_block()) {
    if (!a.blocks.empty()) return Tensor::from_bytes(a.blocks, a.shape, a.dtype, device);
    const std::vector<float> values(a.v.begin(), a.v.end());
    std::vector<uint8_t> bytes(static_cast<size_t>(a.dtype.bytes(a.numel())));
    quant::quantize(*quant::BlockFormat::of(a.dtype), values, {}, bytes);
    return Tensor::from_bytes(bytes, a.shape, a.dtype, device);
  }
  std::vector<uint8_t> bytes(a.v.size() * static_cast<size_t>(a.dtype.size()));
  visit_dtype(a.dtype, [&]<class T>() {
    for (size_t i = 0; i < a.v.size(); ++i) {
      const T x = narrow<T>(a.v[i]);
      std::memcpy(bytes.data() + i * sizeof(T), &x, sizeof(T));
    }
  });
  return Tensor::from_bytes(bytes, a.shape, a.dtype, device);
}

}  // namespace suiren
