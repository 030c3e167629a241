#pragma once
// One element from one dtype to another, by the rule of the op `cast`: floats to integers cut toward zero and
// wrap modulo 2^64 (NaN and infinities give 0), everything else rounds to nearest even; bool is x != 0.

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "suiren/base/dtype.h"

namespace suiren::cpu {

template <class T>
inline constexpr bool is_half = std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>;

inline int64_t whole(double x) {
  if (x > -9.2e18 && x < 9.2e18) return static_cast<int64_t>(x);
  if (!std::isfinite(x)) return 0;
  const double y = std::fmod(std::trunc(x), 18446744073709551616.0);
  return y < 0 ? -static_cast<int64_t>(static_cast<uint64_t>(-y))
               : static_cast<int64_t>(static_cast<uint64_t>(y));
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>)
    return x;
  else if constexpr (is_half<From>)
    return convert<To>(static_cast<float>(x));
  else if constexpr (std::is_same_v<To, bool>)
    return x != 0;
  else if constexpr (is_half<To>)
    return To(static_cast<float>(x));
  else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>)
    return static_cast<To>(whole(x));
  else
    return static_cast<To>(x);
}

}  // namespace suiren::cpu
