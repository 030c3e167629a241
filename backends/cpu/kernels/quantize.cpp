// Quantization to 8 bits and back, in f32 (f64 for f64) step by step as the ops' definition has it.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/quantize.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// A quarter of the lanes of f32, in bytes.
template <class Q>
using Bytes = hn::Rebind<Q, F32>;

// round(x inverse) + zero within [low, high]; NaN gives low.
HWY_INLINE V bounded(V x, V inverse, V zero, V low, V high) {
  const V q = hn::Add(hn::Round(hn::Mul(x, inverse)), zero);
  return hn::Min(hn::IfThenElse(hn::Ge(q, low), q, low), high);
}

// round(x inverse) + zero within [low, high] of either type of a byte; |zero| <= kMostZero. Kept within
// bounds before it is rounded, which is the same: they are whole. A float near 2^23 rounds to a whole number,
// and its low bits are that number.
void quantize_bytes(const float* x, uint8_t* y, int64_t n, float inverse, float zero, float low, float high) {
  const hn::Rebind<uint32_t, F32> d32;
  const Bytes<uint8_t> d8;
  const V i = set(inverse), l = set(low - zero), h = set(high - zero), whole = set(12582912.0f);
  const auto z = hn::Set(d32, static_cast<uint32_t>(static_cast<int32_t>(zero)));
  const auto codes = [=](V v) SUIREN_STEP {
    const V q = hn::Mul(v, i), bounded = hn::Min(hn::IfThenElse(hn::Ge(q, l), q, l), h);
    return hn::TruncateTo(d8, hn::Add(hn::BitCast(d32, hn::Add(bounded, whole)), z));
  };
  int64_t k = 0;
  for (; k + width() <= n; k += width()) hn::StoreU(codes(load(x + k)), d8, y + k);
  if (k == n) return;
  HWY_ALIGN uint8_t rest[hn::MaxLanes(d8)];
  hn::StoreU(codes(load_part(x + k, n - k)), d8, rest);
  std::memcpy(y + k, rest, static_cast<size_t>(n - k));
}
template <class Q>
HWY_INLINE void dequantize_vectors(const Q* x, float* y, int64_t n, float scale, float zero) {
  const V s = set(scale), z = set(zero);
  const auto numbers = [=](auto q) SUIREN_STEP {
    return hn::Mul(hn::Sub(hn::ConvertTo(F32(), hn::PromoteTo(I32(), q)), z), s);
  };
  int64_t k = 0;
  for (; k + width() <= n; k += width()) store(numbers(hn::LoadU(Bytes<Q>(), x + k)), y + k);
  if (k == n) return;
  HWY_ALIGN Q rest[hn::MaxLanes(Bytes<Q>())] = {};
  std::memcpy(rest, x + k, static_cast<size_t>(n - k));
  store_part(numbers(hn::LoadU(Bytes<Q>(), rest)), y + k, n - k);
}

void dequantize_i8(const int8_t* x, float* y, int64_t n, float scale, float zero) {
  dequantize_vectors(x, y, n, scale, zero);
}
void dequantize_u8(const uint8_t* x, float* y, int64_t n, float scale, float zero) {
  dequantize_vectors(x, y, n, scale, zero);
}
void fake_quantize_row(const float* x, float* y, int64_t n, float scale, float zero, float low, float high) {
  const V i = set(1 / scale), s = set(scale), z = set(zero), l = set(low), h = set(high);
  for_vectors(
      n, [=](auto in, auto out) SUIREN_STEP { out(hn::Mul(hn::Sub(bounded(in(x), i, z, l, h), z), s), y); });
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

// The floating types and what they compute in.
template <class T>
using Wider = std::conditional_t<std::is_same_v<T, double>, double, float>;

// row(first, n, channel) over x as [outer, channels, inner], row-major: stretches of one channel.
using Stretch = FunctionRef<void(int64_t first, int64_t n, int64_t channel)>;
void for_stretches(int64_t numel, int64_t channels, int64_t inner, Stretch row) {
  if (numel == 0) return;
  if (channels == 1)
    return parallel_for(numel, kGrainCheap, [&](int64_t begin, int64_t end) { row(begin, end - begin, 0); });
  parallel_for(numel / inner, std::max<int64_t>(1, kGrainCheap / inner), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) row(r * inner, inner, r % channels);
  });
}
void for_channels(const Operand& x, int64_t axis, Stretch row) {
  int64_t inner = 1;
  for (int d = static_cast<int>(axis) + 1; d < x.rank(); ++d) inner *= x.dim(d);
  for_stretches(x.numel(), x.dim(static_cast<int>(axis)), inner, row);
}

