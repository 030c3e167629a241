// Convolutions as matrix products over the unfolded input (Chellapilla, Puri & Simard 2006), a block of
// columns at a time. f32 and f64; bf16 and f16 come widened.
//
// Order of sums, whatever the threads: an output of conv is one product's element (gemm.h); conv_transpose
// adds column blocks in ascending order, in each the taps in ascending order; conv_weight_gradient adds the
// images of a part of the batch in ascending order, then the parts.

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/conv/depthwise.h"
#include "backends/cpu/conv/unfold.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/kernel_list.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/stage.h"
#include "backends/cpu/walk.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kColumns = 96 * 1024;    // elements of an unfolded block: a share of the second-level cache
constexpr int64_t kLeastColumns = 64;      // of a block, so that packing the other operand pays
constexpr int64_t kThreadWork = 200000;    // multiplications
constexpr int64_t kTasks = 16;             // pieces that a call is cut into, at least, when it can be
constexpr int64_t kMostPartial = 4 << 20;  // elements of the partial sums of a weight gradient

template <class D>
D list(const Call& c, int attribute) {
  return D(
      std::span<const int64_t>(c.attr_list(attribute), static_cast<size_t>(c.attr_list_size(attribute))));
}
Shape spatial(const Operand& x) {
  return Shape(std::span<const int64_t>(x.dims() + 2, static_cast<size_t>(x.rank() - 2)));
}

// x and y as conv has them; `first` is the attribute `stride`.
ConvGeometry geometry(const Call& c, const Operand& x, const Operand& y, const Shape& kernel, int first,
                      int groups) {
  const int64_t count = c.attr_i64(groups);
  return {x.dim(0),   count,  x.dim(1) / count,     y.dim(1) / count,         spatial(x),
          spatial(y), kernel, list<Dims>(c, first), list<Dims>(c, first + 1), list<Dims>(c, first + 2)};
}

template <class T>
T* buffer(int64_t count) {
  static thread_local Scratch<T> scratch;
  return scratch.get(count);
}

int64_t block_columns(int64_t rows, int64_t columns) {
  return std::min(columns, std::max(kLeastColumns, kColumns / std::max<int64_t>(rows, 1) / 32 * 32));
}
// Pieces of `work` multiplications each that are worth a second thread.
int64_t grain(int64_t work) { return std::max<int64_t>(1, kThreadWork / std::max<int64_t>(1, work)); }
int64_t pieces(int64_t count, int64_t size) { return (count + size - 1) / size; }

// y[n] = weight x unfolded x[n], for each image, group and block of output positions.
template <class T>
void convolve(const ConvGeometry& g, const T* x, const T* weight, T* y) {
  const int64_t P = g.out.numel(), L = g.in.numel(), K = g.terms();
  int64_t block = block_columns(K, P);
  if (g.pointwise()) block = P;
  const int64_t blocks = pieces(P, block);
  parallel_for(g.batch * g.groups * blocks, grain(g.outputs * K * block), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t plane = i / blocks, begin = i % blocks * block, end = std::min(P, begin + block);
      const T* planes = x + plane * g.channels * L;
      MatrixView<T> columns{planes, K, P, P, 1};
      if (!g.pointwise()) {
        T* to = buffer<T>(K * (end - begin));
        unfold(g, planes, g.channels, begin, end, to);
        columns = {to, K, end - begin, end - begin, 1};
      }
      const MatrixView<T> w{weight + plane % g.groups * g.outputs * K, g.outputs, K, K, 1};
      gemm(w, columns, y + plane * g.outputs * P + begin, P);
    }
  });
}

