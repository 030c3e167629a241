#include "backends/cpu/gemm/gemm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include "backends/cpu/gemm/kernels.h"
#include "backends/cpu/scratch.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kBlockRows = 256;   // rows of A packed at a time: 256 KB, a share of the second-level cache
constexpr int64_t kBlockCols = 1024;  // columns taken together
constexpr int64_t kKeptB = 2 << 20;   // numbers of B kept packed while several blocks of rows pass: 8 MB
constexpr int64_t kPackPanels = 4;    // panels packed together, so that longer pieces of memory are read
constexpr int64_t kPackSteps = 16;    // steps of k packed at a time then, each in a page of its own
constexpr int64_t kPage = 4096;
constexpr int64_t kInlineWork =
    40000;  // multiplications below which waking another thread costs more than it saves

template <class T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class R>
const GemmKernels<R>& kernels_for(Isa isa) {
#define SUIREN_PICK(level)                 \
  if constexpr (std::is_same_v<R, double>) \
    return level::gemm_f64;                \
  else                                     \
    return level::gemm_f32
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) {
    SUIREN_PICK(avx512);
  }
  if (isa == Isa::kAvx2) {
    SUIREN_PICK(avx2);
  }
#endif
  (void)isa;
  SUIREN_PICK(portable);
#undef SUIREN_PICK
}

// What one thread keeps between calls: panels of A and B, converted operands, sums of a narrow output.
template <class R>
struct Workspace {
  Scratch<R> a, b, stage, sums;
};
template <class R>
Workspace<R>& workspace() {
  static thread_local Workspace<R> w;
  return w;
}

template <class T>
MatrixView<T> block(const MatrixView<T>& v, int64_t row, int64_t col, int64_t rows, int64_t cols) {
  return {v.data + row * v.row_stride + col * v.col_stride, rows, cols, v.row_stride, v.col_stride};
}

// The operand in the type of the sums: itself, or a converted copy in `stage` with the same contiguous
// direction.
template <class T>
MatrixView<Accumulator<T>> staged(const MatrixView<T>& v, Scratch<Accumulator<T>>& stage) {
  if constexpr (std::is_same_v<T, Accumulator<T>>) {
    return v;
  } else {
    const bool by_rows = v.col_stride == 1 || v.row_stride != 1;
    const MatrixView<T> from = by_rows ? v : v.transposed();
    float* to = stage.get(v.rows * v.cols);
    for (int64_t i = 0; i < from.rows; ++i) {
      const T* row = from.data + i * from.row_stride;
      for (int64_t j = 0; j < from.cols; ++j)
        to[i * from.cols + j] = static_cast<float>(row[j * from.col_stride]);
    }
    const MatrixView<float> copy{to, from.rows, from.cols, from.cols, 1};
    return by_rows ? copy : copy.transposed();
  }
}

// One product, or the rectangle of it that one thread computes. Rows are shared out evenly among the tiles,
// so that no tile is left with so few rows that its chains cannot hide the latency of a multiplication.
template <class T>
class Rectangle {
  using R = Accumulator<T>;

 public:
  Rectangle(const MatrixView<T>& a, const MatrixView<T>& b, T* c, int64_t ldc, const GemmOptions& options)
      : kernels_(kernels_for<R>(options.isa)),
        options_(options),
        w_(workspace<R>()),
        a_(a),
        b_(b),
        c_(c),
        ldc_(ldc) {}

  void run(int64_t row, int64_t rows, int64_t col, int64_t cols) {
    if (rows <= 0 || cols <= 0) return;
    row_ = row, rows_ = rows;
    tiles_ = (rows + kernels_.mr - 1) / kernels_.mr;
    block_tiles_ = std::min<int64_t>(tiles_, kBlockRows / kernels_.mr);
    one_block_ = block_tiles_ == tiles_;
    panel_size_ = kernels_.nr * kGemmKBlock;
    // Columns taken together: their sums stay in the cache over all k blocks, their B is kept for the next
    // rows.
    const int64_t k_blocks = (a_.cols + kGemmKBlock - 1) / kGemmKBlock;
    int64_t step = one_block_ && k_blocks == 1 ? cols : kBlockCols;
    if (!one_block_ && !options_.packed)
      step = std::clamp<int64_t>(kKeptB / (k_blocks * kGemmKBlock) / kernels_.nr, 1, step / kernels_.nr) *
             kernels_.nr;
    for (int64_t j = 0; j < cols; j += step) strip(col + j, std::min(step, cols - j));
  }

