// Cross-entropy behind a linear layer, and its gradients, in f32 and bf16: rows are taken in chunks, whose
// logits are formed in f32, turned into their gradient where they lie, and multiplied onto dx and dweight.
//
// Order of the sums: the products have that of gemm.h; chunks follow from the number of classes alone, and
// add to dweight in ascending order, each product whole. bf16: the gradient of a chunk's logits is rounded
// before it is multiplied, sums of dweight are not before they are complete.

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "backends/cpu/cross_entropy_rows.h"
#include "backends/cpu/gemm/gemm.h"
#include "backends/cpu/linear_cross_entropy.h"
#include "backends/cpu/packed_weights.h"
#include "backends/cpu/stage.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr int64_t kGrain = 32768;

// Numbers from one row of logits to the next: whole cache lines. A line more, so that rows a power of two
// apart do not share sets of the caches, was 1 to 2% faster, but 8 MB became a block that nothing else can
// use again.
int64_t row_pitch(int64_t classes) { return (classes + 15) / 16 * 16; }

// The last two dimensions of an operand, perhaps transposed, as packed_weight() knows them.
std::shared_ptr<const PackedB> packed(const Call& c, int input, bool transposed, int64_t rows) {
  const Operand w = c.in(input);
  if (!w.stable() || w.numel() == 0) return nullptr;
  sr_tensor t = c.form().tensors[input];
  int64_t dims[] = {w.dim(0), w.dim(1)}, strides[] = {w.stride(0), w.stride(1)};
  if (transposed) std::swap(dims[0], dims[1]), std::swap(strides[0], strides[1]);
  t.dims = dims, t.strides = strides;
  return packed_weight(Operand(t, w.data<char>() - w.byte_offset()), rows);
}

// x [N, D] and weight [V, D] of a call, whose first input is number `first`; then targets [N], g [N].
template <class T>
class Head {
 public:
  Head(const Call& c, int first, float* logits)
      : x_(matrix(c.in(first))),
        w_(matrix(c.in(first + 1))),
        targets_(c.in(first + 2)),
        chunk_(cross_entropy_chunk(w_.rows)),
        pitch_(row_pitch(w_.rows)),
        logits_(logits),
        to_logits_(packed(c, first + 1, true, rows())) {}

  void losses(float* loss) {
    each_chunk([&](int64_t begin, int64_t count) {
      parallel_for(count, std::max<int64_t>(1, kGrain / classes()), [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
          const float* z = logits_ + i * pitch_;
          const int64_t t = target_class(targets_, begin + i, classes());
          loss[begin + i] = logsumexp_row(z, classes()) - z[t];
        }
      });
    });
  }

  // dw (+)= the gradient of the weight; its rows are those of the weight.
  template <class R>
  void gradients(const Call& c, int first, float* loss, T* dx, R* dw, bool onto) {
    std::vector<float> g(static_cast<size_t>(x_.rows));
    stage(dtype_of_operand(c.in(first + 3).dtype()), c.in(first + 3).data<char>(),
          dtype_of_operand(c.in(first + 3).dtype()).size(), g.data(), x_.rows);
    const auto to_x = packed(c, first + 1, false, rows());
    if (x_.rows == 0 && !onto) std::fill_n(dw, classes() * x_.cols, R(0.0f));
    each_chunk([&](int64_t begin, int64_t count) {
      differentiate(begin, count, g.data(), loss);
      const MatrixView<T> d{reinterpret_cast<const T*>(logits_), count, classes(),
                            pitch_ * static_cast<int64_t>(sizeof(float) / sizeof(T)), 1};
      gemm(d, w_, dx + begin * x_.cols, x_.cols, {.packed = to_x.get()});
      gemm(d.transposed(), rows_of_x(begin, count), dw, x_.cols,
           {.accumulate = onto || begin > 0, .whole = true});
    });
  }
  int64_t chunks() const { return (x_.rows + chunk_ - 1) / chunk_; }

 private:
  static MatrixView<T> matrix(const Operand& x) {
    return {x.data<T>(), x.dim(0), x.dim(1), x.stride(0), x.stride(1)};
  }
  int64_t classes() const { return w_.rows; }
  int64_t rows() const { return std::min(chunk_, x_.rows); }
  MatrixView<T> rows_of_x(int64_t begin, int64_t count) const {
    return {x_.data + begin * x_.row_stride, count, x_.cols, x_.row_stride, x_.col_stride};
  }
  template <class Body>
  void each_chunk(Body body) {
    for (int64_t begin = 0; begin < x_.rows; begin += chunk_) {
      const int64_t count = std::min(chunk_, x_.rows - begin);
      gemm(rows_of_x(begin, count), w_.transposed(), logits_, pitch_, {.packed = to_logits_.get()});
      body(begin, count);
    }
  }
  // The logits of a chunk become their gradient; narrower numbers lie at the front of their row.
  void differentiate(int64_t begin, int64_t count, const float* g, float* loss) {
    parallel_for(count, std::max<int64_t>(1, kGrain / classes()), [&](int64_t from, int64_t to) {
      std::vector<T> narrow(std::is_same_v<T, float> ? 0 : static_cast<size_t>(classes()));
      for (int64_t i = from; i < to; ++i) {
        float* z = logits_ + i * pitch_;
        const int64_t t = target_class(targets_, begin + i, classes());
        loss[begin + i] = cross_entropy_row(z, classes(), t, g[begin + i]);
        if constexpr (!std::is_same_v<T, float>) {
          convert_row(z, narrow.data(), classes());
          std::memcpy(z, narrow.data(), narrow.size() * sizeof(T));
        }
      }
    });
  }

  const MatrixView<T> x_, w_;
  const Operand targets_;
  const int64_t chunk_, pitch_;
  float* const logits_;
  const std::shared_ptr<const PackedB> to_logits_;
};

