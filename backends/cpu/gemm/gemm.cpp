#include "backends/cpu/gemm/gemm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>
#include <type_traits>

#include "backends/cpu/gemm/kernels.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/tiles.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kBlockRows = 256;  // rows of A packed at a time: 256 KB, a share of the second-level cache
template <class P>                   // columns taken together; pairs pass their sums twice as fast
constexpr int64_t kBlockCols = 1024 / kDepth<P>;
constexpr int64_t kKeptB = 2 << 20;  // numbers of B kept packed while several blocks of rows pass: 8 MB
constexpr int64_t kPackPanels = 4;   // panels packed together, so that longer pieces of memory are read
constexpr int64_t kPackRows = 32;    // rows of memory packed at a time then
constexpr int64_t kPage = 4096;      // bytes of one way of the first-level cache, too
constexpr int64_t kWays = 8;
constexpr int64_t kFarRows = 2048;  // bytes from row to row from which packing panels together pays
constexpr int64_t kInlineWork =
    40000;  // multiplications below which waking another thread costs more than it saves

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class P>
const GemmKernels<P>& kernels_for(GemmLevel level) {
#if defined(__x86_64__)
  if constexpr (std::is_same_v<P, Bf16Pair>)
    return level.bf16 == Bf16Units::kAmx ? amx::gemm_bf16 : avx512_bf16::gemm_bf16;
  if constexpr (std::is_same_v<P, Int8Quad>)
    return level.int8 == Int8Units::kAmx ? amx::gemm_int8 : avx512_vnni::gemm_int8;
  if constexpr (std::is_same_v<P, Int16Pair>) return avx2::gemm_int16;
#endif
  if constexpr (std::is_same_v<P, int32_t>) return portable::gemm_int32;
#define SUIREN_PICK(level)                     \
  if constexpr (std::is_same_v<P, double>)     \
    return level::gemm_f64;                    \
  else if constexpr (std::is_same_v<P, float>) \
  return level::gemm_f32
#if defined(__x86_64__)
  if (level.isa == Isa::kAvx512) {
    SUIREN_PICK(avx512);
  }
  if (level.isa == Isa::kAvx2) {
    SUIREN_PICK(avx2);
  }
#endif
  SUIREN_PICK(portable);
#undef SUIREN_PICK
}

// Calls f.operator()<P>() with the lanes that products of T run in at a level.
template <class T, class F>
auto with_lanes(GemmLevel level, F&& f) {
#if defined(__x86_64__)
  if constexpr (std::is_same_v<T, bfloat16>)
    if (level.bf16 != Bf16Units::kNone) return f.template operator()<Bf16Pair>();
  if constexpr (std::is_same_v<T, int8_t>) {
    if (level.int8 != Int8Units::kNone) return f.template operator()<Int8Quad>();
    if (level.isa != Isa::kPortable) return f.template operator()<Int16Pair>();
  }
#endif
  using Narrow = std::conditional_t<std::is_same_v<T, int8_t>, int32_t, float>;
  return f.template operator()<std::conditional_t<std::is_same_v<T, double>, double, Narrow>>();
}

// What one thread keeps between calls: panels of A and B, converted operands, sums of a narrow output.
template <class P>
struct Workspace {
  Scratch<P> a, b;
  Scratch<NumberOf<P>> stage;
  Scratch<SumOf<P>> sums;
};
template <class P>
Workspace<P>& workspace() {
  static thread_local Workspace<P> w;
  return w;
}

template <class T>
MatrixView<T> block(const MatrixView<T>& v, int64_t row, int64_t col, int64_t rows, int64_t cols) {
  return {v.data + row * v.row_stride + col * v.col_stride, rows, cols, v.row_stride, v.col_stride};
}