 private:
  int64_t tile_row(int64_t t) const { return rows_ * t / tiles_; }

  // A strip of columns: all k blocks, so that its sums are complete when it ends.
  void strip(int64_t col, int64_t cols) {
    R* sums;
    int64_t ld;
    if constexpr (std::is_same_v<T, R>) {
      sums = c_ + row_ * ldc_ + col, ld = ldc_;
    } else {
      sums = w_.sums.get(rows_ * cols), ld = cols;
      if (options_.accumulate)
        for_each_output(col, cols, [&](int64_t i, int64_t j, T& c) { sums[i * ld + j] = static_cast<R>(c); });
    }
    for (int64_t t = 0; t < tiles_; t += block_tiles_)
      for (int64_t k = 0; k < a_.cols; k += kGemmKBlock)
        block_product(k, std::min(kGemmKBlock, a_.cols - k), t, std::min(block_tiles_, tiles_ - t), col, cols,
                      sums, ld);
    if constexpr (!std::is_same_v<T, R>)
      for_each_output(col, cols, [&](int64_t i, int64_t j, T& c) { c = T(sums[i * ld + j]); });
  }

  template <class F>
  void for_each_output(int64_t col, int64_t cols, F&& f) {
    for (int64_t i = 0; i < rows_; ++i)
      for (int64_t j = 0; j < cols; ++j) f(i, j, c_[(row_ + i) * ldc_ + col + j]);
  }

  // sums[tiles t .. t + count, cols] (+)= A[.., k .. k + kc] B[k .. k + kc, ..]
  void block_product(int64_t k, int64_t kc, int64_t t, int64_t count, int64_t col, int64_t cols, R* sums,
                     int64_t ld) {
    const bool add = options_.accumulate || k > 0;
    const APanel layout = pack_a(k, kc, t, count);
    const auto* tile = kernels_.tiles[static_cast<int>(layout)];
    const int64_t a_size = kernels_.a_width * kGemmKBlock;
    for (int64_t j = 0; j < cols; j += kernels_.nr) {
      const int64_t width = std::min<int64_t>(kernels_.nr, cols - j);
      int64_t ldb = kernels_.nr;
      const R* b = panel_b(k, kc, col, cols, j, t == 0, &ldb);
      for (int64_t i = 0; i < count; ++i) {
        const int64_t first = tile_row(t + i), rows = tile_row(t + i + 1) - first;
        tile[rows](kc, w_.a.data() + i * a_size, kernels_.a_width, b, ldb, sums + first * ld + j, ld, width,
                   add);
      }
    }
  }

