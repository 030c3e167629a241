#include "suiren/ops/gru/gru.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/steps.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct Gates {
  Tensor r, z, n;
  Gates(const Tensor& p, const Tensor& q, int64_t H)
      : r(sigmoid(part(p, 0, H) + part(q, 0, H))),
        z(sigmoid(part(p, 1, H) + part(q, 1, H))),
        n(tanh(part(p, 2, H) + r * part(q, 2, H))) {}
};

void check_operands(const TensorSpec& p, const TensorSpec& h0, const TensorSpec& w, const TensorSpec& b) {
  check_dtype(kFloating, "p", p);
  check_same_dtype("h0", h0, "p", p);
  check_same_dtype("w_hh", w, "p", p);
  check_same_dtype("b_hh", b, "p", p);
  SR_CHECK_AS(kShape, w.rank() == 2 && w.dim(0) == 3 * w.dim(1) && w.dim(1) > 0,
              "w_hh has shape {}, expected [3 H, H]", w.shape);
  SR_CHECK_AS(kShape, b.shape == Shape{w.dim(0)}, "b_hh has shape {}, expected [{}] for w_hh {}", b.shape,
              w.dim(0), w.shape);
  SR_CHECK_AS(kShape, p.rank() == 3 && p.dim(2) == w.dim(0),
              "p has shape {}, expected [B, T, {}] for w_hh {}", p.shape, w.dim(0), w.shape);
  SR_CHECK_AS(kShape, p.dim(1) > 0, "p has shape {}: there is no step", p.shape);
  const Shape state{p.dim(0), w.dim(1)};
  SR_CHECK_AS(kShape, h0.shape == state, "h0 has shape {}, expected {}", h0.shape, state);
}

TensorSpec states_spec(const TensorSpec& p) {
  return {p.dtype, {p.dim(0), p.dim(1), p.dim(2) / 3}, p.device};
}

std::vector<SampleInput> operands(int64_t B, int64_t T, int64_t H) {
  return {real({B, T, 3 * H}), real({B, H}), real({3 * H, H}, -0.3, 0.3), real({3 * H})};
}

struct Gru {
  static constexpr OpName name = "gru";
  static constexpr const char* doc =
      "r, z, n = gates of p_t and h w_hh^T + b_hh: y_t = (1 - z) n + z y_{t-1}, for all steps t";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_outputs = 1;
  static Specs infer(const Attrs&, const TensorSpec& p, const TensorSpec& h0, const TensorSpec& w,
                     const TensorSpec& b) {
    check_operands(p, h0, w, b);
    return {states_spec(p)};
  }
  static Tensor decompose(const Attrs&, const Tensor& p, const Tensor& h0, const Tensor& w, const Tensor& b) {
    const Tensor turned = transpose(widen(w)), bias = widen(b);
    Tensor h = widen(h0);
    Tensors ys;
    for (int64_t t = 0; t < p.dim(1); ++t) {
      const Gates gates(widen(step(p, t)), matmul(h, turned) + bias, w.dim(1));
      h = gates.n + gates.z * (h - gates.n);
      ys.push_back(unsqueeze(h, 1));
    }
    return cast(concat(ys, 1), p.dtype());
  }
  static Grads vjp(const Attrs&, const Vjp& c);
  static Samples samples() {
    const Attrs a;
    return {sample(a, operands(2, 5, 3)),
            sample(a, operands(1, 1, 1)),
            sample(a, operands(4, 2, 17)),
            sample(a, operands(0, 2, 3)),
            bad(a, {real({2, 5, 9}), real({2, 3}), real({9, 4}), real({9})},
                "w_hh has shape [9, 4], expected [3 H, H]"),
            bad(a, {real({2, 5, 9}), real({2, 3}), real({9, 3}), real({3})},
                "b_hh has shape [3], expected [9] for w_hh [9, 3]"),
            bad(a, {real({2, 5, 8}), real({2, 3}), real({9, 3}), real({9})},
                "p has shape [2, 5, 8], expected [B, T, 9] for w_hh [9, 3]"),
            bad(a, operands(2, 0, 3), "p has shape [2, 0, 9]: there is no step"),
            bad(a, {real({2, 5, 9}), real({2, 4}), real({9, 3}), real({9})},
                "h0 has shape [2, 4], expected [2, 3]")};
  }
};

