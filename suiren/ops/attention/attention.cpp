#include "suiren/ops/attention/attention.h"

#include <limits>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/quantized_linear/quantized_linear.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct AttentionAttrs {
  double scale;
  bool causal = true;
  int64_t window = 0;
  double softcap = 0;
  bool mask = false, sinks = false;  // which of the last inputs are there
};
using A = AttentionAttrs;
constexpr auto kFields =
    std::tuple{field("scale", &A::scale),     field("causal", &A::causal), field("window", &A::window),
               field("softcap", &A::softcap), field("mask", &A::mask),     field("sinks", &A::sinks)};

// Queries grouped by the key head that they read: [B, T, H, D] -> [B, Hkv, G * T, D] with G = H / Hkv.
Tensor group_queries(const Tensor& q, int64_t kv_heads) {
  const int64_t B = q.dim(0), T = q.dim(1), H = q.dim(2), D = q.dim(3);
  return reshape(permute(widen(q), {0, 2, 1, 3}), {B, kv_heads, H / kv_heads * T, D});
}
Tensor ungroup_queries(const Tensor& x, const Shape& q) {
  return permute(reshape(x, {q[0], q[2], q[1], q[3]}), {0, 2, 1, 3});
}
// Keys or values as numbers to compute with.
Tensor numbers(const Tensor& x) { return x.dtype().is_block() ? dequantize_blocks(x) : x; }
// [B, S, Hkv, D] <-> [B, Hkv, S, D].
Tensor swap_heads(const Tensor& x) { return permute(x, {0, 2, 1, 3}); }

// What the softmax is of, -inf where a key is not visible, and where there is a soft cap the derivative of a
// score by its scaled product: [B, H, T, S].
struct Scores {
  Tensor value, slope;
};

Tensor visible_keys(const AttentionAttrs& a, int64_t T, int64_t S, const Device& device) {
  const Tensor i = reshape(arange(S - T, S, 1, kI64, device), {T, 1}), j = arange(0, S, 1, kI64, device);
  return a.window > 0 ? logical_and(le(j, i), gt(j, i - static_cast<double>(a.window))) : le(j, i);
}

Scores scores(const AttentionAttrs& a, const Tensor& grouped, const Tensor& keys, const Shape& q,
              const Tensor& mask) {
  const int64_t T = q[1], S = keys.dim(2);
  Scores y{reshape(matmul(grouped, transpose(keys)) * a.scale, {q[0], q[2], T, S}), {}};
  if (a.softcap > 0) {
    const Tensor u = tanh(y.value / a.softcap);
    y = {u * a.softcap, 1.0 - u * u};
  }
  if (mask.defined()) y.value = y.value + widen(mask);
  if (a.causal) {
    const double hidden = -std::numeric_limits<double>::infinity();
    y.value = where(visible_keys(a, T, S, keys.device()), y.value,
                    full({}, hidden, y.value.dtype(), keys.device()));
  }
  return y;
}

// The inputs after the first `given`: none, the mask, the sinks or both. T: Tensor or const TensorSpec*.
template <class T>
struct Extras {
  T mask = {}, sinks = {};
};
Extras<Tensor> extras(const AttentionAttrs& a, std::span<const Tensor> in, size_t given) {
  Extras<Tensor> e;
  if (a.mask) e.mask = in[given++];
  if (a.sinks) e.sinks = in[given];
  return e;
}

void check_operands(const AttentionAttrs& a, const TensorSpec& q, const TensorSpec& k, const TensorSpec& v) {
  check_dtype(kFloating, "q", q);
  const bool stored = q.dtype == kF32 && (k.dtype == kF16 || k.dtype == kBF16 || k.dtype == kQ8_0);
  SR_CHECK_AS(
      kShape, stored || !k.dtype.is_block(),
      "k is {} beside q in {}: blocks are read as q8_0 beside f32 alone; take dequantize_blocks() of k and v",
      k.dtype, q.dtype);
  if (!stored) check_same_dtype("k", k, "q", q);
  check_same_dtype("v", v, "k", k);
  SR_CHECK_AS(kShape, q.rank() == 4 && k.rank() == 4, "q has shape {} and k {}: expected 4 dimensions",
              q.shape, k.shape);
  check_same_shape("v", v, "k", k);
  SR_CHECK_AS(kShape, q.dim(0) == k.dim(0) && q.dim(3) == k.dim(3),
              "q has shape {} and k {}: expected [B, T, H, D] and [B, S, Hkv, D]", q.shape, k.shape);
  SR_CHECK_AS(kShape, k.dim(2) > 0 && q.dim(2) % k.dim(2) == 0,
              "q has {} heads and k {}: the heads of k must divide those of q", q.dim(2), k.dim(2));
  SR_CHECK_AS(kShape, k.dim(1) > 0, "k has shape {}: there is no position to attend to", k.shape);
  SR_CHECK_AS(kShape, !a.causal || k.dim(1) >= q.dim(1),
              "q has {} positions and k {}: causal attention needs at least as many keys as queries",
              q.dim(1), k.dim(1));
  SR_CHECK(a.window >= 0 && (a.causal || a.window == 0),
           "window is {}: expected 0 for none, or with causal attention the number of keys that a query sees",
           a.window);
  SR_CHECK(a.softcap >= 0, "softcap is {}: expected 0 for none, or more", a.softcap);
}