// The operand in the type N that panels are made of: itself, or a converted copy in `stage` with the same
// contiguous direction.
template <class N, class T>
MatrixView<N> staged(const MatrixView<T>& v, Scratch<N>& stage) {
  if constexpr (std::is_same_v<T, N>) {
    return v;
  } else {
    const bool by_rows = v.col_stride == 1 || v.row_stride != 1;
    const MatrixView<T> from = by_rows ? v : v.transposed();
    N* to = stage.get(v.rows * v.cols);
    for (int64_t i = 0; i < from.rows; ++i) {
      const T* row = from.data + i * from.row_stride;
      for (int64_t j = 0; j < from.cols; ++j)
        to[i * from.cols + j] = static_cast<N>(row[j * from.col_stride]);
    }
    const MatrixView<N> copy{to, from.rows, from.cols, from.cols, 1};
    return by_rows ? copy : copy.transposed();
  }
}

// Fetches a matrix into the cache, a few lines at a time between tiles: the rows of what is packed next are
// far apart and too short for the CPU's own prefetching.
class Ahead {
 public:
  Ahead() = default;
  template <class T>
  explicit Ahead(const MatrixView<T>& v) {
    const bool by_rows = v.col_stride == 1;
    if (!by_rows && v.row_stride != 1) return;
    const MatrixView<T> rows = by_rows ? v : v.transposed();
    at_ = reinterpret_cast<const char*>(rows.data);
    runs_ = rows.rows;
    stride_ = rows.row_stride * static_cast<int64_t>(sizeof(T));
    length_ = round_up(rows.cols * static_cast<int64_t>(sizeof(T)), kLine);
  }
  int64_t lines() const { return runs_ * (length_ / kLine); }
  void fetch(int64_t lines) {
    for (; lines > 0 && runs_ > 0; --lines) {
      __builtin_prefetch(at_ + done_);
      if ((done_ += kLine) == length_) done_ = 0, at_ += stride_, --runs_;
    }
  }

 private:
  static constexpr int64_t kLine = 64;
  const char* at_ = nullptr;
  int64_t runs_ = 0, stride_ = 0, length_ = 0, done_ = 0;
};

// One product of numbers of type T in lanes of type P with results of type C, or the rectangle of it that one
// thread computes. Rows are shared out evenly among the tiles, so that no tile is left with so few rows that
// its chains cannot hide the latency of a multiplication.
template <class T, class P, class C>
class Rectangle {
  using R = SumOf<P>;
  static constexpr bool kPairs = std::is_same_v<P, Bf16Pair>;
  static constexpr bool kNarrow = !std::is_same_v<C, R>;  // sums are kept elsewhere until they are complete

