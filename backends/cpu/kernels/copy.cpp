// Moving elements without arithmetic: copy, assign, full, arange, slice_backward, concat. By size, not by
// dtype.

#include <cstring>

#include "backends/cpu/convert.h"
#include "backends/cpu/move.h"
#include "backends/cpu/simd/targets.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "backends/cpu/word.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/kernels/copy.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// to[i] = from[-i].
template <class W>
void reverse_row(int64_t n, W* to, const W* from) {
  int64_t i = 0;
  if constexpr (sizeof(W) > 1) {  // Highway does not reverse bytes
    const hn::ScalableTag<W> d;
    const auto w = static_cast<int64_t>(hn::Lanes(d));
    for (; i + w <= n; i += w) hn::StoreU(hn::Reverse(d, hn::LoadU(d, from - i - (w - 1))), d, to + i);
  }
  for (; i < n; ++i) to[i] = from[-i];
}

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

constexpr int64_t kTile = 16;  // rows and columns of a transposing block: its lines fit the first-level cache

// `n` copies of one element: a short run of them, then that run again and again.
template <class T>
void repeat(T x, T* y, int64_t n) {
  constexpr int64_t kRun = 1024;
  const int64_t run = std::min(n, kRun);
  std::fill(y, y + run, x);
  for (int64_t i = run; i < n; i += run)
    std::memcpy(y + i, y, static_cast<size_t>(std::min(run, n - i)) * sizeof(T));
}

template <class W>
void move_row(int64_t n, char* to, int64_t to_step, const char* from, int64_t from_step) {
  constexpr int64_t size = sizeof(W);
  if (to_step == size && from_step == size) {
    std::memmove(to, from, static_cast<size_t>(n * size));
    return;
  }
  if (to_step == size && from_step == 0)
    return repeat(*reinterpret_cast<const W*>(from), reinterpret_cast<W*>(to), n);
  if (to_step == size && from_step == -size)
    return SUIREN_PICK(reverse_row<W>)(n, reinterpret_cast<W*>(to), reinterpret_cast<const W*>(from));
  for (int64_t i = 0; i < n; ++i) {
    W word;
    std::memcpy(&word, from + i * from_step, sizeof(W));
    std::memcpy(to + i * to_step, &word, sizeof(W));
  }
}

// The last two dimensions in square tiles, when the source runs along the one before the last.
template <class W>
void transpose(const Walk& w) {
  const int r = w.rank() - 2, q = w.rank() - 1;
  const int64_t rows = w.dim(r), cols = w.dim(q), outer = w.numel() / (rows * cols);
  const int64_t strips = (rows + kTile - 1) / kTile;
  parallel_for(
      outer * strips, std::max<int64_t>(1, kGrainCheap / (kTile * cols)), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          char* to = w.base(0);
          const char* from = w.base(1);
          int64_t rest = task / strips;
          for (int d = r - 1; d >= 0; --d) {
            to += rest % w.dim(d) * w.stride(0, d);
            from += rest % w.dim(d) * w.stride(1, d);
            rest /= w.dim(d);
          }
          const int64_t first = task % strips * kTile, last = std::min(rows, first + kTile);
          for (int64_t c = 0; c < cols; c += kTile)
            for (int64_t i = first; i < last; ++i)
              move_row<W>(std::min(kTile, cols - c), to + i * w.stride(0, r) + c * w.stride(0, q),
                          w.stride(0, q), from + i * w.stride(1, r) + c * w.stride(1, q), w.stride(1, q));
        }
      });
}

}  // namespace

void move(const Operand& to, const Operand& from) {
  const int64_t size = dtype_of_operand(to.dtype()).size();
  const Walk walk({to, from}, {size, size});
  if (walk.numel() == 0) return;
  const int last = walk.rank() - 1;
  const auto magnitude = [](int64_t x) { return x < 0 ? -x : x; };
  with_word(size, [&]<class W>() {
    if (last >= 1 && walk.stride(1, last) != 0 &&
        magnitude(walk.stride(1, last - 1)) < magnitude(walk.stride(1, last)) &&
        walk.stride(1, last - 1) != 0)
      return transpose<W>(walk);
    walk.run(kGrainCheap,
             [](int64_t n, char* const* p, const int64_t* s) { move_row<W>(n, p[0], s[0], p[1], s[1]); });
  });
}

void move_runs(int64_t count, int64_t bytes, char* to, int64_t to_step, const char* from, int64_t from_step) {
  parallel_for(count, std::max<int64_t>(1, 4 * kGrainCheap / std::max<int64_t>(bytes, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i)
                   std::memcpy(to + i * to_step, from + i * from_step, static_cast<size_t>(bytes));
               });
}

