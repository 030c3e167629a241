// Bits of integers and bool, in plain loops: memory is what they wait for.

#include <type_traits>

#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {
namespace {

struct And {
  static int64_t of(int64_t a, int64_t b) { return a & b; }
};
struct Or {
  static int64_t of(int64_t a, int64_t b) { return a | b; }
};
struct Xor {
  static int64_t of(int64_t a, int64_t b) { return a ^ b; }
};
struct ShiftLeft {
  static int64_t of(int64_t a, int64_t b) {
    return b < 0 || b > 63 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
  }
};
struct ShiftRight {
  static int64_t of(int64_t a, int64_t b) { return a >> (b < 0 || b > 63 ? 63 : b); }
};

// The 64 bits of a sign-extended operand hold the result in their lower ones.
template <class F>
void bitwise(const Call& c, void*) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0), c.in(1)}, {dtype.size(), dtype.size(), dtype.size()});
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      walk.run(kGrainCheap, [](int64_t n, char* const* p, const int64_t* s) {
        T* y = reinterpret_cast<T*>(p[0]);
        for (int64_t i = 0; i < n; ++i)
          y[i] = static_cast<T>(F::of(*reinterpret_cast<const T*>(p[1] + i * s[1]),
                                      *reinterpret_cast<const T*>(p[2] + i * s[2])));
      });
  });
}

void bitwise_not(const Call& c, void*) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0)}, {dtype.size(), dtype.size()});
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (std::is_integral_v<T>)
      walk.run(kGrainCheap, [](int64_t n, char* const* p, const int64_t* s) {
        T* y = reinterpret_cast<T*>(p[0]);
        for (int64_t i = 0; i < n; ++i) {
          const T x = *reinterpret_cast<const T*>(p[1] + i * s[1]);
          y[i] = std::is_same_v<T, bool> ? x == T(0) : static_cast<T>(~static_cast<int64_t>(x));
        }
      });
  });
}

constexpr Kernel kKernels[] = {
    {"bitwise_and", "elementwise", 10, nullptr, nullptr, bitwise<And>},
    {"bitwise_or", "elementwise", 10, nullptr, nullptr, bitwise<Or>},
    {"bitwise_xor", "elementwise", 10, nullptr, nullptr, bitwise<Xor>},
    {"shift_left", "elementwise", 10, nullptr, nullptr, bitwise<ShiftLeft>},
    {"shift_right", "elementwise", 10, nullptr, nullptr, bitwise<ShiftRight>},
    {"bitwise_not", "elementwise", 10, nullptr, nullptr, bitwise_not},
};

}  // namespace

KernelList kernels_bitwise() { return kKernels; }

}  // namespace suiren::cpu