// Checks all inputs, q k v and what follows the first `given`. Returns the specs of the mask and the sinks.
Extras<const TensorSpec*> check_inputs(const AttentionAttrs& a, std::span<const TensorSpec> in,
                                       size_t given) {
  const size_t expected = given + size_t{a.mask} + size_t{a.sinks};
  SR_CHECK_AS(kShape, in.size() == expected, "got {} inputs, expected {}", in.size(), expected);
  const TensorSpec& q = in[0];
  check_operands(a, q, in[1], in[2]);
  Extras<const TensorSpec*> e;
  if (a.mask) {
    e.mask = &in[given++];
    check_same_dtype("mask", *e.mask, "q", q);
    const Shape all{q.dim(0), q.dim(2), q.dim(1), in[1].dim(1)};
    bool fits = e.mask->rank() <= 4;
    for (int d = 1; fits && d <= e.mask->rank(); ++d)
      fits = e.mask->dim(-d) == 1 || e.mask->dim(-d) == all.dim(-d);
    SR_CHECK_AS(kShape, fits, "mask has shape {}, which does not broadcast to [B, H, T, S] = {}",
                e.mask->shape, all);
  }
  if (a.sinks) {
    e.sinks = &in[given];
    check_same_dtype("sinks", *e.sinks, "q", q);
    SR_CHECK_AS(kShape, e.sinks->shape == Shape{q.dim(2)},
                "sinks has shape {}, expected one for each of {} heads", e.sinks->shape, q.dim(2));
  }
  return e;
}

TensorSpec lse_spec(const TensorSpec& q) {
  return {accumulator(q.dtype), {q.dim(0), q.dim(2), q.dim(1)}, q.device};
}

// A sample's options beside scale and causal.
struct With {
  int64_t window = 0;
  double softcap = 0;
  Shape mask = {};
  bool masked = false, sinks = false;
};
AttentionAttrs attributes(double scale, bool causal, const With& w) {
  return {scale, causal, w.window, w.softcap, w.masked, w.sinks};
}
void add_extras(std::vector<SampleInput>& inputs, const With& w, int64_t heads) {
  if (w.masked) inputs.push_back(real(w.mask));
  if (w.sinks) inputs.push_back(real({heads}));
}

// One call for each way that the options meet in a kernel; f takes causal, q, k and the options.
template <class F>
Samples calls(F call) {
  return {call(true, {2, 3, 2, 4}, {2, 3, 2, 4}, {}),
          call(false, {2, 3, 2, 4}, {2, 5, 2, 4}, {}),
          call(false, {1, 5, 4, 3}, {1, 3, 2, 3}, {}),
          call(true, {1, 2, 4, 6}, {1, 5, 2, 6}, {}),  // grouped heads, keys from a cache
          call(true, {1, 1, 3, 8}, {1, 7, 1, 8}, {}),  // one new token
          call(true, {1, 1, 1, 1}, {1, 1, 1, 1}, {}),
          call(true, {1, 9, 2, 5}, {1, 9, 1, 5}, {}),
          call(true, {0, 3, 2, 4}, {0, 3, 2, 4}, {}),
          call(true, {2, 0, 2, 4}, {2, 3, 2, 4}, {}),
          call(true, {1, 9, 2, 5}, {1, 9, 1, 5}, {.window = 3}),
          call(true, {1, 2, 2, 3}, {1, 7, 2, 3}, {.window = 2}),  // keys that no query sees
          call(true, {1, 5, 2, 3}, {1, 5, 2, 3}, {.softcap = 0.7}),
          call(true, {2, 3, 2, 4}, {2, 5, 1, 4}, {.mask = {3, 5}, .masked = true}),
          call(false, {2, 3, 4, 2}, {2, 5, 2, 2}, {.mask = {2, 1, 3, 1}, .masked = true}),
          call(false, {1, 3, 2, 4}, {1, 2, 2, 4}, {.mask = {2, 1, 2}, .masked = true}),
          call(true, {2, 3, 4, 2}, {2, 5, 2, 2}, {.sinks = true}),
          call(true, {1, 0, 2, 3}, {1, 2, 2, 3}, {.sinks = true}),
          call(true, {1, 4, 2, 3}, {1, 6, 1, 3},
               {.window = 3, .softcap = 2, .mask = {2, 4, 6}, .masked = true, .sinks = true})};
}

