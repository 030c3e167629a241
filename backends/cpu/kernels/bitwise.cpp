// Bits of integers and bool: plain loops, of which the compiler makes vectors for each target.

#include <type_traits>

#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/bitwise.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

#ifndef SUIREN_BITWISE_ONCE
#define SUIREN_BITWISE_ONCE
namespace suiren::cpu {
namespace {
enum Bits : int { kAnd, kOr, kXor, kShiftLeft, kShiftRight, kNot, kBitsCount };
}  // namespace
}  // namespace suiren::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// Operands are sign-extended to 64 bits, the lower ones of which hold the result. Shifts by more than an
// operand has bits are defined; `b` of kNot is not looked at.
template <int F, class T>
HWY_INLINE T bits(T a, T b) {
  if constexpr (F == kAnd) return static_cast<T>(a & b);
  if constexpr (F == kOr) return static_cast<T>(a | b);
  if constexpr (F == kXor) return static_cast<T>(a ^ b);
  if constexpr (F == kNot && std::is_same_v<T, bool>) return !a;
  if constexpr (F == kNot && !std::is_same_v<T, bool>) return static_cast<T>(~a);
  const auto x = static_cast<int64_t>(a), by = static_cast<int64_t>(b);
  const bool within = static_cast<uint64_t>(by) < 64;
  if constexpr (F == kShiftLeft)
    return static_cast<T>(within ? static_cast<uint64_t>(x) << (static_cast<uint64_t>(by) & 63) : 0);
  return static_cast<T>(x >> (within ? by & 63 : 63));
}

// Rows p[0] = f(p[1], p[2]) with strides s in bytes; p[0] has no gaps.
template <int F, class T>
void bits_row(int64_t n, char* const* p, const int64_t* s) {
  T* y = reinterpret_cast<T*>(p[0]);
  const char *a = p[1], *b = p[2];
  const int64_t sa = s[1], sb = s[2];
  const auto from = [](const char* row) { return reinterpret_cast<const T*>(row); };
  constexpr auto item = static_cast<int64_t>(sizeof(T));
  if (sa == item && sb == item)
    for (int64_t i = 0; i < n; ++i) y[i] = bits<F>(from(a)[i], from(b)[i]);
  else
    for (int64_t i = 0; i < n; ++i) y[i] = bits<F>(*from(a + i * sa), *from(b + i * sb));
}

// By place: dtypes i8, i16, i32, i64, u8, bool.
using RowFunction = void (*)(int64_t, char* const*, const int64_t*);
#define ROW(F)                                                                             \
  {                                                                                        \
    bits_row<F, int8_t>, bits_row<F, int16_t>, bits_row<F, int32_t>, bits_row<F, int64_t>, \
        bits_row<F, uint8_t>, bits_row<F, bool>                                            \
  }
constexpr RowFunction bits_rows[kBitsCount][6] = {ROW(kAnd),       ROW(kOr),         ROW(kXor),
                                                  ROW(kShiftLeft), ROW(kShiftRight), ROW(kNot)};
#undef ROW

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

int column_of(DType d) {
  switch (d.id()) {
    case DType::kI8:
      return 0;
    case DType::kI16:
      return 1;
    case DType::kI32:
      return 2;
    case DType::kI64:
      return 3;
    case DType::kU8:
      return 4;
    default:
      return 5;
  }
}

template <int F>
void bitwise(const Call& c, void*) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Operand second = c.in(F == kNot ? 0 : 1);
  const Walk walk({c.out(0), c.in(0), second}, {dtype.size(), dtype.size(), dtype.size()});
  walk.run(kGrainCheap, SUIREN_PICK(bits_rows)[F][column_of(dtype)]);
}

constexpr Kernel kKernels[] = {
    {"bitwise_and", "elementwise", 10, nullptr, nullptr, bitwise<kAnd>},
    {"bitwise_or", "elementwise", 10, nullptr, nullptr, bitwise<kOr>},
    {"bitwise_xor", "elementwise", 10, nullptr, nullptr, bitwise<kXor>},
    {"shift_left", "elementwise", 10, nullptr, nullptr, bitwise<kShiftLeft>},
    {"shift_right", "elementwise", 10, nullptr, nullptr, bitwise<kShiftRight>},
    {"bitwise_not", "elementwise", 10, nullptr, nullptr, bitwise<kNot>},
};

}  // namespace

KernelList kernels_bitwise() { return kKernels; }

}  // namespace suiren::cpu
#endif
