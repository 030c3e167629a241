#include "suiren/ops/class_loss/class_loss.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/cross_entropy/cross_entropy.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

// Inputs x [N, C], targets [N] and perhaps weight [C]; outputs loss [N] and the weight of each target [N].
Specs infer_rows(std::span<const TensorSpec> in) {
  SR_CHECK_AS(kShape, in.size() == 2 || in.size() == 3, "{} inputs are given, expected x, targets[, weight]",
              in.size());
  const TensorSpec &x = in[0], &targets = in[1];
  check_dtype(kFloating, "x", x);
  SR_CHECK_AS(kShape, targets.dtype == kI32 || targets.dtype == kI64, "targets are {}, expected i32 or i64",
              targets.dtype);
  SR_CHECK_AS(kShape, x.rank() == 2 && x.dim(1) > 0, "x has shape {}, expected [N, C] with C > 0", x.shape);
  SR_CHECK_AS(kShape, targets.shape == Shape{x.dim(0)}, "targets have shape {}, expected [{}]", targets.shape,
              x.dim(0));
  if (in.size() == 3) {
    check_same_dtype("x", x, "weight", in[2]);
    SR_CHECK_AS(kShape, in[2].shape == Shape{x.dim(1)},
                "weight has shape {}, expected [{}]: one for each class", in[2].shape, x.dim(1));
  }
  const TensorSpec row{accumulator(x.dtype), {x.dim(0)}, x.device};
  return {row, row};
}

// What counts of the targets.
struct Rows {
  Tensor target;   // i64, 0 where ignored
  Tensor counted;  // bool: not ignored
  Tensor weight;   // of each target, 0 where ignored
  Tensor zero;

  Rows(std::span<const Tensor> in, int64_t ignore_index) {
    const Tensor given = cast(in[1], kI64);
    const DType wide = accumulator(in[0].dtype());
    const auto index = [&](int64_t i) { return full({}, static_cast<double>(i), kI64, given.device()); };
    counted = ne(given, index(ignore_index));
    target = where(counted, given, index(0));
    zero = zeros({}, wide, given.device());
    weight =
        in.size() == 3 ? where(counted, index_select(widen(in[2]), 0, target), zero) : cast(counted, wide);
  }
};

struct NllAttrs {
  int64_t ignore_index;
};
struct NllLoss {
  static constexpr OpName name = "nll_loss";
  static constexpr const char* doc =
      "loss[i] = -w[t] x[i, t] for t = targets[i], and the w[t]; both 0 where t is ignore_index";
  using Attrs = NllAttrs;
  static constexpr auto fields = std::tuple{field("ignore_index", &Attrs::ignore_index)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, std::span<const TensorSpec> in) { return infer_rows(in); }
  static Tensors decompose(const Attrs& a, std::span<const Tensor> in) {
    const Rows rows(in, a.ignore_index);
    const Tensor picked = squeeze(gather(in[0], 1, unsqueeze(rows.target, 1)), 1);
    return {where(rows.counted, widen(picked) * rows.weight * -1.0, rows.zero), rows.weight};
  }
  static Samples samples() {
    const Attrs a{2};
    return {sample(a, {real({4, 7}), index({4}, 0, 7)}),
            sample(a, {real({4, 7}), index({4}, 0, 7), real({7}, 0.5, 2)}),
            sample(Attrs{-100}, {real({1, 1}), index({1}, 0, 1)}),
            sample(a, {real({37, 3}), index({37}, 0, 3), real({3}, 0.5, 2)}),
            sample(a, {real({0, 5}), index({0}, 0, 5)}),
            bad(a, {real({4, 7})}, "1 inputs are given, expected x, targets[, weight]"),
            bad(a, {real({4, 7}), index({3}, 0, 7)}, "targets have shape [3], expected [4]"),
            bad(a, {real({4, 0}), index({4}, 0, 1)}, "x has shape [4, 0], expected [N, C] with C > 0"),
            bad(a, {real({4, 7}), index({4}, 0, 7), real({4})}, "weight has shape [4], expected [7]"),
            bad(a, {real({4, 7}), boolean({4})}, "targets are bool, expected i32 or i64")};
  }
};