struct GruBackward {
  static constexpr OpName name = "gru_backward";
  static constexpr const char* doc =
      "dh = g + z dh_{t+1} + dq_{t+1} w_hh; dp_t, dq_t: gradients of p_t and of q_t = y_{t-1} w_hh^T + b_hh";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& p, const TensorSpec& h0, const TensorSpec& w,
                     const TensorSpec& b, const TensorSpec& y, const TensorSpec& g) {
    check_operands(p, h0, w, b);
    check_same_dtype("y", y, "p", p);
    check_same_dtype("g", g, "p", p);
    const Shape states = states_spec(p).shape;
    SR_CHECK_AS(kShape, y.shape == states && g.shape == states, "y has shape {} and g {}, expected {}",
                y.shape, g.shape, states);
    return {p, p, h0};
  }
  static Tensors decompose(const Attrs&, const Tensor& p, const Tensor& h0, const Tensor& w, const Tensor& b,
                           const Tensor& y, const Tensor& g) {
    const int64_t H = w.dim(1);
    const Tensor weight = widen(w), before = widen(shifted(h0, y));
    const Tensor q = matmul(before, transpose(weight)) + widen(b);
    const Gates gates(widen(p), q, H);
    const Tensor gy = widen(g), qn = part(q, 2, H);
    Tensors dps(static_cast<size_t>(p.dim(1))), dqs(dps.size());
    Tensor dh;
    for (int64_t t = p.dim(1) - 1; t >= 0; --t) {
      const Tensor r = step(gates.r, t), z = step(gates.z, t), n = step(gates.n, t);
      const Tensor up = dh.defined() ? step(gy, t) + dh : step(gy, t);
      const Tensor dn = up * (1.0 - z) * (1.0 - n * n);
      const Tensor dz = up * (step(before, t) - n) * z * (1.0 - z);
      const Tensor dr = dn * step(qn, t) * r * (1.0 - r);
      const Tensor dq = concat({dr, dz, dn * r}, 1);
      dps[static_cast<size_t>(t)] = unsqueeze(concat({dr, dz, dn}, 1), 1);
      dqs[static_cast<size_t>(t)] = unsqueeze(dq, 1);
      dh = up * z + matmul(dq, weight);
    }
    return {cast(concat(dps, 1), p.dtype()), cast(concat(dqs, 1), p.dtype()), cast(dh, p.dtype())};
  }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](int64_t B, int64_t T, int64_t H) {
      std::vector<SampleInput> in = operands(B, T, H);
      for (int i = 0; i < 2; ++i) in.push_back(real({B, T, H}, -1, 1));
      return in;
    };
    std::vector<SampleInput> wrong = call(2, 5, 3);
    wrong[5] = real({2, 4, 3});
    return {sample(a, call(2, 5, 3)), sample(a, call(1, 1, 1)), sample(a, call(4, 2, 17)),
            sample(a, call(0, 2, 3)),
            bad(a, wrong, "y has shape [2, 5, 3] and g [2, 4, 3], expected [2, 5, 3]")};
  }
};

Grads Gru::vjp(const Attrs&, const Vjp& c) {
  const Tensor h0 = c.in(1), w = c.in(2), y = c.out(0);
  const Tensors d = dispatch_all<GruBackward>({}, c.in(0), h0, w, c.in(3), y, c.grad());
  const int64_t rows = y.dim(0) * y.dim(1), H = w.dim(1);
  const Tensor dq = reshape(d[1], {rows, 3 * H});
  Tensor dw, db;
  if (c.needs(2)) dw = matmul(transpose(dq), reshape(shifted(h0, y), {rows, H}));
  if (c.needs(3)) db = sum(dq, {0});
  return {d[0], d[2], dw, db};
}

}  // namespace

Tensor gru_recurrence(const Tensor& p, const Tensor& h0, const Tensor& w_hh, const Tensor& b_hh) {
  return dispatch<Gru>({}, p, h0, w_hh, b_hh);
}

Tensors gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih,
            const Tensor& b_hh) {
  if (x.rank() == 2) {
    Tensors y = gru(unsqueeze(x, 0), unsqueeze(h0, 0), w_ih, w_hh, b_ih, b_hh);
    for (Tensor& t : y) t = squeeze(t, 0);
    return y;
  }
  const Tensor bias = b_hh.defined() ? b_hh : zeros({w_hh.dim(0)}, w_hh.dtype(), w_hh.device());
  const Tensor y = gru_recurrence(linear(x, w_ih, b_ih), h0, w_hh, bias);
  return {y, step(y, y.dim(1) - 1)};
}

OpList ops_gru() { return {&op_info<Gru>(), &op_info<GruBackward>()}; }

}  // namespace suiren
