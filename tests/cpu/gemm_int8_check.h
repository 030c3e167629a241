#pragma once
// Products of int8 numbers beside sums in 64 bits, modulo 2^32.

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "backends/cpu/gemm/gemm.h"
#include "tests/cpu/gemm_contract.h"

namespace suiren::cpu {

// Matrices in all layouts, the numbers between -128 and 127, most of them large; a margin around each.
struct Int8Matrix {
  std::vector<int8_t> buffer;
  MatrixView<int8_t> view;
  Int8Matrix(int64_t rows, int64_t cols, Layout layout, uint32_t seed) {
    const Strides s(rows, cols, layout);
    std::mt19937 random(seed);
    for (int64_t i = 0; i < s.size + 2 * kMargin; ++i) {
      const auto x = static_cast<int>(random() % 256) - 128;
      buffer.push_back(static_cast<int8_t>(random() % 3 ? x : x < 0 ? -128 : 127));
    }
    view = {buffer.data() + kMargin, rows, cols, s.row, s.col};
  }
  int64_t at(int64_t i, int64_t j) const { return view.data[i * view.row_stride + j * view.col_stride]; }
};

inline std::string int8_name(GemmLevel level) {
  const char* units[] = {"", " with AVX512_VNNI", " with AMX"};
  return isa_name(level.isa) + std::string(units[static_cast<int>(level.int8)]);
}

inline void check_int8(ProductSize s, Layout la, Layout lb, bool accumulate, GemmLevel level) {
  const Int8Matrix a(s.m, s.k, la, 7), b(s.k, s.n, lb, 11);
  const int64_t ldc = s.n + 3;
  std::mt19937 random(5);
  std::vector<int32_t> c(static_cast<size_t>(s.m * ldc));
  for (int32_t& x : c) x = static_cast<int32_t>(random());
  const std::vector<int32_t> before = c;
  gemm(a.view, b.view, c.data(), ldc, {.accumulate = accumulate, .level = level});
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < ldc; ++j) {
      int64_t sum = j < s.n && !accumulate ? 0 : before[i * ldc + j];
      for (int64_t k = 0; k < s.k && j < s.n; ++k) sum += a.at(i, k) * b.at(k, j);
      ASSERT_EQ(c[i * ldc + j], static_cast<int32_t>(static_cast<uint64_t>(sum)))
          << int8_name(level) << " m " << s.m << " n " << s.n << " k " << s.k << " layouts " << int(la)
          << int(lb) << " accumulate " << accumulate << " at " << i << "," << j;
    }
}

inline void check_int8_lattice(const std::vector<int64_t>& ms, const std::vector<int64_t>& ns,
                               const std::vector<int64_t>& ks, GemmLevel level) {
  int turn = 0;
  for (int64_t m : ms)
    for (int64_t n : ns)
      for (int64_t k : ks) {
        ++turn;
        check_int8({m, n, k}, Layout(turn % 4), Layout(turn / 4 % 4), turn % 3 == 0, level);
        if (testing::Test::HasFatalFailure()) return;
      }
}

// Every m, n and k in 1..40, with the columns of C bounded, in turn of all layouts.
inline void check_int8_small_shapes(GemmLevel level) {
  std::vector<int64_t> all;
  for (int64_t i = 1; i <= 40; ++i) all.push_back(i);
  check_int8_lattice(all, all, all, level);
}

}  // namespace suiren::cpu