 public:
  Rectangle(const MatrixView<T>& a, const MatrixView<T>& b, C* c, int64_t ldc, const GemmOptions& options)
      : kernels_(kernels_for<P>(options.level)),
        options_(options),
        w_(workspace<P>()),
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
    panel_size_ = kernels_.nr * (kLead<P> + steps(kGemmKBlock));
    k_blocks_ = (a_.cols + kGemmKBlock - 1) / kGemmKBlock;
    // Columns taken together: their sums stay in the cache over all k blocks, their B is kept for the next
    // rows.
    int64_t step = one_block_ && k_blocks_ == 1 ? cols : kBlockCols<P>;
    if (!one_block_ && !options_.packed)
      step = std::clamp<int64_t>(kKeptB / (k_blocks_ * kGemmKBlock) / kernels_.nr, 1, step / kernels_.nr) *
             kernels_.nr;
    if (kernels_.enter) kernels_.enter();
    for (int64_t j = 0; j < cols; j += step)
      for (int64_t t = 0; t < tiles_; t += block_tiles_)
        strip(t, std::min(block_tiles_, tiles_ - t), col + j, std::min(step, cols - j));
    if (kernels_.leave) kernels_.leave();
  }

 private:
  int64_t tile_row(int64_t t) const { return rows_ * t / tiles_; }
  // How many rows of memory, `stride` numbers apart, the first-level cache holds a line of each at once.
  template <class N>
  int64_t piece(int64_t stride) const {
    const int64_t rows = kWays * kPage / std::gcd(kPage, stride * static_cast<int64_t>(sizeof(N)));
    return round_up(std::min(rows, kPackRows), kernels_.k_unit);
  }
  int64_t steps(int64_t kc) const { return round_up(kc, kernels_.k_unit) / kDepth<P>; }

  // Some tiles by a strip of columns: all k blocks, so that its sums are complete when it ends.
  void strip(int64_t t, int64_t count, int64_t col, int64_t cols) {
    const int64_t first = tile_row(t), rows = tile_row(t + count) - first;
    C* c = c_ + (row_ + first) * ldc_ + col;
    const bool apart = kNarrow || (options_.whole && options_.accumulate && k_blocks_ > 1);
    R* sums;
    int64_t ld = ldc_;
    if (apart) sums = w_.sums.get(rows * cols), ld = cols;
    if constexpr (!kNarrow) {
      if (!apart) sums = c;
    } else {
      if (options_.accumulate)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < cols; ++j) sums[i * ld + j] = static_cast<R>(c[i * ldc_ + j]);
    }
    for (int64_t k = 0; k < a_.cols; k += kGemmKBlock)
      block_product(k, std::min(kGemmKBlock, a_.cols - k), t, count, col, cols, sums, ld, c,
                    k > 0 || (options_.accumulate && (kNarrow || !apart)));
    if constexpr (!kNarrow)
      for (int64_t i = 0; apart && i < rows; ++i) kernels_.add(sums + i * ld, c + i * ldc_, cols);
    if constexpr (kNarrow && !kPairs)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) c[i * ldc_ + j] = C(sums[i * ld + j]);
  }

  // sums[tiles t .. t + count, cols] (+)= A[.., k .. k + kc] B[k .. k + kc, ..]; of pairs the last block
  // rounds them into c.
  void block_product(int64_t k, int64_t kc, int64_t t, int64_t count, int64_t col, int64_t cols, R* sums,
                     int64_t ld, C* c, bool add) {
    const APanel layout = pack_a(k, kc, t, count);
    const auto* tile = kernels_.tiles[static_cast<int>(layout)];
    const int64_t a_size = kernels_.a_width * steps(kGemmKBlock), begin = tile_row(t);
    Ahead next = a_after(k, t, count);
    const int64_t lines = next.lines() / (count * ((cols + kernels_.nr - 1) / kernels_.nr)) + 1;
    for (int64_t j = 0; j < cols; j += kernels_.nr) {
      const int64_t width = std::min<int64_t>(kernels_.nr, cols - j);
      int64_t ldb = kernels_.nr;
      const P* b = panel_b(k, kc, col, cols, j, t == 0, &ldb);
      for (int64_t i = 0; i < count; ++i) {
        next.fetch(lines);
        const int64_t first = tile_row(t + i) - begin, rows = tile_row(t + i + 1) - begin - first;
        const P* a = w_.a.data() + i * a_size;
        if constexpr (kPairs) {
          bfloat16* out = nullptr;
          if constexpr (kNarrow)
            if (k + kc == a_.cols) out = c + first * ldc_ + j;
          tile[rows](steps(kc), a, kernels_.a_width, b, ldb, sums + first * ld + j, ld, width, add, out,
                     ldc_);
        } else {
          tile[rows](steps(kc), a, kernels_.a_width, b, ldb, sums + first * ld + j, ld, width, add);
        }
      }
    }
  }

  // The block of A that is packed after the one at (k, t).
  Ahead a_after(int64_t k, int64_t t, int64_t count) const {
    k += kGemmKBlock;
    if (k >= a_.cols) k = 0, t += count, count = std::min(block_tiles_, tiles_ - t);
    if (count <= 0) return {};
    const int64_t first = tile_row(t), rows = tile_row(t + count) - first;
    return Ahead(block(a_, row_ + first, k, rows, std::min(kGemmKBlock, a_.cols - k)));
  }

  APanel pack_a(int64_t k, int64_t kc, int64_t t, int64_t count) {
    const int64_t size = kernels_.a_width * steps(kGemmKBlock), first = tile_row(t),
                  last = tile_row(t + count);
    const auto a = staged(block(a_, row_ + first, k, last - first, kc), w_.stage);
    P* to = w_.a.get(count * size);
    const bool by_rows = a.row_stride != 1;
    const bool copied = by_rows && kernels_.copy_a;
    const auto pack = copied ? kernels_.copy_a : kernels_.pack_a;
    const int64_t together = by_rows ? kc : piece<NumberOf<P>>(a.col_stride);
    for (int64_t p = 0; p < kc; p += together)  // a few rows of memory at a time, each from end to end
      for (int64_t i = 0; i < count; ++i) {
        const int64_t begin = tile_row(t + i) - first, rows = tile_row(t + i + 1) - first - begin;
        pack(a.data + begin * a.row_stride + p * a.col_stride, a.row_stride, a.col_stride, rows,
             std::min(together, kc - p), to + i * size + p / kDepth<P> * kernels_.a_width);
      }
    return copied ? APanel::kRows : APanel::kColumns;
  }

  // The panel of B for columns col + j ..: packed before, read in place, or kept in a buffer, where it is
  // packed with its neighbours when it is `fresh`.
  const P* panel_b(int64_t k, int64_t kc, int64_t col, int64_t cols, int64_t j, bool fresh, int64_t* ldb) {
    if constexpr (sizeof(P) == 4) {
      if (options_.packed) {
        const int64_t panels = (b_.cols + kernels_.nr - 1) / kernels_.nr;
        return static_cast<const P*>(options_.packed->data()) + k / kDepth<P> * panels * kernels_.nr +
               (col + j) * steps(kc);
      }
    }
    const bool in_place = std::is_same_v<T, P> && b_.col_stride == 1 && tiles_ <= 2;
    if constexpr (std::is_same_v<T, P>) {
      if (in_place && cols - j >= kernels_.nr) {
        *ldb = b_.row_stride;
        return b_.data + k * b_.row_stride + col + j;
      }
    }
    // Only a last, narrow panel is packed beside panels read in place: it has no neighbours to be packed
    // with.
    const bool far_rows = !in_place && b_.col_stride == 1 &&
                          std::abs(b_.row_stride) * static_cast<int64_t>(sizeof(T)) >= kFarRows;
    const int64_t together = far_rows ? kPackPanels : 1, panel = j / kernels_.nr;
    const int64_t panels = (cols + kernels_.nr - 1) / kernels_.nr;
    P* to = w_.b.get((one_block_ ? together : panels * k_blocks_) * panel_size_);
    to += (one_block_ ? panel % together : k / kGemmKBlock * panels + panel) * panel_size_;
    if (fresh && panel % together == 0) {
      const int64_t width = std::min(together * kernels_.nr, cols - j);
      const auto b = staged(block(b_, k, col + j, kc, width), w_.stage);
      const int64_t at_once = together == 1 ? kc : piece<NumberOf<P>>(b.row_stride);
      for (int64_t p = 0; p < kc; p += at_once)
        for (int64_t i = 0; i < width; i += kernels_.nr)
          kernels_.pack_b(b.data + i * b.col_stride + p * b.row_stride, b.col_stride, b.row_stride,
                          std::min<int64_t>(kernels_.nr, width - i), std::min(at_once, kc - p),
                          to + i / kernels_.nr * panel_size_ + (kLead<P> + p / kDepth<P>)*kernels_.nr);
      for (int64_t i = 0; kLead < P >> 0 && i < width; i += kernels_.nr)
        kernels_.lead_b(to + i / kernels_.nr * panel_size_, steps(kc));
    }
    return to;
  }

  const GemmKernels<P>& kernels_;
  const GemmOptions& options_;
  Workspace<P>& w_;
  const MatrixView<T> a_, b_;
  C* const c_;
  const int64_t ldc_;
  int64_t row_ = 0, rows_ = 0, tiles_ = 0, block_tiles_ = 0, panel_size_ = 0, k_blocks_ = 0;
  bool one_block_ = false;
};