template <class F>
void with_dtype(const Operand& x, F f) {
  x.dtype() == SR_F32 ? f(float()) : f(bfloat16());
}

// Where x, weight, targets[, g] begin among the inputs.
template <int kFirst>
Reason accepts(const Call& c) {
  const uint16_t dtype = c.in(kFirst).dtype();
  if (dtype != SR_F32 && dtype != SR_BF16) return "dtype";
  if (c.inputs() > kFirst + 3 && c.in(kFirst + 3).dtype() == SR_F64) return "dtype of g";
  return row_major_inputs(c);
}

template <int kFirst>
uint64_t logits_bytes(const Call& c) {
  const int64_t V = c.in(kFirst + 1).dim(0), rows = std::min(cross_entropy_chunk(V), c.in(kFirst).dim(0));
  return static_cast<uint64_t>(rows * row_pitch(V)) * sizeof(float);
}

void linear_cross_entropy(const Call& c, void* scratch) {
  with_dtype(c.in(0),
             [&]<class T>(T) { Head<T>(c, 0, static_cast<float*>(scratch)).losses(c.out(0).data<float>()); });
}

// Outputs loss, dx, dweight.
void linear_cross_entropy_gradients(const Call& c, void* scratch) {
  with_dtype(c.in(0), [&]<class T>(T) {
    Head<T> head(c, 0, static_cast<float*>(scratch));
    const Operand dw = c.out(2);
    const auto run = [&](auto* sum) {
      head.gradients(c, 0, c.out(0).data<float>(), c.out(1).data<T>(), sum, false);
    };
    if (std::is_same_v<T, float> || head.chunks() < 2) return run(dw.data<T>());
    std::vector<float> sum(static_cast<size_t>(dw.numel()));
    run(sum.data());
    unstage(dtype_of_operand(dw.dtype()), sum.data(), dw.data<char>(), sizeof(T), dw.numel());
  });
}

// Inputs sum, x, weight, targets, g; outputs loss, dx.
void linear_cross_entropy_accumulate(const Call& c, void* scratch) {
  with_dtype(c.in(1), [&]<class T>(T) {
    Head<T>(c, 1, static_cast<float*>(scratch))
        .gradients(c, 1, c.out(0).data<float>(), c.out(1).data<T>(), c.in(0).data<float>(), true);
  });
}

constexpr Kernel kKernels[] = {
    {"linear_cross_entropy", "chunks", 10, accepts<0>, logits_bytes<0>, linear_cross_entropy},
    {"linear_cross_entropy_gradients", "chunks", 10, accepts<0>, logits_bytes<0>,
     linear_cross_entropy_gradients},
    {"linear_cross_entropy_accumulate", "chunks", 10, accepts<1>, logits_bytes<1>,
     linear_cross_entropy_accumulate},
};

}  // namespace

KernelList kernels_linear_cross_entropy() { return kKernels; }

}  // namespace suiren::cpu