  APanel pack_a(int64_t k, int64_t kc, int64_t t, int64_t count) {
    const int64_t size = kernels_.a_width * kGemmKBlock, first = tile_row(t), last = tile_row(t + count);
    const auto a = staged(block(a_, row_ + first, k, last - first, kc), w_.stage);
    const bool by_rows = a.row_stride != 1;
    R* to = w_.a.get(count * size);
    for (int64_t i = 0; i < count; ++i, to += size) {
      const int64_t begin = tile_row(t + i) - first, rows = tile_row(t + i + 1) - first - begin;
      const R* from = a.data + begin * a.row_stride;
      if (!by_rows) continue;
      if (a.col_stride == 1) {
        for (int64_t r = 0; r < rows; ++r)
          std::memcpy(to + r * kGemmKBlock, from + r * a.row_stride, kc * sizeof(R));
      } else {
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t p = 0; p < kc; ++p)
            to[r * kGemmKBlock + p] = from[r * a.row_stride + p * a.col_stride];
      }
    }
    if (by_rows) return APanel::kRows;
    for (int64_t p = 0; p < kc; p += kPackSteps)  // a few rows of memory at a time, each from end to end
      for (int64_t i = 0; i < count; ++i) {
        const int64_t begin = tile_row(t + i) - first, rows = tile_row(t + i + 1) - first - begin;
        kernels_.pack_a(a.data + begin + p * a.col_stride, 1, a.col_stride, rows,
                        std::min(kPackSteps, kc - p), w_.a.data() + i * size + p * kernels_.a_width);
      }
    return APanel::kColumns;
  }

  // The panel of B for columns col + j ..: packed before, read in place, or kept in a buffer, where it is
  // packed with its neighbours when it is `fresh`.
  const R* panel_b(int64_t k, int64_t kc, int64_t col, int64_t cols, int64_t j, bool fresh, int64_t* ldb) {
    if constexpr (std::is_same_v<R, float>) {
      if (options_.packed) {
        const int64_t panels = (b_.cols + kernels_.nr - 1) / kernels_.nr;
        return options_.packed->data() + k * panels * kernels_.nr + (col + j) * kc;
      }
    }
    const bool in_place = std::is_same_v<T, R> && b_.col_stride == 1 && tiles_ <= 2;
    if constexpr (std::is_same_v<T, R>) {
      if (in_place && cols - j >= kernels_.nr) {
        *ldb = b_.row_stride;
        return b_.data + k * b_.row_stride + col + j;
      }
    }
    // Only a last, narrow panel is packed beside panels read in place: it has no neighbours to be packed
    // with.
    const bool far_rows =
        !in_place && b_.col_stride == 1 && std::abs(b_.row_stride) * static_cast<int64_t>(sizeof(T)) >= kPage;
    const int64_t together = far_rows ? kPackPanels : 1, panel = j / kernels_.nr;
    const int64_t panels = (cols + kernels_.nr - 1) / kernels_.nr,
                  k_blocks = (a_.cols + kGemmKBlock - 1) / kGemmKBlock;
    R* to = w_.b.get((one_block_ ? together : panels * k_blocks) * panel_size_);
    to += (one_block_ ? panel % together : k / kGemmKBlock * panels + panel) * panel_size_;
    if (fresh && panel % together == 0) {
      const int64_t width = std::min(together * kernels_.nr, cols - j);
      const auto b = staged(block(b_, k, col + j, kc, width), w_.stage);
      const int64_t steps = together == 1 ? kc : kPackSteps;
      for (int64_t p = 0; p < kc; p += steps)
        for (int64_t i = 0; i < width; i += kernels_.nr)
          kernels_.pack_b(b.data + i * b.col_stride + p * b.row_stride, b.col_stride, b.row_stride,
                          std::min<int64_t>(kernels_.nr, width - i), std::min(steps, kc - p),
                          to + i * kGemmKBlock + p * kernels_.nr);
    }
    return to;
  }

  const GemmKernels<R>& kernels_;
  const GemmOptions& options_;
  Workspace<R>& w_;
  const MatrixView<T> a_, b_;
  T* const c_;
  const int64_t ldc_;
  int64_t row_ = 0, rows_ = 0, tiles_ = 0, block_tiles_ = 0, panel_size_ = 0;
  bool one_block_ = false;
};

// How many ways rows and columns are cut for `parts` threads. Each thread packs what it needs, so a cut along
// the columns packs A again and a cut along the rows packs B again: the shape with the least work per thread
// wins.
struct Grid {
  int64_t rows, cols;
};
template <class T, class R>
Grid choose_grid(const MatrixView<T>& a, const MatrixView<T>& b, const GemmKernels<R>& kernels, bool packed,
                 int64_t parts) {
  const int64_t panels = (b.cols + kernels.nr - 1) / kernels.nr;
  const int64_t pack_b = packed ? 0 : b.col_stride == 1 ? 3 : 6;  // in multiplications per element
  Grid best{1, parts};
  int64_t least = INT64_MAX;
  for (int64_t r = 1; r <= parts; ++r) {
    if (parts % r != 0) continue;
    const int64_t q = parts / r, rows = (a.rows + r - 1) / r, cols = (panels + q - 1) / q * kernels.nr;
    const int64_t cost = rows * cols + 2 * rows + pack_b * cols;
    if (cost < least) least = cost, best = {r, q};
  }
  return best;
}

template <class T>
void clear(T* c, int64_t rows, int64_t cols, int64_t ldc) {
  for (int64_t i = 0; i < rows; ++i) std::fill_n(c + i * ldc, cols, T(0.0f));
}

}  // namespace

void PackedB::Free::operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }

