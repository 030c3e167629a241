#include "suiren/ops/lstm/lstm.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/steps.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Tensor derivative_of_sigmoid(const Tensor& y) { return y * (1.0 - y); }

struct Gates {
  Tensor i, f, g, o;
  Gates(const Tensor& a, int64_t H)
      : i(sigmoid(part(a, 0, H))),
        f(sigmoid(part(a, 1, H))),
        g(tanh(part(a, 2, H))),
        o(sigmoid(part(a, 3, H))) {}
};

void check_operands(const TensorSpec& p, const TensorSpec& h0, const TensorSpec& c0, const TensorSpec& w) {
  check_dtype(kFloating, "p", p);
  check_same_dtype("h0", h0, "p", p);
  check_same_dtype("c0", c0, "p", p);
  check_same_dtype("w_hh", w, "p", p);
  SR_CHECK_AS(kShape, w.rank() == 2 && w.dim(0) == 4 * w.dim(1) && w.dim(1) > 0,
              "w_hh has shape {}, expected [4 H, H]", w.shape);
  SR_CHECK_AS(kShape, p.rank() == 3 && p.dim(2) == w.dim(0),
              "p has shape {}, expected [B, T, {}] for w_hh {}", p.shape, w.dim(0), w.shape);
  SR_CHECK_AS(kShape, p.dim(1) > 0, "p has shape {}: there is no step", p.shape);
  const Shape state{p.dim(0), w.dim(1)};
  SR_CHECK_AS(kShape, h0.shape == state && c0.shape == state, "h0 has shape {} and c0 {}, expected {}",
              h0.shape, c0.shape, state);
}

TensorSpec states_spec(const TensorSpec& p) {
  return {p.dtype, {p.dim(0), p.dim(1), p.dim(2) / 4}, p.device};
}

std::vector<SampleInput> operands(int64_t B, int64_t T, int64_t H) {
  return {real({B, T, 4 * H}), real({B, H}), real({B, H}), real({4 * H, H}, -0.3, 0.3)};
}

struct Lstm {
  static constexpr OpName name = "lstm";
  static constexpr const char* doc =
      "i, f, g, o = gates of p_t + h w_hh^T: c_t = f c + i g, y_t = o tanh(c_t), for all steps t";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_outputs = 0b11;
  static Specs infer(const Attrs&, const TensorSpec& p, const TensorSpec& h0, const TensorSpec& c0,
                     const TensorSpec& w) {
    check_operands(p, h0, c0, w);
    return {states_spec(p), states_spec(p)};
  }
  static Tensors decompose(const Attrs&, const Tensor& p, const Tensor& h0, const Tensor& c0,
                           const Tensor& w) {
    const Tensor turned = transpose(widen(w));
    Tensor h = widen(h0), c = widen(c0);
    Tensors ys, cs;
    for (int64_t t = 0; t < p.dim(1); ++t) {
      const Gates gates(widen(step(p, t)) + matmul(h, turned), w.dim(1));
      c = gates.f * c + gates.i * gates.g;
      h = gates.o * tanh(c);
      ys.push_back(unsqueeze(h, 1));
      cs.push_back(unsqueeze(c, 1));
    }
    return {cast(concat(ys, 1), p.dtype()), cast(concat(cs, 1), p.dtype())};
  }
  static Grads vjp(const Attrs&, const Vjp& c);
  static Samples samples() {
    const Attrs a;
    return {sample(a, operands(2, 5, 3)),
            sample(a, operands(1, 1, 1)),
            sample(a, operands(3, 2, 17)),
            sample(a, operands(0, 2, 3)),
            bad(a, {real({2, 5, 12}), real({2, 3}), real({2, 3}), real({12, 4})},
                "w_hh has shape [12, 4], expected [4 H, H]"),
            bad(a, {real({2, 5, 9}), real({2, 3}), real({2, 3}), real({12, 3})},
                "p has shape [2, 5, 9], expected [B, T, 12] for w_hh [12, 3]"),
            bad(a, operands(2, 0, 3), "p has shape [2, 0, 12]: there is no step"),
            bad(a, {real({2, 5, 12}), real({2, 3}), real({3, 3}), real({12, 3})},
                "h0 has shape [2, 3] and c0 [3, 3], expected [2, 3]")};
  }
};

