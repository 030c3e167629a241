// ctc_loss and its gradient by the forward and the backward algorithm, in f64, one sequence at a time.

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "backends/cpu/kernel_list.h"
#include "backends/cpu/stage.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"

namespace suiren::cpu {
namespace {

constexpr double kNever = -1e30;  // ln of a path that is not possible

double add_logs(double a, double b, double c) {
  const double top = std::max(a, std::max(b, c));
  if (top <= kNever) return kNever;
  return top + std::log(std::exp(a - top) + std::exp(b - top) + std::exp(c - top));
}

int64_t element(const Operand& x, int64_t i) {
  return x.dtype() == SR_I32 ? x.data<int32_t>()[i] : x.data<int64_t>()[i];
}

// One sequence: its states (labels with blanks between and around them) and the steps that count. `first` is
// the place of log_probs, targets and lengths among the inputs.
template <class T>
class Sequence {
 public:
  Sequence(const Call& c, int first, int64_t n) {
    const Operand x = c.in(first), targets = c.in(first + 1);
    const int64_t N = x.dim(1), C = x.dim(2), S = targets.dim(1), blank = c.attr_i64(0);
    T_ = element(c.in(first + 2), n);
    const int64_t labels = element(c.in(first + 3), n);
    SR_CHECK(T_ >= 1 && T_ <= x.dim(0), "[ctc_loss] input length {} of sequence {} is not in [1, {}]", T_, n,
             x.dim(0));
    SR_CHECK(labels >= 0 && labels <= S, "[ctc_loss] target length {} of sequence {} is not in [0, {}]",
             labels, n, S);
    states_.assign(static_cast<size_t>(2 * labels + 1), blank);
    for (int64_t i = 0; i < labels; ++i) {
      const int64_t label = element(targets, n * S + i);
      SR_CHECK(label >= 0 && label < C, "[ctc_loss] label {} of sequence {} is not in [0, {})", label, n, C);
      states_[static_cast<size_t>(2 * i + 1)] = label;
    }
    row_ = x.data<T>() + n * C;
    step_ = N * C;
  }
  int64_t steps() const { return T_; }
  int64_t states() const { return static_cast<int64_t>(states_.size()); }
  int64_t label(int64_t s) const { return states_[static_cast<size_t>(s)]; }
  double emitted(int64_t t, int64_t s) const { return static_cast<double>(row_[t * step_ + label(s)]); }
  // State s may follow s - 2 at once.
  bool skips(int64_t s) const { return s >= 2 && label(s) != label(s - 2); }

  void start(double* alpha) const {
    for (int64_t s = 0; s < states(); ++s) alpha[s] = s < 2 ? emitted(0, s) : kNever;
  }
  void advance(int64_t t, const double* from, double* to) const {
    for (int64_t s = 0; s < states(); ++s)
      to[s] =
          add_logs(from[s], s > 0 ? from[s - 1] : kNever, skips(s) ? from[s - 2] : kNever) + emitted(t, s);
  }
  // ln of the probability of the target.
  double total(const double* alpha) const {
    const int64_t last = states() - 1;
    return add_logs(alpha[last], last > 0 ? alpha[last - 1] : kNever, kNever);
  }

 private:
  int64_t T_;
  std::vector<int64_t> states_;
  const T* row_;
  int64_t step_;
};

// Inputs log_probs [T, N, C], targets, input_lengths, target_lengths; attribute blank.
void ctc_loss(const Call& c, void*) {
  visit_dtype(dtype_of_operand(c.in(0).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      using Y = std::conditional_t<std::is_same_v<T, double>, double, float>;
      Y* losses = c.out(0).data<Y>();
      parallel_for(c.in(0).dim(1), 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
          const Sequence<T> sequence(c, 0, n);
          std::vector<double> now(static_cast<size_t>(sequence.states())), next(now.size());
          sequence.start(now.data());
          for (int64_t t = 1; t < sequence.steps(); ++t) {
            sequence.advance(t, now.data(), next.data());
            now.swap(next);
          }
          const double total = sequence.total(now.data());
          losses[n] = static_cast<Y>(total < 0.1 * kNever ? std::numeric_limits<double>::infinity() : -total);
        }
      });
    }
  });
}

// What a path still has to pay from each state at step t on, without what it pays at t.
template <class T>
void retreat(const Sequence<T>& q, int64_t t, const double* beta, double* to) {
  const int64_t L = q.states();
  const auto from = [&](int64_t s) { return beta[s] + q.emitted(t + 1, s); };
  for (int64_t s = 0; s < L; ++s)
    to[s] = add_logs(from(s), s + 1 < L ? from(s + 1) : kNever,
                     s + 2 < L && q.skips(s + 2) ? from(s + 2) : kNever);
}

// dlog_probs[t, c] -= g exp(alpha + beta - total) for each state of label c.
template <class T>
void add_gradient(const Sequence<T>& q, double g, T* to, int64_t step, int64_t C) {
  const int64_t L = q.states();
  std::vector<double> alpha(static_cast<size_t>(q.steps() * L)), beta(static_cast<size_t>(L), kNever),
      next(beta.size()), sums(static_cast<size_t>(C));
  q.start(alpha.data());
  for (int64_t t = 1; t < q.steps(); ++t)
    q.advance(t, &alpha[static_cast<size_t>((t - 1) * L)], &alpha[static_cast<size_t>(t * L)]);
  const double total = q.total(&alpha[static_cast<size_t>((q.steps() - 1) * L)]);
  if (total < 0.1 * kNever) return;
  for (int64_t s = std::max<int64_t>(0, L - 2); s < L; ++s) beta[static_cast<size_t>(s)] = 0;
  for (int64_t t = q.steps() - 1; t >= 0; --t) {
    if (t < q.steps() - 1) {
      retreat(q, t, beta.data(), next.data());
      beta.swap(next);
    }
    for (int64_t s = 0; s < L; ++s) sums[static_cast<size_t>(q.label(s))] = 0;
    for (int64_t s = 0; s < L; ++s)
      sums[static_cast<size_t>(q.label(s))] +=
          std::exp(alpha[static_cast<size_t>(t * L + s)] + beta[static_cast<size_t>(s)] - total);
    for (int64_t s = 0; s < L; ++s)
      to[t * step + q.label(s)] =
          static_cast<T>(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(
              -g * sums[static_cast<size_t>(q.label(s))]));
  }
}

// Inputs g [N], then those of ctc_loss.
void ctc_loss_backward(const Call& c, void*) {
  visit_dtype(dtype_of_operand(c.in(1).dtype()), [&]<class T>() {
    if constexpr (!std::is_integral_v<T>) {
      const Operand x = c.in(1), g = c.in(0);
      const int64_t N = x.dim(1), C = x.dim(2);
      T* dx = c.out(0).data<T>();
      std::fill_n(dx, x.numel(), T(0));
      parallel_for(N, 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
          double up = 0;
          visit_dtype(dtype_of_operand(g.dtype()), [&]<class G>() {
            up = static_cast<double>(
                static_cast<std::conditional_t<std::is_same_v<G, double>, double, float>>(g.data<G>()[n]));
          });
          add_gradient(Sequence<T>(c, 1, n), up, dx + n * C, N * C, C);
        }
      });
    }
  });
}

constexpr Kernel kKernels[] = {
    {"ctc_loss", "sequences", 10, row_major_inputs, nullptr, ctc_loss},
    {"ctc_loss_backward", "sequences", 10, row_major_inputs, nullptr, ctc_loss_backward},
};

}  // namespace

KernelList kernels_ctc() { return kKernels; }

}  // namespace suiren::cpu