// How many ways rows and columns are cut for `parts` threads. Each thread packs what it needs, so a cut along
// the columns packs A again and a cut along the rows packs B again: the shape with the least work per thread
// wins.
struct Grid {
  int64_t rows, cols;
};
template <class T, class P>
Grid choose_grid(const MatrixView<T>& a, const MatrixView<T>& b, const GemmKernels<P>& kernels, bool packed,
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

Bf16Units bf16_units(Isa isa) {
  static const Bf16Units best = [] {
    if (!cpu_info().has("avx512_bf16")) return Bf16Units::kNone;
    return cpu_info().has("amx_bf16") && tiles_allowed() ? Bf16Units::kAmx : Bf16Units::kAvx512;
  }();
  return isa == Isa::kAvx512 ? best : Bf16Units::kNone;
}

Int8Units int8_units(Isa isa) {
  static const Int8Units best = [] {
    if (!cpu_info().has("avx512_vnni")) return Int8Units::kNone;
    return cpu_info().has("amx_int8") && tiles_allowed() ? Int8Units::kAmx : Int8Units::kAvx512;
  }();
  return isa == Isa::kAvx512 ? best : Int8Units::kNone;
}

void PackedB::Free::operator()(char* p) const { ::operator delete[](p, std::align_val_t{64}); }

template <class T, class P>
void PackedB::fill(const MatrixView<T>& b) {
  const GemmKernels<P>& kernels = kernels_for<P>(level_);
  const int64_t panels = (b.cols + kernels.nr - 1) / kernels.nr, row = panels * kernels.nr;
  const int64_t steps = round_up(b.rows, kernels.k_unit) / kDepth<P>;
  bytes_ = row * steps * static_cast<int64_t>(sizeof(P));
  data_.reset(static_cast<char*>(::operator new[](std::max<int64_t>(bytes_, 64), std::align_val_t{64})));
  P* const data = reinterpret_cast<P*>(data_.get());
  const int64_t blocks = (b.rows + kGemmKBlock - 1) / kGemmKBlock;
  parallel_for(panels * blocks, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i / panels * kGemmKBlock, kc = std::min(kGemmKBlock, b.rows - k);
      const int64_t col = i % panels * kernels.nr, width = std::min<int64_t>(kernels.nr, b.cols - col);
      const auto from = staged(block(b, k, col, kc, width), workspace<P>().stage);
      kernels.pack_b(from.data, from.col_stride, from.row_stride, width, kc,
                     data + k / kDepth<P> * row + col * round_up(kc, kernels.k_unit) / kDepth<P>);
    }
  });
}