struct Attention {
  static constexpr OpName name = "attention";
  static constexpr const char* doc =
      "s = cap(scale q k^T) + mask: out = exp(s - lse) v, lse = log(sum exp(s) + exp(sink)), causal, window";
  using Attrs = AttentionAttrs;
  static constexpr auto fields = kFields;
  static constexpr DTypes dtypes = kFloating.and_blocks();
  static constexpr uint32_t saved_outputs = 0b11;
  static Specs infer(const Attrs& a, std::span<const TensorSpec> in) {
    check_inputs(a, in, 3);
    return {in[0], lse_spec(in[0])};
  }
  static Tensors decompose(const Attrs& a, std::span<const Tensor> in) {
    const Tensor &q = in[0], &k = in[1];
    const int64_t B = q.dim(0), T = q.dim(1), H = q.dim(2), kv_heads = k.dim(2);
    const Tensor grouped = group_queries(q, kv_heads), keys = swap_heads(widen(numbers(k))),
                 values = swap_heads(widen(numbers(in[2])));
    const auto [mask, sinks] = extras(a, in, 3);
    const Tensor s = scores(a, grouped, keys, q.shape(), mask).value;
    const Tensor all =
        sinks.defined() ? concat({s, broadcast_to(reshape(widen(sinks), {1, H, 1, 1}), {B, H, T, 1})}, 3) : s;
    const Tensor lse = logsumexp(all, -1, true);  // [B, H, T, 1]
    const Tensor p = reshape(exp(s - lse), {B, kv_heads, grouped.dim(2), k.dim(1)});
    return {cast(ungroup_queries(matmul(p, values), q.shape()), q.dtype()), squeeze(lse, -1)};
  }
  static Grads vjp(const Attrs& a, const Vjp& c);
  static Samples samples() {
    // exp turns the rounding of a score, which grows with the score, into a relative error of its weight.
    Samples list = calls([](bool causal, Shape q, Shape k, const With& w) {
      std::vector<SampleInput> inputs{real(q), real(k), real(k)};
      add_extras(inputs, w, q[2]);
      Sample s = sample(attributes(0.2, causal, w), inputs);
      s.loosen = 4;
      return s;
    });
    const auto over_blocks = [&](bool causal, Shape q, Shape k, const With& w) {
      std::vector<SampleInput> inputs{real(q), in_blocks(kQ8_0, k), in_blocks(kQ8_0, k)};
      add_extras(inputs, w, q[2]);
      Sample s = sample(attributes(0.05, causal, w), inputs);
      s.loosen = 4, s.only_dtype = kF32.id();
      list.push_back(s);
    };
    over_blocks(true, {2, 3, 4, 32}, {2, 5, 2, 32}, {});
    over_blocks(true, {1, 1, 3, 64}, {1, 7, 1, 64}, {});
    over_blocks(false, {1, 3, 2, 32}, {1, 4, 2, 32}, {.softcap = 2, .mask = {3, 4}, .masked = true});
    over_blocks(true, {1, 4, 2, 96}, {1, 6, 1, 96}, {.window = 3, .sinks = true});
    list.push_back(
        bad(attributes(0.2, true, {}),
            {real({1, 3, 2, 32}), in_blocks(kQ4_0, {1, 3, 2, 32}), in_blocks(kQ4_0, {1, 3, 2, 32})},
            "blocks are read as q8_0 beside f32 alone; take dequantize_blocks() of k and v"));
    const auto refuse = [&](bool causal, Shape q, Shape k, Shape v, const With& w, const char* error) {
      std::vector<SampleInput> inputs{real(q), real(k), real(v)};
      add_extras(inputs, w, 3);
      list.push_back(bad(attributes(0.2, causal, w), inputs, error));
    };
    refuse(true, {1, 3, 3, 4}, {1, 3, 2, 4}, {1, 3, 2, 4}, {},
           "q has 3 heads and k 2: the heads of k must divide those of q");
    refuse(true, {1, 3, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4}, {},
           "q has 3 positions and k 2: causal attention needs at least as many keys as queries");
    refuse(false, {1, 3, 2, 4}, {1, 0, 2, 4}, {1, 0, 2, 4}, {},
           "k has shape [1, 0, 2, 4]: there is no position to attend to");
    refuse(true, {1, 3, 2, 4}, {1, 3, 2, 5}, {1, 3, 2, 5}, {},
           "q has shape [1, 3, 2, 4] and k [1, 3, 2, 5]: expected [B, T, H, D] and [B, S, Hkv, D]");
    refuse(true, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 4, 2, 4}, {},
           "v has shape [1, 4, 2, 4], k has shape [1, 3, 2, 4]; expected the same");
    refuse(false, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 3, 2, 4}, {.window = 2},
           "window is 2: expected 0 for none, or with causal attention");
    refuse(true, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 3, 2, 4}, {.softcap = -1}, "softcap is -1: expected 0");
    refuse(true, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 3, 2, 4}, {.mask = {2, 3}, .masked = true},
           "mask has shape [2, 3], which does not broadcast to [B, H, T, S] = [1, 2, 3, 3]");
    refuse(true, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 3, 2, 4}, {.sinks = true},
           "sinks has shape [3], expected one for each of 2 heads");
    list.push_back(bad(Attrs{0.2, true, 0, 0, true},
                       {real({1, 3, 2, 4}), real({1, 3, 2, 4}), real({1, 3, 2, 4})},
                       "got 3 inputs, expected 4"));
    return list;
  }
};

