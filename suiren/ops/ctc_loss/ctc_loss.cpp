#include "suiren/ops/ctc_loss/ctc_loss.h"

#include <algorithm>
#include <limits>

#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

// The logarithm of a path that is not possible: finite, so that differences of two are no NaN.
constexpr double kNever = -1e30;

struct CtcAttrs {
  int64_t blank;
};

void check_index(const char* name, const TensorSpec& x, const Shape& shape) {
  SR_CHECK_AS(kShape, x.dtype == kI32 || x.dtype == kI64, "{} are {}, expected i32 or i64", name, x.dtype);
  SR_CHECK_AS(kShape, x.shape == shape, "{} have shape {}, expected {}", name, x.shape, shape);
}

Specs infer_losses(const CtcAttrs& a, const TensorSpec& log_probs, const TensorSpec& targets,
                   const TensorSpec& input_lengths, const TensorSpec& target_lengths) {
  check_dtype(kFloating, "log_probs", log_probs);
  SR_CHECK_AS(kShape, log_probs.rank() == 3 && log_probs.dim(0) > 0 && log_probs.dim(2) > 0,
              "log_probs have shape {}, expected [T, N, C] with T, C > 0", log_probs.shape);
  SR_CHECK(a.blank >= 0 && a.blank < log_probs.dim(2), "blank is {}, expected a class in [0, {})", a.blank,
           log_probs.dim(2));
  SR_CHECK_AS(kShape, targets.rank() == 2, "targets have shape {}, expected [N, S]", targets.shape);
  const int64_t N = log_probs.dim(1);
  check_index("targets", targets, {N, targets.dim(1)});
  check_index("input_lengths", input_lengths, {N});
  check_index("target_lengths", target_lengths, {N});
  return {{accumulator(log_probs.dtype), {N}, log_probs.device}};
}

// The forward algorithm over the labels with blanks between and around them: L = 2 S + 1 states.
class Forward {
 public:
  Forward(const CtcAttrs& a, const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
          const Tensor& target_lengths)
      : T_(log_probs.dim(0)), N_(log_probs.dim(1)), S_(targets.dim(1)), L_(2 * S_ + 1) {
    const Device& device = log_probs.device();
    never_ = full({}, kNever, accumulator(log_probs.dtype()), device);
    lengths_ = cast(input_lengths, kI64);
    ends_ = cast(target_lengths, kI64) * 2;  // the last blank's state
    const Tensor blank = full({N_, 1, 1}, static_cast<double>(a.blank), kI64, device);
    const Tensor labels = unsqueeze(cast(targets, kI64), 2);
    const Tensor pairs = concat({broadcast_to(blank, {N_, S_, 1}), labels}, 2);
    states_ = concat({reshape(pairs, {N_, 2 * S_}), reshape(blank, {N_, 1})}, 1);
    const Tensor steps = broadcast_to(unsqueeze(states_, 0), {T_, N_, L_});
    emitted_ = gather(cast(log_probs, never_.dtype()), 2, steps);  // [T, N, L]
  }
  Tensor losses() const {
    const Tensor none = broadcast_to(never_, {N_, std::max<int64_t>(0, L_ - 2)});
    Tensor alpha = slice(emitted_, 0, 0, 1);
    alpha = concat({slice(squeeze(alpha, 0), 1, 0, std::min<int64_t>(2, L_)), none}, 1);
    for (int64_t t = 1; t < T_; ++t) {
      const Tensor from = S_ == 0 ? unsqueeze(alpha, 0)
                                  : concat({unsqueeze(alpha, 0), unsqueeze(shifted(alpha, 1), 0),
                                            unsqueeze(where(skips(), shifted(alpha, 2), never_), 0)},
                                           0);
      const Tensor next = logsumexp(from, 0) + squeeze(slice(emitted_, 0, t, t + 1), 0);
      alpha = where(unsqueeze(gt(lengths_, index(t)), 1), next, alpha);
    }
    const Tensor last = gather(alpha, 1, unsqueeze(ends_, 1));
    const Tensor before = gather(alpha, 1, unsqueeze(maximum(ends_ - 1, index(0)), 1));
    const Tensor some = unsqueeze(gt(ends_, index(0)), 1);
    const Tensor total = logsumexp(concat({last, where(some, before, never_)}, 1), 1);
    const double inf = std::numeric_limits<double>::infinity();
    return where(lt(total, never_ * 0.1), full({}, inf, total.dtype(), total.device()), total * -1.0);
  }

 private:
  Tensor index(int64_t i) const { return full({}, static_cast<double>(i), kI64, lengths_.device()); }
  // y[l] = x[l - by], kNever where nothing stands.
  Tensor shifted(const Tensor& x, int64_t by) const {
    return concat({broadcast_to(never_, {N_, by}), slice(x, 1, 0, L_ - by)}, 1);
  }
  // bool [N, L]: a label may follow the one before at once, without the blank, when they differ.
  Tensor skips() const {
    const Tensor differs = ne(slice(states_, 1, 2, L_), slice(states_, 1, 0, L_ - 2));
    return concat({full({N_, 2}, 0, kBool, states_.device()), differs}, 1);
  }

  int64_t T_, N_, S_, L_;
  Tensor never_, lengths_, ends_, states_, emitted_;
};

