// Elements in other places: flip, roll, tile, repeat_interleave, tril, triu, diagonal_backward. By size, not
// by dtype.

#include <algorithm>
#include <cstring>

#include "backends/cpu/move.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "backends/cpu/word.h"

namespace suiren::cpu {
namespace {

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

// Lines of `line` bytes, each with its last `back` bytes in front.
void roll_lines(int64_t lines, int64_t line, int64_t back, const char* from, char* to) {
  parallel_for(lines, std::max<int64_t>(1, 4 * kGrainCheap / line), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * line; at < end * line; at += line) {
      std::memcpy(to + at, from + at + line - back, static_cast<size_t>(back));
      std::memcpy(to + at + back, from + at, static_cast<size_t>(line - back));
    }
  });
}

// Attributes: shift, axis. Many lines are moved one by one, else in two moves: what stays ahead of the wrap
// and what comes around.
void roll(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  if (x.numel() == 0) return;
  const int axis = static_cast<int>(c.attr_i64(1));
  const int64_t n = x.dim(axis), shift = (c.attr_i64(0) % n + n) % n;
  int64_t lines = 1;
  for (int d = 0; d < axis; ++d) lines *= x.dim(d);
  const int64_t line = x.numel() / lines * item(x);
  if (lines >= 16 && x.contiguous())
    return roll_lines(lines, line, line / n * shift, x.data<char>(), y.data<char>());
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

// Attribute: repeats. What lies inside the last dimension that is repeated moves in runs.
void tile(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  if (y.numel() == 0) return;
  if (x.rank() == 0) return move(y, x);
  const int64_t* repeats = c.attr_list(0);
  int axis = x.rank() - 1;
  int64_t run = item(x);
  while (axis > 0 && repeats[axis] == 1) run *= x.dim(axis--);
  run *= x.dim(axis);
  const char* from = x.data<char>();
  char* to = y.data<char>();
  const int64_t runs = y.numel() * item(y) / run;
  parallel_for(runs, std::max<int64_t>(1, 4 * kGrainCheap / run), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t rest = i / repeats[axis], at = 0, step = run;
      for (int d = axis - 1; d >= 0; --d) {
        at += rest % y.dim(d) % x.dim(d) * step;
        rest /= y.dim(d), step *= x.dim(d);
      }
      std::memcpy(to + i * run, from + at, static_cast<size_t>(run));
    }
  });
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

// Each matrix of the last two dimensions of y: zeros, and a row of g from its element `first` on.
void diagonals(const Operand& g, const Operand& y, int64_t first) {
  const int64_t matrix = y.dim(-2) * y.dim(-1), n = g.dim(-1), step = y.dim(-1) + 1;
  with_word(item(y), [&]<class W>() {
    const W* from = g.data<W>();
    W* to = y.data<W>();
    parallel_for(y.numel() / matrix, std::max<int64_t>(1, kGrainCheap / matrix), [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) {
        W* block = to + i * matrix;
        std::memset(block, 0, static_cast<size_t>(matrix) * sizeof(W));
        for (int64_t k = 0; k < n; ++k) block[first + k * step] = from[i * n + k];
      }
    });
  });
}

// Attributes: shape, offset, row, column.
void diagonal_backward(const Call& c, void*) {
  const Operand g = c.in(0), y = c.out(0);
  const int64_t offset = c.attr_i64(1);
  const int row = static_cast<int>(c.attr_i64(2)), column = static_cast<int>(c.attr_i64(3));
  const int64_t first =
      std::max<int64_t>(0, -offset) * y.stride(row) + std::max<int64_t>(0, offset) * y.stride(column);
  if (g.numel() == 0 || std::min(row, column) < y.rank() - 2)
    clear(y.data<char>(), y.numel() * item(y));
  else
    return diagonals(g, y, first);
  if (g.numel() == 0) return;
  Strides strides;
  for (int d = 0; d < y.rank(); ++d)
    if (d != row && d != column) strides.push_back(y.stride(d));
  strides.push_back(y.stride(row) + y.stride(column));
  move(Restrided(y, shape_of(g), strides, first).operand(), g);
}

constexpr Kernel kKernels[] = {
    {"flip", "strided", 10, nullptr, nullptr, flip},
    {"roll", "strided", 10, nullptr, nullptr, roll},
    {"tile", "runs", 10, row_major_inputs, nullptr, tile},
    {"repeat_interleave", "runs", 10, row_major_inputs, nullptr, repeat_interleave},
    {"tril", "rows", 10, row_major_inputs, nullptr, triangle<true>},
    {"triu", "rows", 10, row_major_inputs, nullptr, triangle<false>},
    {"diagonal_backward", "strided", 10, row_major_inputs, nullptr, diagonal_backward},
};

}  // namespace

KernelList kernels_rearrange() { return kKernels; }

}  // namespace suiren::cpu
