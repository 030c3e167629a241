// Comparisons, logic and where: results or conditions in bool.

#include <cmath>
#include <type_traits>

#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {
namespace {

struct Eq {
  template <class T>
  static bool of(T a, T b) {
    return a == b;
  }
};
struct Ne {
  template <class T>
  static bool of(T a, T b) {
    return a != b;
  }
};
struct Lt {
  template <class T>
  static bool of(T a, T b) {
    return a < b;
  }
};
struct Le {
  template <class T>
  static bool of(T a, T b) {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  static bool of(T a, T b) {
    return a > b;
  }
};
struct Ge {
  template <class T>
  static bool of(T a, T b) {
    return a >= b;
  }
};
struct And {
  template <class T>
  static bool of(T a, T b) {
    return int(a != T(0)) & int(b != T(0));  // no jump, so that the loop can be vectors
  }
};
struct Or {
  template <class T>
  static bool of(T a, T b) {
    return int(a != T(0)) | int(b != T(0));
  }
};

template <class F, class T>
void row(int64_t n, char* y, const T* a, int64_t sa, const T* b, int64_t sb) {
  bool* to = reinterpret_cast<bool*>(y);
  for (int64_t i = 0; i < n; ++i) to[i] = F::of(a[i * sa], b[i * sb]);
}

template <class F, class T>
void compare_row(int64_t n, char* const* p, const int64_t* s) {
  constexpr auto size = static_cast<int64_t>(sizeof(T));
  if constexpr (std::is_arithmetic_v<T>)
    return row<F>(n, p[0], reinterpret_cast<const T*>(p[1]), s[1] / size, reinterpret_cast<const T*>(p[2]),
                  s[2] / size);
  float a[kStage], b[kStage];
  for (int64_t i = 0; i < n; i += kStage) {
    const int64_t part = std::min(kStage, n - i);
    stage(dtype_of<T>, p[1] + i * s[1], s[1], a, part);
    stage(dtype_of<T>, p[2] + i * s[2], s[2], b, part);
    row<F>(part, p[0] + i, a, 1, b, 1);
  }
}

template <class F>
void compare(const Call& c, void*) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  Walk({c.out(0), c.in(0), c.in(1)}, {1, dtype.size(), dtype.size()})
      .run(kGrainCheap / 2, visit_dtype(dtype, []<class T>() { return compare_row<F, T>; }));
}

void logical_not(const Call& c, void*) {
  const Walk walk({c.out(0), c.in(0)}, {1, 1});
  walk.run(kGrainCheap, [](int64_t n, char* const* p, const int64_t* s) {
    const char* const x = p[1];
    char* const y = p[0];
    const int64_t step = s[1];
    for (int64_t i = 0; i < n; ++i) y[i] = x[i * step] == 0;
  });
}

// What a float is. Row::of(x) in f32 or f64.
struct IsNan {
  static bool of(auto x) { return x != x; }
};
struct IsInf {
  static bool of(auto x) { return std::fabs(x) == INFINITY; }
};
struct IsFinite {
  static bool of(auto x) { return std::fabs(x) < INFINITY; }
};
template <class F>
void float_test(const Call& c, void*) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0)}, {1, dtype.size()});
  visit_dtype(dtype, [&]<class T>() {
    if constexpr (!std::is_integral_v<T>)
      walk.run(kGrainCheap, [](int64_t n, char* const* p, const int64_t* s) {
        using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
        bool* y = reinterpret_cast<bool*>(p[0]);
        for (int64_t i = 0; i < n; ++i)
          y[i] = F::of(static_cast<Real>(*reinterpret_cast<const T*>(p[1] + i * s[1])));
      });
  });
}

// y = cond ? a : b.
void where(const Call& c, void*) {
  const int64_t size = dtype_of_operand(c.in(1).dtype()).size();
  const Walk walk({c.out(0), c.in(0), c.in(1), c.in(2)}, {size, 1, size, size});
  walk.run(kGrainCheap / 2, [&](int64_t n, char* const* p, const int64_t* s) {
    const auto choose = [&]<class W>() {
      W* y = reinterpret_cast<W*>(p[0]);
      for (int64_t i = 0; i < n; ++i) {
        const W a = *reinterpret_cast<const W*>(p[2] + i * s[2]),
                b = *reinterpret_cast<const W*>(p[3] + i * s[3]);
        y[i] = p[1][i * s[1]] != 0 ? a : b;
      }
    };
    if (size == 1) return choose.template operator()<uint8_t>();
    if (size == 2) return choose.template operator()<uint16_t>();
    if (size == 4) return choose.template operator()<uint32_t>();
    choose.template operator()<uint64_t>();
  });
}

Reason accepts_bool(const Call& c) { return c.in(0).dtype() == SR_BOOL ? nullptr : "dtype"; }

constexpr Kernel kKernels[] = {
    {"eq", "elementwise", 10, nullptr, nullptr, compare<Eq>},
    {"ne", "elementwise", 10, nullptr, nullptr, compare<Ne>},
    {"lt", "elementwise", 10, nullptr, nullptr, compare<Lt>},
    {"le", "elementwise", 10, nullptr, nullptr, compare<Le>},
    {"gt", "elementwise", 10, nullptr, nullptr, compare<Gt>},
    {"ge", "elementwise", 10, nullptr, nullptr, compare<Ge>},
    {"logical_and", "elementwise", 10, nullptr, nullptr, compare<And>},
    {"logical_or", "elementwise", 10, nullptr, nullptr, compare<Or>},
    {"logical_xor", "elementwise", 10, nullptr, nullptr, compare<Ne>},
    {"isnan", "elementwise", 10, nullptr, nullptr, float_test<IsNan>},
    {"isinf", "elementwise", 10, nullptr, nullptr, float_test<IsInf>},
    {"isfinite", "elementwise", 10, nullptr, nullptr, float_test<IsFinite>},
    {"logical_not", "elementwise", 10, accepts_bool, nullptr, logical_not},
    {"where", "elementwise", 10, accepts_bool, nullptr, where},
};

}  // namespace

KernelList kernels_select() { return kKernels; }

}  // namespace suiren::cpu
