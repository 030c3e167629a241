// Every dtype to every dtype, any layout.

#include <algorithm>
#include <type_traits>

#include "backends/cpu/convert.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/cast.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// To integers: runs of values that an int32_t holds take the processor's conversion, which vectors have.
template <class Types>
void whole_row(const typename Types::From* x, typename Types::To* y, int64_t n) {
  using From = typename Types::From;
  using To = typename Types::To;
  constexpr int64_t kRun = 64;
  constexpr From kLimit = 2147483648;
  for (int64_t i = 0; i < n; i += kRun) {
    const int64_t part = std::min(kRun, n - i);
    int within = 1;
    for (int64_t j = 0; j < part; ++j) within &= (x[i + j] > -kLimit) & (x[i + j] < kLimit);
    if (within)
      for (int64_t j = 0; j < part; ++j) y[i + j] = static_cast<To>(static_cast<int32_t>(x[i + j]));
    else
      for (int64_t j = 0; j < part; ++j) y[i + j] = convert<To>(x[i + j]);
  }
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

template <class A, class B>
struct Types {
  using From = A;
  using To = B;
};

template <class To, class From>
void cast_row(int64_t n, char* const* p, const int64_t* s) {
  To* y = reinterpret_cast<To*>(p[0]);
  const From* x = reinterpret_cast<const From*>(p[1]);
  const int64_t step = s[1] / static_cast<int64_t>(sizeof(From));
  constexpr bool vectors =
      (is_half<From> && std::is_same_v<To, float>) || (is_half<To> && std::is_same_v<From, float>);
  constexpr bool whole =
      std::is_floating_point_v<From> && std::is_integral_v<To> && !std::is_same_v<To, bool>;
  if constexpr (vectors)
    if (step == 1) return convert_row(x, y, n);
  if constexpr (whole) {
    using Pair = Types<From, To>;
    if (step == 1) return SUIREN_PICK(whole_row<Pair>)(x, y, n);
  }
  if (step == 1)
    for (int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
  else
    for (int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i * step]);
}

// Attribute: dtype.
void cast(const Call& c, void*) {
  const Operand y = c.out(0), x = c.in(0);
  const DType to = dtype_of_operand(y.dtype()), from = dtype_of_operand(x.dtype());
  const auto row = visit_dtype(
      to, [&]<class To>() { return visit_dtype(from, []<class From>() { return cast_row<To, From>; }); });
  Walk({y, x}, {to.size(), from.size()}).run(kGrainCheap / 2, row);
}

constexpr Kernel kKernels[] = {{"cast", "strided", 10, nullptr, nullptr, cast}};

}  // namespace

KernelList kernels_cast() { return kKernels; }

}  // namespace suiren::cpu
#endif