struct BackwardAttrs : AttentionAttrs {
  bool mask_gradient = false;
};
template <class T>
constexpr Field<BackwardAttrs, T> of_base(const char* name, T AttentionAttrs::*member) {
  return {name, member};
}

struct AttentionBackward {
  static constexpr OpName name = "attention_backward";
  static constexpr const char* doc =
      "p = exp(score - lse): dv = p^T g, ds = p (g v^T - rowsum(g out) + g_lse) cap' scale, dq = ds k, dk = "
      "ds^T q";
  using Attrs = BackwardAttrs;
  static constexpr auto fields = std::tuple{of_base("scale", &A::scale),
                                            of_base("causal", &A::causal),
                                            of_base("window", &A::window),
                                            of_base("softcap", &A::softcap),
                                            of_base("mask", &A::mask),
                                            of_base("sinks", &A::sinks),
                                            field("mask_gradient", &Attrs::mask_gradient)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, std::span<const TensorSpec> in) {
    const auto [mask, sinks] = check_inputs(a, in, 7);
    const TensorSpec &q = in[0], &out = in[3], &lse = in[4], &g = in[5], &g_lse = in[6];
    check_same_dtype("out", out, "q", q);
    check_same_shape("out", out, "q", q);
    check_same_dtype("g", g, "q", q);
    check_same_shape("g", g, "q", q);
    const Shape rows = lse_spec(q).shape;
    SR_CHECK_AS(kShape, lse.shape == rows && g_lse.shape == rows,
                "lse has shape {} and its gradient {}, expected {}", lse.shape, g_lse.shape, rows);
    SR_CHECK(a.mask || !a.mask_gradient, "there is no mask to have a gradient");
    Specs specs{q, in[1], in[2]};
    if (a.mask_gradient) specs.push_back(*mask);
    if (a.sinks) specs.push_back(*sinks);
    return specs;
  }
  static Tensors decompose(const Attrs& a, std::span<const Tensor> in) {
    const Tensor &q = in[0], &k = in[1], &out = in[3], &lse = in[4], &g = in[5], &g_lse = in[6];
    const int64_t B = q.dim(0), T = q.dim(1), H = q.dim(2), Hkv = k.dim(2), S = k.dim(1);
    const Tensor grouped = group_queries(q, Hkv), keys = swap_heads(widen(k)),
                 values = swap_heads(widen(in[2]));
    const Tensor up = group_queries(g, Hkv);  // [B, Hkv, G * T, D]
    const Shape by_group{B, Hkv, grouped.dim(2), S}, by_head{B, H, T, S}, row{B, Hkv, grouped.dim(2), 1};
    const auto [mask, sinks] = extras(a, in, 7);
    const Scores s = scores(a, grouped, keys, q.shape(), mask);
    const Tensor p = reshape(exp(s.value - unsqueeze(widen(lse), -1)), by_group);
    const Tensor dp = matmul(up, transpose(values));
    const Tensor delta = sum(up * group_queries(out, Hkv), {-1}, true) - reshape(widen(g_lse), row);
    const Tensor d_score = p * (dp - delta);
    const Tensor ds = (s.slope.defined() ? d_score * reshape(s.slope, by_group) : d_score) * a.scale;
    Tensors grads{cast(ungroup_queries(matmul(ds, keys), q.shape()), q.dtype()),
                  cast(swap_heads(matmul(transpose(ds), grouped)), k.dtype()),
                  cast(swap_heads(matmul(transpose(p), up)), k.dtype())};
    if (a.mask_gradient) grads.push_back(cast(sum_to(reshape(d_score, by_head), mask.shape()), mask.dtype()));
    if (a.sinks) {
      const Tensor weight = exp(reshape(widen(sinks), {H, 1}) - widen(lse));  // [B, H, T]
      grads.push_back(cast(sum(weight * reshape(delta, {B, H, T}), {0, 2}) * -1.0, sinks.dtype()));
    }
    return grads;
  }
  // out and lse are inputs like any other here, so lse is kept above the scores: p stays a probability's
  // size.
  static Samples samples() {
    Samples list = calls([](bool causal, Shape q, Shape k, const With& w) {
      const Shape rows{q[0], q[2], q[1]};
      std::vector<SampleInput> inputs{
          real(q, -0.5, 0.5), real(k, -0.5, 0.5), real(k), real(q), real(rows, 3, 5), real(q), real(rows)};
      add_extras(inputs, w, q[2]);
      return sample(Attrs{attributes(0.1, causal, w), w.masked}, inputs);
    });
    const auto heads = [] { return real({1, 3, 2, 4}); };
    const std::vector<SampleInput> inputs{heads(),         heads(), heads(),        heads(),
                                          real({1, 3, 2}), heads(), real({1, 2, 3})};
    list.push_back(
        bad(Attrs{{0.1}}, inputs, "lse has shape [1, 3, 2] and its gradient [1, 2, 3], expected [1, 2, 3]"));
    std::vector<SampleInput> good = inputs;
    good[4] = real({1, 2, 3});
    list.push_back(bad(Attrs{{0.1}, true}, good, "there is no mask to have a gradient"));
    return list;
  }
};