struct CrossEntropyLossAttrs {
  int64_t ignore_index;
  double label_smoothing;
};
struct CrossEntropyLoss {
  static constexpr OpName name = "cross_entropy_loss";
  static constexpr const char* doc =
      "p = log_softmax(x): loss[i] = -(1 - s) w[t] p[i, t] - s / C sum_c w[c] p[i, c], and the w[t]; both 0 "
      "where "
      "t = targets[i] is ignore_index";
  using Attrs = CrossEntropyLossAttrs;
  static constexpr auto fields = std::tuple{field("ignore_index", &Attrs::ignore_index),
                                            field("label_smoothing", &Attrs::label_smoothing)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, std::span<const TensorSpec> in) {
    SR_CHECK(a.label_smoothing >= 0 && a.label_smoothing <= 1, "label_smoothing is {}, expected 0 to 1",
             a.label_smoothing);
    return infer_rows(in);
  }
  // sum_c w[c] p[c] = sum_c w[c] x[c] - lse sum_c w[c]: the logits are read twice, and nothing of their size
  // is written.
  static Tensors decompose(const Attrs& a, std::span<const Tensor> in) {
    const Rows rows(in, a.ignore_index);
    const Tensors plain = cross_entropy_with_lse(in[0], rows.target);
    Tensor loss = plain[0] * rows.weight;
    if (a.label_smoothing > 0) {
      const Tensor x = widen(in[0]);
      const auto classes = static_cast<double>(in[0].dim(1));
      const Tensor spread = in.size() == 3 ? plain[1] * sum(widen(in[2])) - sum(x * widen(in[2]), {1})
                                           : plain[1] * classes - sum(x, {1});
      loss = loss * (1 - a.label_smoothing) + spread * (a.label_smoothing / classes);
    }
    return {where(rows.counted, loss, rows.zero), rows.weight};
  }
  static Samples samples() {
    const Attrs a{2, 0.1};
    return {sample(a, {real({4, 7}), index({4}, 0, 7)}),
            sample(a, {real({4, 7}), index({4}, 0, 7), real({7}, 0.5, 2)}),
            sample(Attrs{2, 0}, {real({4, 7}), index({4}, 0, 7), real({7}, 0.5, 2)}),
            sample(Attrs{-100, 0}, {real({1, 1}), index({1}, 0, 1)}),
            sample(Attrs{0, 1}, {real({37, 3}), index({37}, 0, 3)}),
            sample(a, {real({0, 5}), index({0}, 0, 5)}),
            bad(Attrs{0, 1.5}, {real({4, 7}), index({4}, 0, 7)}, "label_smoothing is 1.5, expected 0 to 1"),
            bad(a, {real({4, 7}), index({3}, 0, 7)}, "targets have shape [3], expected [4]"),
            bad(a, {real({4, 7}), index({4}, 0, 7), real({4})}, "weight has shape [4], expected [7]")};
  }
};

// x [N, C, ...] as [N ..., C].
Tensor classes_last(const Tensor& x) {
  SR_CHECK_AS(kShape, x.rank() >= 2, "x has shape {}, expected [N, C] or [N, C, ...]", x.shape());
  if (x.rank() == 2) return x;
  Dims order{0};
  for (int d = 2; d < x.rank(); ++d) order.push_back(d);
  order.push_back(1);
  return reshape(permute(x, order), {x.numel() / x.dim(1), x.dim(1)});
}

// Losses {loss, weight} of rows in the shape of targets, reduced.
Tensor finished(const Tensors& rows, const Tensor& targets, Reduction reduction) {
  if (reduction == Reduction::kNone) return reshape(rows[0], targets.shape());
  return reduction == Reduction::kSum ? sum(rows[0]) : sum(rows[0]) / sum(rows[1]);
}

template <class Op>
Tensor class_loss(const typename Op::Attrs& attrs, const Tensor& x, const Tensor& targets,
                  const ClassLossOptions& options) {
  const Tensor rows = classes_last(x), flat = reshape(targets, {targets.numel()});
  return finished(options.weight.defined() ? dispatch_all<Op>(attrs, rows, flat, options.weight)
                                           : dispatch_all<Op>(attrs, rows, flat),
                  targets, options.reduction);
}

}  // namespace

Tensor nll_loss(const Tensor& log_probs, const Tensor& targets, const ClassLossOptions& options) {
  return class_loss<NllLoss>({options.ignore_index}, log_probs, targets, options);
}
Tensor cross_entropy_loss(const Tensor& logits, const Tensor& targets, const ClassLossOptions& options) {
  return class_loss<CrossEntropyLoss>({options.ignore_index, options.label_smoothing}, logits, targets,
                                      options);
}

OpList ops_class_loss() { return {&op_info<NllLoss>(), &op_info<CrossEntropyLoss>()}; }

}  // namespace suiren