template <class T>
PackedB::PackedB(const MatrixView<T>& b, Isa isa) : rows_(b.rows), cols_(b.cols), isa_(isa) {
  const GemmKernels<float>& kernels = kernels_for<float>(isa);
  const int64_t panels = (b.cols + kernels.nr - 1) / kernels.nr;
  bytes_ = panels * kernels.nr * b.rows * static_cast<int64_t>(sizeof(float));
  data_.reset(static_cast<float*>(::operator new[](std::max<int64_t>(bytes_, 64), std::align_val_t{64})));
  const int64_t blocks = (b.rows + kGemmKBlock - 1) / kGemmKBlock;
  parallel_for(panels * blocks, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i / panels * kGemmKBlock, kc = std::min(kGemmKBlock, b.rows - k);
      const int64_t col = i % panels * kernels.nr, width = std::min<int64_t>(kernels.nr, b.cols - col);
      const auto from = staged(block(b, k, col, kc, width), workspace<float>().stage);
      kernels.pack_b(from.data, from.col_stride, from.row_stride, width, kc,
                     data_.get() + k * panels * kernels.nr + col * kc);
    }
  });
}

template <class T>
void gemm_batched(int64_t batch, const MatrixView<T>& a, int64_t a_batch_stride, const MatrixView<T>& b,
                  int64_t b_batch_stride, T* c, int64_t c_batch_stride, int64_t ldc,
                  const GemmOptions& options) {
  SR_CHECK_AS(kInternal, a.cols == b.rows, "gemm: A has {} columns, B has {} rows", a.cols, b.rows);
  const PackedB* packed = options.packed;
  SR_CHECK_AS(kInternal, !packed || !(std::is_same_v<T, double>),
              "gemm: a packed operand cannot serve an f64 product");
  SR_CHECK_AS(
      kInternal,
      !packed || (packed->rows() == b.rows && packed->cols() == b.cols && packed->isa() == options.isa),
      "gemm: the packed operand is another matrix, or packed for another ISA level");
  if (batch <= 0 || a.rows <= 0 || b.cols <= 0) return;
  if (a.cols == 0) {
    for (int64_t i = 0; i < batch && !options.accumulate; ++i)
      clear(c + i * c_batch_stride, a.rows, b.cols, ldc);
    return;
  }
  const auto& kernels = kernels_for<Accumulator<T>>(options.isa);
  const auto work = [&](int64_t thread, int64_t threads) {
    const int64_t parts = batch % threads == 0 || batch >= 4 * threads ? 1 : threads;
    const Grid grid = choose_grid(a, b, kernels, packed != nullptr, parts);
    const int64_t panels = (b.cols + kernels.nr - 1) / kernels.nr, tasks = batch * parts;
    for (int64_t task = tasks * thread / threads; task < tasks * (thread + 1) / threads; ++task) {
      const int64_t i = task / parts, r = task % parts / grid.cols, q = task % grid.cols;
      const int64_t row = a.rows * r / grid.rows, row_end = a.rows * (r + 1) / grid.rows;
      const int64_t col = panels * q / grid.cols * kernels.nr;
      const int64_t col_end = std::min(b.cols, panels * (q + 1) / grid.cols * kernels.nr);
      MatrixView<T> ai = a, bi = b;
      ai.data += i * a_batch_stride;
      if (!packed) bi.data += i * b_batch_stride;
      Rectangle<T>(ai, bi, c + i * c_batch_stride, ldc, options).run(row, row_end - row, col, col_end - col);
    }
  };
  if (batch * a.rows * b.cols * a.cols <= kInlineWork) return work(0, 1);
  parallel_region([&](int thread, int threads) { work(thread, threads); });
}

template <class T>
void gemm(const MatrixView<T>& a, const MatrixView<T>& b, T* c, int64_t ldc, const GemmOptions& options) {
  gemm_batched(1, a, 0, b, 0, c, 0, ldc, options);
}

#define SUIREN_INSTANTIATE(T)                                                                              \
  template void gemm<T>(const MatrixView<T>&, const MatrixView<T>&, T*, int64_t, const GemmOptions&);      \
  template void gemm_batched<T>(int64_t, const MatrixView<T>&, int64_t, const MatrixView<T>&, int64_t, T*, \
                                int64_t, int64_t, const GemmOptions&);
SUIREN_INSTANTIATE(float)
SUIREN_INSTANTIATE(double)
SUIREN_INSTANTIATE(bfloat16)
SUIREN_INSTANTIATE(float16)
#undef SUIREN_INSTANTIATE
template PackedB::PackedB(const MatrixView<float>&, Isa);
template PackedB::PackedB(const MatrixView<bfloat16>&, Isa);
template PackedB::PackedB(const MatrixView<float16>&, Isa);

}  // namespace suiren::cpu