Grads Attention::vjp(const Attrs& a, const Vjp& c) {
  Tensors in{c.in(0), numbers(c.in(1)), numbers(c.in(2)), c.out(0), c.out(1), c.grad(0), c.grad(1)};
  for (int i = 3; i < c.inputs(); ++i) in.push_back(c.in(i));
  const AttentionBackward::Attrs back{a, a.mask && c.needs(3)};
  Grads grads = run_op(op_info<AttentionBackward>(), &back, in);
  if (a.mask && !back.mask_gradient) grads.insert(grads.begin() + 3, Tensor());
  if (c.in_spec(1).dtype.is_block()) grads[1] = grads[2] = Tensor();  // blocks are no variables
  return grads;
}

AttentionAttrs attributes(const AttentionOptions& o) {
  return {o.scale, o.causal, o.window, o.softcap, o.mask.defined(), o.sinks.defined()};
}
void add_extras(Tensors& inputs, const AttentionOptions& o) {
  if (o.mask.defined()) inputs.push_back(o.mask);
  if (o.sinks.defined()) inputs.push_back(o.sinks);
}

}  // namespace

Tensors attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  const AttentionAttrs a = attributes(options);
  Tensors in{q, k, v};
  add_extras(in, options);
  return run_op(op_info<Attention>(), &a, in);
}
Tensors attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale, bool causal) {
  return attention(q, k, v, AttentionOptions{scale, causal});
}

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options) {
  return attention(q, k, v, options)[0];
}
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    bool causal) {
  return attention(q, k, v, scale, causal)[0];
}

Tensors attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                           const Tensor& lse, const Tensor& g, const Tensor& g_lse,
                           const AttentionOptions& options) {
  const AttentionBackward::Attrs a{attributes(options), options.mask.defined()};
  Tensors in{q, k, v, out, lse, g, g_lse};
  add_extras(in, options);
  return run_op(op_info<AttentionBackward>(), &a, in);
}
Tensors attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                           const Tensor& lse, const Tensor& g, const Tensor& g_lse, double scale,
                           bool causal) {
  return attention_backward(q, k, v, out, lse, g, g_lse, AttentionOptions{scale, causal});
}

OpList ops_attention() { return {&op_info<Attention>(), &op_info<AttentionBackward>()}; }

}  // namespace suiren