template <class T>
PackedB::PackedB(const MatrixView<T>& b, GemmLevel level) : rows_(b.rows), cols_(b.cols), level_(level) {
  with_lanes<T>(level, [&]<class P>() {
    in_bf16_ = std::is_same_v<P, Bf16Pair>;
    fill<T, P>(b);
  });
}

namespace {

template <class T>
void check_packed(const PackedB& packed, const MatrixView<T>& b, GemmLevel level) {
  SR_CHECK_AS(kInternal, !(std::is_same_v<T, double> || std::is_same_v<T, int8_t>),
              "gemm: a packed operand cannot serve a product of f64 or int8 numbers");
  SR_CHECK_AS(kInternal, packed.rows() == b.rows && packed.cols() == b.cols && packed.level() == level,
              "gemm: the packed operand is another matrix, or packed for another level");
  with_lanes<T>(level, [&]<class P>() {
    SR_CHECK_AS(kInternal, packed.in_bf16() == (std::is_same_v<P, Bf16Pair>),
                "gemm: the operand was packed for products of another type");
  });
}

template <class P, class T, class R>
void run_batch(int64_t batch, const MatrixView<T>& a, int64_t a_batch_stride, const MatrixView<T>& b,
               int64_t b_batch_stride, R* c, int64_t c_batch_stride, int64_t ldc,
               const GemmOptions& options) {
  const auto& kernels = kernels_for<P>(options.level);
  const bool packed = options.packed != nullptr;
  const auto work = [&](int64_t thread, int64_t threads) {
    const int64_t parts = batch % threads == 0 || batch >= 4 * threads ? 1 : threads;
    const Grid grid = choose_grid(a, b, kernels, packed, parts);
    const int64_t panels = (b.cols + kernels.nr - 1) / kernels.nr, tasks = batch * parts;
    for (int64_t task = tasks * thread / threads; task < tasks * (thread + 1) / threads; ++task) {
      const int64_t i = task / parts, r = task % parts / grid.cols, q = task % grid.cols;
      const int64_t row = a.rows * r / grid.rows, row_end = a.rows * (r + 1) / grid.rows;
      const int64_t col = panels * q / grid.cols * kernels.nr;
      const int64_t col_end = std::min(b.cols, panels * (q + 1) / grid.cols * kernels.nr);
      MatrixView<T> ai = a, bi = b;
      ai.data += i * a_batch_stride;
      if (!packed) bi.data += i * b_batch_stride;
      Rectangle<T, P, R>(ai, bi, c + i * c_batch_stride, ldc, options)
          .run(row, row_end - row, col, col_end - col);
    }
  };
  if (batch * a.rows * b.cols * a.cols <= kInlineWork) return work(0, 1);
  parallel_region([&](int thread, int threads) { work(thread, threads); });
}

}  // namespace