// log_probs [T, N, C], targets [N, S], lengths [N] that fit them; blank is class 0.
Sample call(int64_t T, int64_t N, int64_t C, int64_t S, double shortest, bool with_gradient) {
  std::vector<SampleInput> inputs{
      real({T, N, C}, -3, 0), index({N, S}, 1, static_cast<double>(std::max<int64_t>(2, C))),
      index({N}, shortest, static_cast<double>(T) + 1), index({N}, 0, static_cast<double>(S) + 1)};
  if (with_gradient) inputs.insert(inputs.begin(), real({N}));
  return sample(CtcAttrs{0}, inputs);
}
Samples samples_of(bool backward) {
  return {call(7, 2, 5, 3, 7, backward), call(6, 3, 4, 2, 2, backward), call(1, 1, 2, 1, 1, backward),
          call(2, 2, 3, 0, 1, backward), call(9, 2, 3, 4, 9, backward),  // repeats, for there are two labels
          call(3, 2, 6, 4, 1, backward),                                 // some do not fit
          call(4, 0, 3, 2, 1, backward)};
}

struct CtcLoss {
  static constexpr OpName name = "ctc_loss";
  static constexpr const char* doc =
      "y = -ln of the sum over paths that spell the targets of exp(sum over steps of log_probs)";
  using Attrs = CtcAttrs;
  static constexpr auto fields = std::tuple{field("blank", &Attrs::blank)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& log_probs, const TensorSpec& targets,
                     const TensorSpec& input_lengths, const TensorSpec& target_lengths) {
    return infer_losses(a, log_probs, targets, input_lengths, target_lengths);
  }
  static Tensor decompose(const Attrs& a, const Tensor& log_probs, const Tensor& targets,
                          const Tensor& input_lengths, const Tensor& target_lengths) {
    return Forward(a, log_probs, targets, input_lengths, target_lengths).losses();
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {ctc_loss_backward(c.grad(), c.in(0), c.in(1), c.in(2), c.in(3), a.blank), {}, {}, {}};
  }
  static Samples samples() {
    Samples all = samples_of(false);
    const Attrs a{0};
    const auto wrong = [&](Attrs attrs, Shape x, Shape targets, Shape lengths, const char* error) {
      all.push_back(
          bad(attrs, {real(x), index(targets, 1, 3), index(lengths, 1, 2), index(lengths, 0, 1)}, error));
    };
    wrong(a, {4, 3}, {3, 2}, {3}, "log_probs have shape [4, 3], expected [T, N, C] with T, C > 0");
    wrong({5}, {4, 3, 5}, {3, 2}, {3}, "blank is 5, expected a class in [0, 5)");
    wrong(a, {4, 3, 5}, {2, 2}, {3}, "targets have shape [2, 2], expected [3, 2]");
    wrong(a, {4, 3, 5}, {3, 2}, {2}, "input_lengths have shape [2], expected [3]");
    return all;
  }
};

struct CtcLossBackward {
  static constexpr OpName name = "ctc_loss_backward";
  static constexpr const char* doc =
      "y[t, n, c] = -g[n] (probability that a path of n is in label c at step t)";
  using Attrs = CtcAttrs;
  static constexpr auto fields = CtcLoss::fields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& log_probs,
                     const TensorSpec& targets, const TensorSpec& input_lengths,
                     const TensorSpec& target_lengths) {
    const TensorSpec losses = infer_losses(a, log_probs, targets, input_lengths, target_lengths)[0];
    check_same_shape("g", g, "the losses", losses);
    return {log_probs};
  }
  // The tape differentiates the forward algorithm, which is what the backward algorithm does.
  static Tensor decompose(const Attrs& a, const Tensor& g, const Tensor& log_probs, const Tensor& targets,
                          const Tensor& input_lengths, const Tensor& target_lengths) {
    const bool recording = grad_enabled();
    const GradMode on(true);
    const Tensor x = log_probs.requires_grad() ? log_probs : log_probs.detach().set_requires_grad();
    const Tensor losses = CtcLoss::decompose(a, x, targets, input_lengths, target_lengths);
    const Tensor dx = gradients({losses}, {x}, {cast(g, losses.dtype())}, {.create_graph = recording})[0];
    return recording ? dx : dx.detach();
  }
  static Samples samples() {
    Samples all = samples_of(true);
    all.push_back(bad(Attrs{0},
                      {real({2}), real({4, 3, 5}), index({3, 2}, 1, 3), index({3}, 1, 2), index({3}, 0, 1)},
                      "g has shape [2], the losses has shape [3]; expected the same"));
    return all;
  }
};

}  // namespace

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank, Reduction reduction, bool zero_infinity) {
  Tensor losses = dispatch<CtcLoss>({blank}, log_probs, targets, input_lengths, target_lengths);
  if (zero_infinity) losses = masked_fill(losses, isinf(losses), 0);
  if (reduction != Reduction::kMean) return reduced(losses, reduction);
  const Tensor one = ones({}, losses.dtype(), losses.device());
  return reduced(losses / maximum(cast(target_lengths, losses.dtype()), one), reduction);
}
Tensor ctc_loss_backward(const Tensor& g, const Tensor& log_probs, const Tensor& targets,
                         const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank) {
  return dispatch<CtcLossBackward>({blank}, g, log_probs, targets, input_lengths, target_lengths);
}

OpList ops_ctc_loss() { return {&op_info<CtcLoss>(), &op_info<CtcLossBackward>()}; }

}  // namespace suiren