// dx[n] = weight^T x g[n], folded back; a piece owns the planes of some channels.
template <class T>
void convolve_back(const ConvGeometry& g, const T* dy, const T* weight, T* dx) {
  const int64_t P = g.out.numel(), L = g.in.numel(), K = g.terms(), taps = g.taps();
  const int64_t planes = g.batch * g.groups;
  if (planes * g.channels * L == 0) return;
  const int64_t step = pieces(g.channels, std::min(g.channels, pieces(kTasks, planes)));
  const int64_t chunks = pieces(g.channels, step), block = block_columns(step * taps, P);
  parallel_for(planes * chunks, grain(step * taps * g.outputs * P), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t plane = i / chunks, channel = i % chunks * step;
      const int64_t channels = std::min(step, g.channels - channel);
      const T* w = weight + plane % g.groups * g.outputs * K + channel * taps;
      const MatrixView<T> rows{w, channels * taps, g.outputs, 1, K};
      const T* from = dy + plane * g.outputs * P;
      T* to = dx + (plane * g.channels + channel) * L;
      if (g.pointwise()) {
        gemm(rows, MatrixView<T>{from, g.outputs, P, P, 1}, to, P);
        continue;
      }
      std::fill_n(to, channels * L, T(0));
      for (int64_t p = 0; p < P; p += block) {
        const int64_t width = std::min(block, P - p);
        T* columns = buffer<T>(channels * taps * width);
        gemm(rows, MatrixView<T>{from + p, g.outputs, width, P, 1}, columns, width);
        fold(g, columns, channels, p, p + width, to);
      }
    }
  });
}

// How the sum over the batch is cut: by shapes alone.
struct WeightParts {
  int64_t parts, step, chunks;  // of the batch; channels of a piece, pieces of a group
  explicit WeightParts(const ConvGeometry& g) {
    const int64_t size = std::max<int64_t>(1, g.groups * g.outputs * g.terms());
    const int64_t most = std::max<int64_t>(1, std::min(g.batch, kMostPartial / size));
    parts = std::min(most, pieces(kTasks, g.groups));
    step = std::max<int64_t>(1, pieces(g.channels, pieces(kTasks, 2 * parts * g.groups)));
    chunks = pieces(g.channels, step);
  }
};

// dweight^T = sum over images of unfolded x[n] x g[n]^T, in pieces of batch, group and channels.
template <class T>
void weight_gradient(const ConvGeometry& g, const T* x, const T* dy, T* dweight) {
  const int64_t P = g.out.numel(), L = g.in.numel(), K = g.terms(), taps = g.taps(), O = g.outputs;
  const WeightParts w(g);
  const int64_t size = g.groups * K * O;
  std::vector<T> sums(static_cast<size_t>(w.parts * size));
  parallel_for(w.parts * g.groups * w.chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t part = i / (g.groups * w.chunks), group = i / w.chunks % g.groups;
      const int64_t channel = i % w.chunks * w.step, channels = std::min(w.step, g.channels - channel);
      const int64_t rows = channels * taps, block = block_columns(rows, P);
      T* sum = sums.data() + part * size + (group * K + channel * taps) * O;
      for (int64_t n = g.batch * part / w.parts; n < g.batch * (part + 1) / w.parts; ++n)
        for (int64_t p = 0; p < P; p += block) {
          const int64_t width = std::min(block, P - p), plane = n * g.groups + group;
          const T* planes = x + (plane * g.channels + channel) * L;
          MatrixView<T> columns{planes + p, rows, width, P, 1};
          if (!g.pointwise()) {
            T* to = buffer<T>(rows * width);
            unfold(g, planes, channels, p, p + width, to);
            columns = {to, rows, width, width, 1};
          }
          gemm(columns, MatrixView<T>{dy + plane * O * P + p, width, O, 1, P}, sum, O, {.accumulate = true});
        }
    }
  });
  parallel_for(size, kGrainCheap / (w.parts + 1), [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {  // element i of dweight [group, o, k]
      const int64_t group = i / (O * K), o = i / K % O, k = i % K;
      const T* from = sums.data() + (group * K + k) * O + o;
      T sum = 0;
      for (int64_t part = 0; part < w.parts; ++part) sum += from[part * size];
      dweight[i] = sum;
    }
  });
}

