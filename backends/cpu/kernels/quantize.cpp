// Quantization to 8 bits and back, in f32 (f64 for f64) step by step as the ops' definition has it.

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {
namespace {

// The floating types and what they compute in.
template <class T>
using Wider = std::conditional_t<std::is_same_v<T, double>, double, float>;

// y[i] = f(x[i], channel) over x as [outer, channels, inner], row-major; n x [1, 1, n] for a whole tensor.
// The loops are plain so that the compiler makes vectors of them.
template <class X, class Y, class F>
__attribute__((optimize("O3", "no-trapping-math"))) void map_row(const X* __restrict x, Y* __restrict y,
                                                                 int64_t n, F f) {
  for (int64_t i = 0; i < n; ++i) y[i] = f(x[i]);
}
template <class X, class Y, class F>
void map(int64_t numel, const X* x, Y* y, F f) {
  parallel_for(numel, kGrainCheap,
               [&](int64_t begin, int64_t end) { map_row(x + begin, y + begin, end - begin, f); });
}
template <class X, class Y, class F>
void map_channels(const Operand& shape, int64_t axis, const X* x, Y* y, F f) {
  int64_t inner = 1;
  for (int d = static_cast<int>(axis) + 1; d < shape.rank(); ++d) inner *= shape.dim(d);
  const int64_t channels = shape.dim(static_cast<int>(axis));
  if (shape.numel() == 0) return;
  const int64_t rows = shape.numel() / inner;
  if (inner > 1) {
    parallel_for(rows, std::max<int64_t>(1, kGrainCheap / inner), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) map_row(x + r * inner, y + r * inner, inner, f(r % channels));
    });
    return;
  }
  parallel_for(rows, kGrainCheap, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin, c = begin % channels; r < end; ++r, c = c + 1 == channels ? 0 : c + 1)
      y[r] = f(c)(x[r]);
  });
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
    map(x.numel(), x.data<T>(), y.data<Q>(),
        [=](T v) { return static_cast<Q>(static_cast<int32_t>(quantize(wide(v)))); });
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
    map_channels(x, c.attr_i64(0), x.data<T>(), y.data<Q>(), [&](int64_t channel) {
      return [quantize = each[static_cast<size_t>(channel)]](T v) {
        return static_cast<Q>(static_cast<int32_t>(quantize(wide(v))));
      };
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
    map(q.numel(), q.data<Q>(), y.data<T>(),
        [=](Q v) { return convert<T>((static_cast<A>(v) - zero) * scale); });
  });
}

// Inputs q, scale, zero_point; attribute: axis.
void dequantize_per_channel(const Call& c, void*) {
  const Operand q = c.in(0), y = c.out(0);
  const std::vector<int64_t> zeros = zero_points(c.in(2));
  by_integer(dtype_of_operand(q.dtype()), dtype_of_operand(y.dtype()), [&]<class Q, class T, class A>() {
    const T* scales = c.in(1).data<T>();
    map_channels(q, c.attr_i64(0), q.data<Q>(), y.data<T>(), [&](int64_t channel) {
      const A scale = static_cast<A>(wide(scales[channel]));
      const A zero = static_cast<A>(zeros[static_cast<size_t>(channel)]);
      return [=](Q v) { return convert<T>((static_cast<A>(v) - zero) * scale); };
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
      map(x.numel(), x.data<T>(), c.out(0).data<T>(),
          [=](T v) { return convert<T>((quantize(wide(v)) - zero) * scale); });
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
