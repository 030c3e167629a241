// Elements in other places: flip, roll, repeat_interleave, tril, triu, diagonal_backward. By size, not by
// dtype.

#include <algorithm>
#include <cstring>

#include "backends/cpu/move.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "backends/cpu/word.h"

namespace suiren::cpu {
namespace {

Shape shape_of(const Operand& x) {
  return Shape(std::span<const int64_t>(x.dims(), static_cast<size_t>(x.rank())));
}
Strides strides_of(const Operand& x) {
  return Strides(std::span<const int64_t>(x.strides(), static_cast<size_t>(x.rank())));
}
int64_t item(const Operand& x) { return dtype_of_operand(x.dtype()).size(); }

// Attribute: axes. x is read backwards along them.
void flip(const Call& c, void*) {
  const Operand x = c.in(0);
  if (x.numel() == 0) return;
  Strides strides = strides_of(x);
  int64_t offset = 0;
  for (int i = 0; i < c.attr_list_size(0); ++i) {
    const int d = static_cast<int>(c.attr_list(0)[i]);
    offset += (x.dim(d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  move(c.out(0), Restrided(x, shape_of(x), strides, offset).operand());
}

// Attributes: shift, axis. Two moves: what stays ahead of the wrap and what comes around.
void roll(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  if (x.numel() == 0) return;
  const int axis = static_cast<int>(c.attr_i64(1));
  const int64_t n = x.dim(axis), shift = (c.attr_i64(0) % n + n) % n;
  const auto part = [&](int64_t from, int64_t to, int64_t count) {
    if (count == 0) return;
    Shape shape = shape_of(x);
    shape[axis] = count;
    const Restrided source(x, shape, strides_of(x), from * x.stride(axis));
    const Restrided target(y, shape, strides_of(y), to * y.stride(axis));
    move(target.operand(), source.operand());
  };
  part(0, shift, n - shift);
  part(n - shift, 0, shift);
}

// Attributes: repeats, axis. Elements by themselves along the last dimension, runs of bytes elsewhere.
void repeat_interleave(const Call& c, void*) {
  const Operand x = c.in(0);
  const int64_t repeats = c.attr_i64(0);
  if (x.numel() == 0 || repeats == 0) return;
  int64_t inners = 1;
  for (int d = static_cast<int>(c.attr_i64(1)) + 1; d < x.rank(); ++d) inners *= x.dim(d);
  const int64_t count = x.numel() / inners, grain = std::max<int64_t>(1, kGrainCheap / (inners * repeats));
  with_word(item(x), [&]<class W>() {
    const W* from = x.data<W>();
    W* to = c.out(0).data<W>();
    parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      if (inners == 1) {
        for (int64_t i = begin; i < end; ++i) std::fill_n(to + i * repeats, repeats, from[i]);
        return;
      }
      for (int64_t i = begin; i < end; ++i)
        for (int64_t k = 0; k < repeats; ++k)
          std::copy_n(from + i * inners, inners, to + (i * repeats + k) * inners);
    });
  });
}

// Attribute: diagonal. In each row the columns [begin, end) are kept.
template <bool kLower>
void triangle(const Call& c, void*) {
  const Operand x = c.in(0);
  if (x.numel() == 0) return;
  const int64_t M = x.dim(-2), N = x.dim(-1), size = item(x), diagonal = c.attr_i64(0);
  const char* from = x.data<char>();
  char* to = c.out(0).data<char>();
  parallel_for(x.numel() / N, std::max<int64_t>(1, kGrainCheap / N), [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t edge = std::clamp<int64_t>(row % M + diagonal + (kLower ? 1 : 0), 0, N);
      const int64_t begin = kLower ? 0 : edge, end = kLower ? edge : N, base = row * N;
      const auto clear_columns = [&](int64_t b, int64_t e) {
        std::memset(to + (base + b) * size, 0, static_cast<size_t>((e - b) * size));
      };
      clear_columns(0, begin);
      std::memcpy(to + (base + begin) * size, from + (base + begin) * size,
                  static_cast<size_t>((end - begin) * size));
      clear_columns(end, N);
    }
  });
}

// Attributes: shape, offset, row, column.
void diagonal_backward(const Call& c, void*) {
  const Operand g = c.in(0), y = c.out(0);
  clear(y.data<char>(), y.numel() * item(y));
  if (g.numel() == 0) return;
  const int64_t offset = c.attr_i64(1);
  const int row = static_cast<int>(c.attr_i64(2)), column = static_cast<int>(c.attr_i64(3));
  Strides strides;
  for (int d = 0; d < y.rank(); ++d)
    if (d != row && d != column) strides.push_back(y.stride(d));
  strides.push_back(y.stride(row) + y.stride(column));
  const int64_t first =
      std::max<int64_t>(0, -offset) * y.stride(row) + std::max<int64_t>(0, offset) * y.stride(column);
  move(Restrided(y, shape_of(g), strides, first).operand(), g);
}

constexpr Kernel kKernels[] = {
    {"flip", "strided", 10, nullptr, nullptr, flip},
    {"roll", "strided", 10, nullptr, nullptr, roll},
    {"repeat_interleave", "runs", 10, row_major_inputs, nullptr, repeat_interleave},
    {"tril", "rows", 10, row_major_inputs, nullptr, triangle<true>},
    {"triu", "rows", 10, row_major_inputs, nullptr, triangle<false>},
    {"diagonal_backward", "strided", 10, nullptr, nullptr, diagonal_backward},
};

}  // namespace

KernelList kernels_rearrange() { return kKernels; }

}  // namespace suiren::cpu
