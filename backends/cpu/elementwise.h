#pragma once
// Elementwise kernels of one tensor or two: how a row function in f32 serves f32, bf16 and f16 in every
// layout.

#include <algorithm>

#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {

/// row(x, y, n) over input 0 of a dtype that computes in f32 into output 0, staged where it has to be.
inline void through_f32(const Call& c, int64_t grain, FunctionRef<void(const float*, float*, int64_t)> row) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0)}, {dtype.size(), dtype.size()});
  walk.run(grain, [&](int64_t n, char* const* p, const int64_t* s) {
    if (dtype == kF32 && s[1] == 4)
      return row(reinterpret_cast<const float*>(p[1]), reinterpret_cast<float*>(p[0]), n);
    float x[kStage], y[kStage];
    for (int64_t i = 0; i < n; i += kStage) {
      const int64_t part = std::min(kStage, n - i);
      stage(dtype, p[1] + i * s[1], s[1], x, part);
      row(x, y, part);
      unstage(dtype, y, p[0] + i * s[0], s[0], part);
    }
  });
}

/// row(a, b, y, n) over inputs 0 and 1, of one shape and dtype, likewise.
inline void pairs_through_f32(const Call& c, int64_t grain,
                              FunctionRef<void(const float*, const float*, float*, int64_t)> row) {
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk({c.out(0), c.in(0), c.in(1)}, {dtype.size(), dtype.size(), dtype.size()});
  walk.run(grain, [&](int64_t n, char* const* p, const int64_t* s) {
    if (dtype == kF32 && s[1] == 4 && s[2] == 4)
      return row(reinterpret_cast<const float*>(p[1]), reinterpret_cast<const float*>(p[2]),
                 reinterpret_cast<float*>(p[0]), n);
    float fa[kStage], fb[kStage], y[kStage];
    for (int64_t i = 0; i < n; i += kStage) {
      const int64_t part = std::min(kStage, n - i);
      const float* a = staged(dtype, p[1] + i * s[1], s[1], fa, part);
      row(a, staged(dtype, p[2] + i * s[2], s[2], fb, part), y, part);
      unstage(dtype, y, p[0] + i * s[0], s[0], part);
    }
  });
}

}  // namespace suiren::cpu