// Groups of one channel: plane by plane. Gradients of the weight add images in ascending order.
void convolve_depthwise(const ConvGeometry& g, const float* x, const float* weight, float* y) {
  const int64_t P = g.out.numel(), L = g.in.numel(), taps = g.taps();
  const PaddedPlane plane(g);
  parallel_for(g.batch * g.groups, grain(taps * P), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      correlate_plane(plane, x + i * L, weight + i % g.groups * taps, y + i * P);
  });
}
void depthwise_back(const ConvGeometry& g, const float* dy, const float* weight, float* dx) {
  const int64_t P = g.out.numel(), L = g.in.numel(), taps = g.taps();
  const PaddedPlane plane(g);
  parallel_for(g.batch * g.groups, grain(taps * P), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      spread_plane(plane, dy + i * P, weight + i % g.groups * taps, dx + i * L);
  });
}
void depthwise_weight_gradient(const ConvGeometry& g, const float* x, const float* dy, float* dweight) {
  const int64_t P = g.out.numel(), L = g.in.numel(), taps = g.taps();
  const PaddedPlane plane(g);
  parallel_for(g.groups, grain(g.batch * taps * P), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      std::fill_n(dweight + group * taps, taps, 0.0f);
      for (int64_t n = 0; n < g.batch; ++n) {
        const int64_t i = n * g.groups + group;
        tap_sums_plane(plane, x + i * L, dy + i * P, dweight + group * taps);
      }
    }
  });
}

// run(a, b, y) on the operands in f32 or f64.
template <class Run>
void in_dtype(const Operand& a, const Operand& b, const Operand& y, Run run) {
  if (y.numel() == 0) return;
  y.dtype() == SR_F64 ? run(a.data<double>(), b.data<double>(), y.data<double>())
                      : run(a.data<float>(), b.data<float>(), y.data<float>());
}

// Inputs x, weight; attributes stride, padding, dilation, groups.
void conv(const Call& c, void*) {
  const ConvGeometry g = geometry(c, c.in(0), c.out(0), spatial(c.in(1)), 0, 3);
  in_dtype(c.in(0), c.in(1), c.out(0), [&]<class T>(const T* x, const T* w, T* y) {
    if constexpr (std::is_same_v<T, float>)
      if (g.depthwise()) return convolve_depthwise(g, x, w, y);
    convolve(g, x, w, y);
  });
}

// Inputs x, weight; attributes stride, padding, dilation, output_padding, groups.
void conv_transpose(const Call& c, void*) {
  const ConvGeometry g = geometry(c, c.out(0), c.in(0), spatial(c.in(1)), 0, 4);
  in_dtype(c.in(0), c.in(1), c.out(0), [&]<class T>(const T* x, const T* w, T* y) {
    if constexpr (std::is_same_v<T, float>)
      if (g.depthwise()) return depthwise_back(g, x, w, y);
    convolve_back(g, x, w, y);
  });
}

// Inputs x, g; attributes kernel, stride, padding, dilation, groups.
void conv_weight_gradient(const Call& c, void*) {
  const ConvGeometry g = geometry(c, c.in(0), c.in(1), list<Shape>(c, 0), 1, 4);
  in_dtype(c.in(0), c.in(1), c.out(0), [&]<class T>(const T* x, const T* dy, T* dw) {
    if constexpr (std::is_same_v<T, float>)
      if (g.depthwise()) return depthwise_weight_gradient(g, x, dy, dw);
    weight_gradient(g, x, dy, dw);
  });
}

constexpr Kernel kKernels[] = {
    {"conv", "unfold", 10, wide_row_major_inputs, nullptr, conv},
    {"conv_transpose", "fold", 10, wide_row_major_inputs, nullptr, conv_transpose},
    {"conv_weight_gradient", "unfold", 10, wide_row_major_inputs, nullptr, conv_weight_gradient},
};

}  // namespace

KernelList kernels_conv() { return kKernels; }

}  // namespace suiren::cpu