template <class A>
struct Quantizer {
  A inverse, zero, low, high;
  Quantizer(A scale, A zero_point, int64_t least, int64_t most)
      : inverse(1 / scale), zero(zero_point), low(static_cast<A>(least)), high(static_cast<A>(most)) {}
  A operator()(A x) const {
    const A q = std::rint(x * inverse) + zero;
    const A bounded = q >= low ? q : low;  // NaN gives the least
    return bounded > high ? high : bounded;
  }
};

template <class T>
T wide(T x) requires(!is_half<T>) {
  return x;
}
template <class T>
float wide(T x) requires(is_half<T>) {
  return static_cast<float>(x);
}

constexpr int64_t kVectors = 16;      // elements that are worth choosing the vector code for
constexpr float kMostZero = 1 << 20;  // that the vector code serves

template <class T, class Q, class A>
void quantize_row(const T* x, Q* y, int64_t n, const Quantizer<A>& quantize) {
  if constexpr (std::is_same_v<T, float>)
    if (n >= kVectors && std::abs(quantize.zero) <= kMostZero)
      return SUIREN_PICK(quantize_bytes)(x, reinterpret_cast<uint8_t*>(y), n, quantize.inverse, quantize.zero,
                                         quantize.low, quantize.high);
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<Q>(static_cast<int32_t>(quantize(wide(x[i]))));
}

template <class Q, class T, class A>
void dequantize_row(const Q* x, T* y, int64_t n, A scale, A zero) {
  if constexpr (sizeof(Q) == 1 && std::is_same_v<T, float>)
    if (n >= kVectors) {
      if constexpr (std::is_same_v<Q, int8_t>)
        return SUIREN_PICK(dequantize_i8)(x, y, n, scale, zero);
      else
        return SUIREN_PICK(dequantize_u8)(x, y, n, scale, zero);
    }
  for (int64_t i = 0; i < n; ++i) y[i] = convert<T>((static_cast<A>(x[i]) - zero) * scale);
}

// f<T, Q>() for the floating type of x and i8 or u8.
template <class F>
void by_types(DType x, DType q, F f) {
  visit_dtype(x, [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      if (q == kU8)
        f.template operator()<T, uint8_t>();
      else
        f.template operator()<T, int8_t>();
    }
  });
}

// Attributes: scale, zero_point, dtype.
void quantize_per_tensor(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  by_types(dtype_of_operand(x.dtype()), dtype_of_operand(y.dtype()), [&]<class T, class Q>() {
    using A = Wider<T>;
    const Quantizer<A> quantize(static_cast<A>(c.attr_f64(0)), static_cast<A>(c.attr_i64(1)),
                                std::numeric_limits<Q>::min(), std::numeric_limits<Q>::max());
    for_stretches(x.numel(), 1, 1, [&](int64_t first, int64_t n, int64_t) {
      quantize_row(x.data<T>() + first, y.data<Q>() + first, n, quantize);
    });
  });
}

std::vector<int64_t> zero_points(const Operand& x) {
  std::vector<int64_t> to(static_cast<size_t>(x.numel()));
  for (size_t i = 0; i < to.size(); ++i)
    to[i] = x.dtype() == SR_I32 ? x.data<int32_t>()[i] : x.data<int64_t>()[i];
  return to;
}

