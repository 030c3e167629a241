#pragma once
// Elementwise kernels: how a row function in f32 serves f32, bf16 and f16 in every layout.

#include <algorithm>
#include <utility>

#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"

namespace suiren::cpu {

/// row(in, out, n) over the first kIn inputs and kOut outputs, of one shape and of a dtype that computes in
/// f32: where they lie, or staged.
template <int kIn, int kOut>
void rows_through_f32(const Call& c, int64_t grain,
                      FunctionRef<void(const float* const* in, float* const* out, int64_t n)> row) {
  constexpr int kAll = kIn + kOut;
  const DType dtype = dtype_of_operand(c.in(0).dtype());
  const Walk walk = [&]<int... I>(std::integer_sequence<int, I...>) {
    return Walk({(I < kOut ? c.out(I) : c.in(I - kOut))...}, {(static_cast<void>(I), dtype.size())...});
  }
  (std::make_integer_sequence<int, kAll>());
  walk.run(grain, [&](int64_t n, char* const* p, const int64_t* s) {
    const bool as_they_lie =
        dtype == kF32 && std::all_of(s, s + kAll, [](int64_t step) { return step == 4; });
    const int64_t most = as_they_lie ? n : kStage;
    float buffers[kAll]
                 [kStage + kStage / 16];  // no two begin a page apart: their lines would wait for each other
    const float* in[kIn];
    float* out[kOut];
    for (int64_t i = 0; i < n; i += most) {
      const int64_t part = std::min(most, n - i);
      for (int j = 0; j < kOut; ++j) out[j] = as_they_lie ? reinterpret_cast<float*>(p[j]) : buffers[j];
      for (int j = kOut; j < kAll; ++j) in[j - kOut] = staged(dtype, p[j] + i * s[j], s[j], buffers[j], part);
      row(in, out, part);
      for (int j = 0; j < kOut && !as_they_lie; ++j) unstage(dtype, out[j], p[j] + i * s[j], s[j], part);
    }
  });
}

/// row(x, y, n) over input 0 into output 0, likewise.
template <class Row>
void through_f32(const Call& c, int64_t grain, Row row) {
  rows_through_f32<1, 1>(
      c, grain, [&](const float* const* in, float* const* out, int64_t n) { row(in[0], out[0], n); });
}

/// row(a, b, y, n) over inputs 0 and 1, likewise.
template <class Row>
void pairs_through_f32(const Call& c, int64_t grain, Row row) {
  rows_through_f32<2, 1>(
      c, grain, [&](const float* const* in, float* const* out, int64_t n) { row(in[0], in[1], out[0], n); });
}

}  // namespace suiren::cpu