struct LstmBackward {
  static constexpr OpName name = "lstm_backward";
  static constexpr const char* doc =
      "dh = g_y + da_{t+1} w_hh, dc = g_c + f_{t+1} dc_{t+1} + dh o (1 - tanh(c)^2); dp_t = da_t from dh, dc";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs&, const TensorSpec& p, const TensorSpec& h0, const TensorSpec& c0,
                     const TensorSpec& w, const TensorSpec& y, const TensorSpec& c, const TensorSpec& g_y,
                     const TensorSpec& g_c) {
    check_operands(p, h0, c0, w);
    const TensorSpec states = states_spec(p);
    const char* const names[] = {"y", "c", "g_y", "g_c"};
    const TensorSpec* const given[] = {&y, &c, &g_y, &g_c};
    for (int i = 0; i < 4; ++i) {
      check_same_dtype(names[i], *given[i], "p", p);
      SR_CHECK_AS(kShape, given[i]->shape == states.shape, "{} has shape {}, expected {}", names[i],
                  given[i]->shape, states.shape);
    }
    return {p, h0, c0};
  }
  static Tensors decompose(const Attrs&, const Tensor& p, const Tensor& h0, const Tensor& c0, const Tensor& w,
                           const Tensor& y, const Tensor& c, const Tensor& g_y, const Tensor& g_c) {
    const int64_t H = w.dim(1);
    const Tensor weight = widen(w), before = widen(shifted(c0, c)), bent = tanh(widen(c));
    const Gates gates(widen(p) + matmul(widen(shifted(h0, y)), transpose(weight)), H);
    const Tensor gy = widen(g_y), gc = widen(g_c);
    Tensors das(static_cast<size_t>(p.dim(1)));
    Tensor dh, dc;
    for (int64_t t = p.dim(1) - 1; t >= 0; --t) {
      const Tensor i = step(gates.i, t), f = step(gates.f, t), g = step(gates.g, t), o = step(gates.o, t);
      const Tensor up = dh.defined() ? step(gy, t) + dh : step(gy, t), u = step(bent, t);
      const Tensor own = step(gc, t) + up * o * (1.0 - u * u), total = dc.defined() ? own + dc : own;
      const Tensor da =
          concat({total * g * derivative_of_sigmoid(i), total * step(before, t) * derivative_of_sigmoid(f),
                  total * i * (1.0 - g * g), up * u * derivative_of_sigmoid(o)},
                 1);
      das[static_cast<size_t>(t)] = unsqueeze(da, 1);
      dc = total * f;
      dh = matmul(da, weight);
    }
    return {cast(concat(das, 1), p.dtype()), cast(dh, p.dtype()), cast(dc, p.dtype())};
  }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](int64_t B, int64_t T, int64_t H) {
      std::vector<SampleInput> in = operands(B, T, H);
      for (int i = 0; i < 4; ++i) in.push_back(real({B, T, H}, -1, 1));
      return in;
    };
    std::vector<SampleInput> wrong = call(2, 5, 3);
    wrong[6] = real({2, 4, 3});
    return {sample(a, call(2, 5, 3)), sample(a, call(1, 1, 1)), sample(a, call(3, 2, 17)),
            sample(a, call(0, 2, 3)), bad(a, wrong, "g_y has shape [2, 4, 3], expected [2, 5, 3]")};
  }
};

Grads Lstm::vjp(const Attrs&, const Vjp& c) {
  const Tensor h0 = c.in(1), w = c.in(3), y = c.out(0);
  Grads grads = dispatch_all<LstmBackward>({}, c.in(0), h0, c.in(2), w, y, c.out(1), c.grad(0), c.grad(1));
  const int64_t rows = y.dim(0) * y.dim(1), H = w.dim(1);
  if (c.needs(3))
    grads.push_back(matmul(transpose(reshape(grads[0], {rows, 4 * H})), reshape(shifted(h0, y), {rows, H})));
  else
    grads.emplace_back();
  return grads;
}

}  // namespace

Tensors lstm_recurrence(const Tensor& p, const Tensor& h0, const Tensor& c0, const Tensor& w_hh) {
  return dispatch_all<Lstm>({}, p, h0, c0, w_hh);
}

Tensors lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh,
             const Tensor& b_ih, const Tensor& b_hh) {
  if (x.rank() == 2) {
    Tensors y = lstm(unsqueeze(x, 0), unsqueeze(h0, 0), unsqueeze(c0, 0), w_ih, w_hh, b_ih, b_hh);
    for (Tensor& t : y) t = squeeze(t, 0);
    return y;
  }
  const Tensor bias = b_ih.defined() && b_hh.defined() ? b_ih + b_hh : b_ih.defined() ? b_ih : b_hh;
  const Tensors states = lstm_recurrence(linear(x, w_ih, bias), h0, c0, w_hh);
  const int64_t last = states[0].dim(1) - 1;
  return {states[0], step(states[0], last), step(states[1], last)};
}

OpList ops_lstm() { return {&op_info<Lstm>(), &op_info<LstmBackward>()}; }

}  // namespace suiren