// Inputs x, scale, zero_point; attributes: axis, dtype.
void quantize_per_channel(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  const std::vector<int64_t> zeros = zero_points(c.in(2));
  by_types(dtype_of_operand(x.dtype()), dtype_of_operand(y.dtype()), [&]<class T, class Q>() {
    using A = Wider<T>;
    std::vector<Quantizer<A>> each;
    for (size_t i = 0; i < zeros.size(); ++i)
      each.emplace_back(wide(c.in(1).data<T>()[i]), static_cast<A>(zeros[i]), std::numeric_limits<Q>::min(),
                        std::numeric_limits<Q>::max());
    for_channels(x, c.attr_i64(0), [&](int64_t first, int64_t n, int64_t channel) {
      quantize_row(x.data<T>() + first, y.data<Q>() + first, n, each[static_cast<size_t>(channel)]);
    });
  });
}

// f<Q, T, A>() for the integer type of q and the floating type of the result, computed in A: f32 where both
// are narrow.
template <class F>
void by_integer(DType q, DType y, F f) {
  visit_dtype(q, [&]<class Q>() {
    if constexpr (std::is_integral_v<Q> && !std::is_same_v<Q, bool>)
      visit_dtype(y, [&]<class T>() {
        if constexpr (!std::is_integral_v<T>) {
          using A = std::conditional_t<sizeof(Q) == 1 && !std::is_same_v<T, double>, float, double>;
          f.template operator()<Q, T, A>();
        }
      });
  });
}

// Attributes: scale, zero_point, dtype.
void dequantize_per_tensor(const Call& c, void*) {
  const Operand q = c.in(0), y = c.out(0);
  by_integer(dtype_of_operand(q.dtype()), dtype_of_operand(y.dtype()), [&]<class Q, class T, class A>() {
    const A scale = static_cast<A>(c.attr_f64(0)), zero = static_cast<A>(c.attr_i64(1));
    for_stretches(q.numel(), 1, 1, [&](int64_t first, int64_t n, int64_t) {
      dequantize_row(q.data<Q>() + first, y.data<T>() + first, n, scale, zero);
    });
  });
}

// Inputs q, scale, zero_point; attribute: axis.
void dequantize_per_channel(const Call& c, void*) {
  const Operand q = c.in(0), y = c.out(0);
  const std::vector<int64_t> zeros = zero_points(c.in(2));
  by_integer(dtype_of_operand(q.dtype()), dtype_of_operand(y.dtype()), [&]<class Q, class T, class A>() {
    for_channels(q, c.attr_i64(0), [&](int64_t first, int64_t n, int64_t channel) {
      dequantize_row(q.data<Q>() + first, y.data<T>() + first, n,
                     static_cast<A>(wide(c.in(1).data<T>()[channel])),
                     static_cast<A>(zeros[static_cast<size_t>(channel)]));
    });
  });
}

// Attributes: scale, zero_point, low, high.
void fake_quantize(const Call& c, void*) {
  const Operand x = c.in(0);
  visit_dtype(dtype_of_operand(x.dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using A = Wider<T>;
      const A scale = static_cast<A>(c.attr_f64(0)), zero = static_cast<A>(c.attr_i64(1));
      const Quantizer<A> quantize(scale, zero, c.attr_i64(2), c.attr_i64(3));
      for_stretches(x.numel(), 1, 1, [&](int64_t first, int64_t n, int64_t) {
        const T* from = x.data<T>() + first;
        T* to = c.out(0).data<T>() + first;
        if constexpr (std::is_same_v<T, float>)
          return SUIREN_PICK(fake_quantize_row)(from, to, n, scale, zero, quantize.low, quantize.high);
        else
          for (int64_t i = 0; i < n; ++i) to[i] = convert<T>((quantize(wide(from[i])) - zero) * scale);
      });
    }
  });
}

constexpr Kernel kKernels[] = {
    {"quantize_per_tensor", "rows", 10, row_major_inputs, nullptr, quantize_per_tensor},
    {"quantize_per_channel", "rows", 10, row_major_inputs, nullptr, quantize_per_channel},
    {"dequantize_per_tensor", "rows", 10, row_major_inputs, nullptr, dequantize_per_tensor},
    {"dequantize_per_channel", "rows", 10, row_major_inputs, nullptr, dequantize_per_channel},
    {"fake_quantize", "rows", 10, row_major_inputs, nullptr, fake_quantize},
};

}  // namespace

KernelList kernels_quantize() { return kKernels; }

}  // namespace suiren::cpu
#endif
