// Random tensors: element i is a pure function of (seed, stream, i), so threads cannot change it.

#include "backends/cpu/convert.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/philox.h"

namespace suiren::cpu {
namespace {

// Attributes: shape, a, b, seed, stream, dtype; y = offset + factor * f(i).
void fill(const Call& c, double offset, double factor, double (*f)(uint64_t, uint64_t, uint64_t)) {
  const auto seed = static_cast<uint64_t>(c.attr_i64(3)), stream = static_cast<uint64_t>(c.attr_i64(4));
  const Operand y = c.out(0);
  visit_dtype(dtype_of_operand(y.dtype()), [&]<class T>() {
    T* to = y.data<T>();
    parallel_for(y.numel(), kGrainSlow, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = convert<T>(offset + factor * f(seed, stream, static_cast<uint64_t>(i)));
    });
  });
}

void uniform(const Call& c, void*) {
  fill(c, c.attr_f64(1), c.attr_f64(2) - c.attr_f64(1),
       [](uint64_t s, uint64_t t, uint64_t i) { return philox_uniform(s, t, i); });
}
void normal(const Call& c, void*) { fill(c, c.attr_f64(1), c.attr_f64(2), philox_normal); }

constexpr Kernel kKernels[] = {
    {"uniform", "philox", 10, nullptr, nullptr, uniform},
    {"normal", "philox", 10, nullptr, nullptr, normal},
};

}  // namespace

KernelList kernels_random() { return kKernels; }

}  // namespace suiren::cpu