void clear(char* to, int64_t bytes) {
  parallel_for(bytes, 4 * kGrainCheap,
               [&](int64_t b, int64_t e) { std::memset(to + b, 0, static_cast<size_t>(e - b)); });
}

Restrided::Restrided(const Operand& x, const Shape& shape, const Strides& strides, int64_t offset)
    : shape_(shape),
      strides_(strides),
      base_(x.data<char>() + offset * dtype_of_operand(x.dtype()).size()),
      form_{sizeof(sr_tensor),
            SR_ROLE_IN,
            x.dtype(),
            static_cast<uint32_t>(shape.rank()),
            0,
            shape_.data(),
            strides_.data(),
            x.memory(),
            0,
            x.version(),
            nullptr} {}

namespace {

void copy(const Call& c, void*) { move(c.out(0), c.in(0)); }
void assign(const Call& c, void*) { move(c.in(0), c.in(1)); }

// Attributes: shape, value, dtype.
void full(const Call& c, void*) {
  const double value = c.attr_f64(1);
  const Operand out = c.out(0);
  visit_dtype(dtype_of_operand(out.dtype()), [&]<class T>() {
    T* y = out.data<T>();
    const T x = convert<T>(value);
    parallel_for(out.numel(), kGrainCheap,
                 [&](int64_t begin, int64_t end) { repeat(x, y + begin, end - begin); });
  });
}

// Attributes: begin, step, count, dtype.
void arange(const Call& c, void*) {
  const double first = c.attr_f64(0), step = c.attr_f64(1);
  const Operand out = c.out(0);
  visit_dtype(dtype_of_operand(out.dtype()), [&]<class T>() {
    T* y = out.data<T>();
    parallel_for(out.numel(), kGrainCheap, [&](int64_t begin, int64_t end) {
      constexpr int64_t kRun = 8;  // a fixed number, which the compiler makes vectors of
      const double ahead[kRun] = {0, 1, 2, 3, 4, 5, 6, 7};
      int64_t i = begin;
      for (; i + kRun <= end; i += kRun) {
        const auto at = static_cast<double>(i);
        for (int64_t j = 0; j < kRun; ++j) y[i + j] = convert<T>(first + (at + ahead[j]) * step);
      }
      for (; i < end; ++i) y[i] = convert<T>(first + static_cast<double>(i) * step);
    });
  });
}

// Bytes of everything inside `axis`.
int64_t inner_bytes(const Operand& x, int axis) {
  int64_t bytes = dtype_of_operand(x.dtype()).size();
  for (int d = axis + 1; d < x.rank(); ++d) bytes *= x.dim(d);
  return bytes;
}

// Attributes: shape, axis, begin, step.
void slice_backward(const Call& c, void*) {
  const Operand g = c.in(0), y = c.out(0);
  const int axis = static_cast<int>(c.attr_i64(1));
  const int64_t begin = c.attr_i64(2), step = c.attr_i64(3);
  const int64_t inner = inner_bytes(y, axis), extent = y.dim(axis), kept = g.dim(axis);
  const int64_t total = y.numel() * dtype_of_operand(y.dtype()).size();
  char* to = y.data<char>();
  clear(to, total);
  if (g.numel() == 0) return;
  const char* from = g.data<char>();
  const int64_t outer = total / (inner * extent);
  if (step == 1)
    return move_runs(outer, kept * inner, to + begin * inner, extent * inner, from, kept * inner);
  for (int64_t o = 0; o < outer; ++o)
    move_runs(kept, inner, to + (o * extent + begin) * inner, step * inner, from + o * kept * inner, inner);
}

// Attributes: axis.
void concat(const Call& c, void*) {
  const Operand y = c.out(0);
  if (y.numel() == 0) return;
  const int axis = static_cast<int>(c.attr_i64(0));
  const int64_t inner = inner_bytes(y, axis), row = inner * y.dim(axis);
  const int64_t outer = y.numel() * dtype_of_operand(y.dtype()).size() / row;
  char* to = y.data<char>();
  for (int i = 0; i < c.inputs(); ++i) {
    const int64_t part = inner * c.in(i).dim(axis);
    if (part > 0) move_runs(outer, part, to, row, c.in(i).data<char>(), part);
    to += part;
  }
}

constexpr Kernel kKernels[] = {
    {"copy", "strided", 10, nullptr, nullptr, copy},
    {"assign", "strided", 10, nullptr, nullptr, assign},
    {"full", "fill", 10, nullptr, nullptr, full},
    {"arange", "loop", 10, nullptr, nullptr, arange},
    {"slice_backward", "runs", 10, row_major_inputs, nullptr, slice_backward},
    {"concat", "runs", 10, row_major_inputs, nullptr, concat},
};

}  // namespace

KernelList kernels_copy() { return kKernels; }

}  // namespace suiren::cpu
#endif
