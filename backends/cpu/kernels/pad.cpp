// Padding: rows of x copied where they lie, edges by a table; its gradient is a linear map (resample.h).

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/convert.h"
#include "backends/cpu/move.h"
#include "backends/cpu/resample.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

// Which element of a dimension stands at output position p; -1: the constant. Modes: constant, reflect,
// replicate, circular.
int64_t source(int64_t p, int64_t before, int64_t extent, int64_t mode) {
  const int64_t i = p - before;
  if (i >= 0 && i < extent) return i;
  if (mode == 1) return i < 0 ? -i : 2 * (extent - 1) - i;
  if (mode == 2) return i < 0 ? 0 : extent - 1;
  if (mode == 3) return i < 0 ? i + extent : i - extent;
  return -1;
}

// Attributes before, after, mode: the sources of dimension d of the padded tensor, all `rank` of them.
std::vector<int64_t> sources(const Call& c, int d, int rank, int64_t inner, int64_t padded) {
  const int lead = rank - c.attr_list_size(0);
  std::vector<int64_t> from(static_cast<size_t>(padded));
  for (int64_t p = 0; p < padded; ++p)
    from[static_cast<size_t>(p)] = d < lead ? p : source(p, c.attr_list(0)[d - lead], inner, c.attr_i64(2));
  return from;
}

// The innermost dimension: which elements of x come before it, and which behind.
struct Edges {
  int64_t before, inner, padded;
  std::vector<int64_t> from;
};

template <class T>
void pad_row(const Edges& e, const T* x, T* y, T value) {
  if (!x) {
    std::fill_n(y, e.padded, value);
    return;
  }
  const auto edge = [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int64_t s = e.from[static_cast<size_t>(p)];
      y[p] = s < 0 ? value : x[s];
    }
  };
  edge(0, e.before);
  if (e.inner > 0) std::memcpy(y + e.before, x, static_cast<size_t>(e.inner) * sizeof(T));
  edge(e.before + e.inner, e.padded);
}

// Rows in blocks: those of one index of all dimensions but the last two.
template <class T>
void pad_rows(const Call& c, T value) {
  const Operand x = c.in(0), y = c.out(0);
  const int rank = x.rank();
  std::vector<std::vector<int64_t>> table;
  for (int d = 0; d < rank; ++d) table.push_back(sources(c, d, rank, x.dim(d), y.dim(d)));
  const Edges edges{c.attr_list_size(0) > 0 ? c.attr_list(0)[c.attr_list_size(0) - 1] : 0, x.dim(-1),
                    y.dim(-1), table.back()};
  const std::vector<int64_t> lines =
      rank > 1 ? table[static_cast<size_t>(rank) - 2] : std::vector<int64_t>{0};
  const int64_t in_lines = rank > 1 ? x.dim(-2) : 1, out_lines = static_cast<int64_t>(lines.size());
  // The block of x that block `rest` of y shows; -1: the constant.
  const auto block_of = [&](int64_t rest) {
    int64_t at = 0, step = 1;
    for (int d = rank - 3; d >= 0 && at >= 0; --d) {
      const int64_t s = table[static_cast<size_t>(d)][static_cast<size_t>(rest % y.dim(d))];
      at = s < 0 ? -1 : at + s * step;
      rest /= y.dim(d), step *= x.dim(d);
    }
    return at;
  };
  const T* from = x.data<T>();
  T* to = y.data<T>();
  const int64_t width = edges.padded;
  parallel_for(y.numel() / width, std::max<int64_t>(1, kGrainCheap / width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end;) {
      const int64_t block = block_of(row / out_lines), first = row % out_lines,
                    last = std::min(out_lines, first + end - row);
      for (int64_t p = first; p < last; ++p, ++row) {
        const int64_t s = block < 0 ? -1 : lines[static_cast<size_t>(p)];
        pad_row(edges, s < 0 ? nullptr : from + (block * in_lines + s) * edges.inner, to + row * width,
                value);
      }
    }
  });
}

// Attributes before, after, mode, value.
void pad(const Call& c, void*) {
  if (c.out(0).numel() == 0) return;
  visit_dtype(dtype_of_operand(c.in(0).dtype()),
              [&]<class T>() { pad_rows<T>(c, convert<T>(c.attr_f64(3))); });
}

// Attributes before, after, mode.
void pad_backward(const Call& c, void*) {
  const Operand g = c.in(0), dx = c.out(0);
  const int count = c.attr_list_size(0), lead = g.rank() - count;
  if (count == 0 || c.attr_i64(2) == 0) {  // a part of g
    int64_t offset = 0;
    for (int d = 0; d < count; ++d) offset += c.attr_list(0)[d] * g.stride(lead + d);
    return move(dx, Restrided(g, shape_of(dx), strides_of(g), offset).operand());
  }
  std::vector<AxisMap> maps;
  for (int d = lead; d < g.rank(); ++d) {
    AxisMap m;
    m.in = dx.dim(d);
    for (int64_t s : sources(c, d, g.rank(), dx.dim(d), g.dim(d))) {
      if (s >= 0) m.add(s, 1);
      m.end_output();
    }
    maps.push_back(m.transposed());
  }
  resample(maps, g, dx);
}

constexpr Kernel kKernels[] = {
    {"pad", "rows", 10, row_major_inputs, nullptr, pad},
    {"pad_backward", "resample", 10, wide_row_major_inputs, nullptr, pad_backward},
};

}  // namespace

KernelList kernels_pad() { return kKernels; }

}  // namespace suiren::cpu