template <class T, class R>
void gemm_batched(int64_t batch, const MatrixView<T>& a, int64_t a_batch_stride, const MatrixView<T>& b,
                  int64_t b_batch_stride, R* c, int64_t c_batch_stride, int64_t ldc,
                  const GemmOptions& options) {
  SR_CHECK_AS(kInternal, a.cols == b.rows, "gemm: A has {} columns, B has {} rows", a.cols, b.rows);
  if (options.packed) check_packed(*options.packed, b, options.level);
  if (batch <= 0 || a.rows <= 0 || b.cols <= 0) return;
  if (a.cols == 0) {
    for (int64_t i = 0; i < batch && !options.accumulate; ++i)
      clear(c + i * c_batch_stride, a.rows, b.cols, ldc);
    return;
  }
  with_lanes<T>(options.level, [&]<class P>() {
    run_batch<P>(batch, a, a_batch_stride, b, b_batch_stride, c, c_batch_stride, ldc, options);
  });
}

template <class T, class R>
void gemm(const MatrixView<T>& a, const MatrixView<T>& b, R* c, int64_t ldc, const GemmOptions& options) {
  gemm_batched(1, a, 0, b, 0, c, 0, ldc, options);
}

#define SUIREN_INSTANTIATE(T, R)                                                                          \
  template void gemm<T, R>(const MatrixView<T>&, const MatrixView<T>&, R*, int64_t, const GemmOptions&);  \
  template void gemm_batched<T, R>(int64_t, const MatrixView<T>&, int64_t, const MatrixView<T>&, int64_t, \
                                   R*, int64_t, int64_t, const GemmOptions&);
SUIREN_INSTANTIATE(float, float)
SUIREN_INSTANTIATE(double, double)
SUIREN_INSTANTIATE(bfloat16, bfloat16)
SUIREN_INSTANTIATE(bfloat16, float)
SUIREN_INSTANTIATE(float16, float16)
SUIREN_INSTANTIATE(float16, float)
SUIREN_INSTANTIATE(int8_t, int32_t)
#undef SUIREN_INSTANTIATE
template PackedB::PackedB(const MatrixView<float>&, GemmLevel);
template PackedB::PackedB(const MatrixView<bfloat16>&, GemmLevel);
template PackedB::PackedB(const MatrixView<float16>&, GemmLevel);

}  // namespace suiren::cpu
