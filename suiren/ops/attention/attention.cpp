#include "suiren/ops/attention/attention.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/softmax/softmax.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

struct AttentionAttrs {
  double scale;
  bool causal;
};
constexpr auto kFields =
    std::tuple{field("scale", &AttentionAttrs::scale), field("causal", &AttentionAttrs::causal)};

Tensor widen(const Tensor& x) { return cast(x, accumulator(x.dtype())); }

// Queries grouped by the key head that they read: [B, T, H, D] -> [B, Hkv, G * T, D] with G = H / Hkv.
Tensor group_queries(const Tensor& q, int64_t kv_heads) {
  const int64_t B = q.dim(0), T = q.dim(1), H = q.dim(2), D = q.dim(3);
  return reshape(permute(widen(q), {0, 2, 1, 3}), {B, kv_heads, H / kv_heads * T, D});
}
Tensor ungroup_queries(const Tensor& x, const Shape& q) {
  return permute(reshape(x, {q[0], q[2], q[1], q[3]}), {0, 2, 1, 3});
}
// [B, S, Hkv, D] <-> [B, Hkv, S, D].
Tensor swap_heads(const Tensor& x) { return permute(x, {0, 2, 1, 3}); }

// Scaled scores of grouped queries, a large negative where a key is not visible: [B, H, T, S].
Tensor scores(const AttentionAttrs& a, const Tensor& grouped, const Tensor& keys, const Shape& q) {
  const int64_t T = q[1], S = keys.dim(2);
  const Tensor s = reshape(matmul(grouped, transpose(keys)) * a.scale, {q[0], q[2], T, S});
  if (!a.causal) return s;
  const Tensor i = reshape(arange(S - T, S, 1, kI64, s.device()), {T, 1}),
               j = arange(0, S, 1, kI64, s.device());
  return where(le(j, i), s, full({}, -1e30, s.dtype(), s.device()));
}

void check_operands(const AttentionAttrs& a, const TensorSpec& q, const TensorSpec& k, const TensorSpec& v) {
  check_dtype(kFloating, "q", q);
  check_same_dtype("k", k, "q", q);
  check_same_dtype("v", v, "q", q);
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
}

TensorSpec lse_spec(const TensorSpec& q) {
  return {accumulator(q.dtype), {q.dim(0), q.dim(2), q.dim(1)}, q.device};
}

SampleInput queries(int64_t B, int64_t T, int64_t H, int64_t D) { return real({B, T, H, D}); }

struct Attention {
  static constexpr OpName name = "attention";
  static constexpr const char* doc = "out = softmax(scale q k^T, causal) v, lse = logsumexp of the scores";
  using Attrs = AttentionAttrs;
  static constexpr auto fields = kFields;
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_outputs = 0b11;
  static Specs infer(const Attrs& a, const TensorSpec& q, const TensorSpec& k, const TensorSpec& v) {
    check_operands(a, q, k, v);
    return {q, lse_spec(q)};
  }
  static Tensors decompose(const Attrs& a, const Tensor& q, const Tensor& k, const Tensor& v) {
    const int64_t kv_heads = k.dim(2);
    const Tensor grouped = group_queries(q, kv_heads), keys = swap_heads(widen(k)),
                 values = swap_heads(widen(v));
    const Tensor s = scores(a, grouped, keys, q.shape());
    const Tensor lse = logsumexp(s, -1, true);  // [B, H, T, 1]
    const Tensor p = reshape(exp(s - lse), {q.dim(0), kv_heads, grouped.dim(2), k.dim(1)});
    return {cast(ungroup_queries(matmul(p, values), q.shape()), q.dtype()), squeeze(lse, -1)};
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return attention_backward(c.in(0), c.in(1), c.in(2), c.out(0), c.out(1), c.grad(0), c.grad(1), a.scale,
                              a.causal);
  }
  static Samples samples() {
    // exp turns the rounding of a score, which grows with the score, into a relative error of its weight.
    const auto call = [](bool causal, Shape q, Shape k) {
      Sample s = sample(Attrs{0.2, causal}, {real(q), real(k), real(k)});
      s.loosen = 4;
      return s;
    };
    const auto refuse = [](bool causal, Shape q, Shape k, Shape v, const char* error) {
      return bad(Attrs{0.2, causal}, {real(q), real(k), real(v)}, error);
    };
    return {call(true, {2, 3, 2, 4}, {2, 3, 2, 4}),
            call(false, {2, 3, 2, 4}, {2, 5, 2, 4}),
            call(true, {1, 2, 4, 6}, {1, 5, 2, 6}),  // grouped heads, keys from a cache
            call(true, {1, 1, 3, 8}, {1, 7, 1, 8}),  // one new token
            call(true, {1, 1, 1, 1}, {1, 1, 1, 1}),
            call(true, {1, 9, 2, 5}, {1, 9, 1, 5}),
            call(true, {0, 3, 2, 4}, {0, 3, 2, 4}),
            call(true, {2, 0, 2, 4}, {2, 3, 2, 4}),
            refuse(true, {1, 3, 3, 4}, {1, 3, 2, 4}, {1, 3, 2, 4},
                   "q has 3 heads and k 2: the heads of k must divide those of q"),
            refuse(true, {1, 3, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4},
                   "q has 3 positions and k 2: causal attention needs at least as many keys as queries"),
            refuse(false, {1, 3, 2, 4}, {1, 0, 2, 4}, {1, 0, 2, 4},
                   "k has shape [1, 0, 2, 4]: there is no position to attend to"),
            refuse(true, {1, 3, 2, 4}, {1, 3, 2, 5}, {1, 3, 2, 5},
                   "q has shape [1, 3, 2, 4] and k [1, 3, 2, 5]: expected [B, T, H, D] and [B, S, Hkv, D]"),
            refuse(true, {1, 3, 2, 4}, {1, 3, 2, 4}, {1, 4, 2, 4},
                   "v has shape [1, 4, 2, 4], k has shape [1, 3, 2, 4]; expected the same")};
  }
};

struct AttentionBackward {
  static constexpr OpName name = "attention_backward";
  static constexpr const char* doc =
      "p = exp(score - lse): dv = p^T g, ds = p (g v^T - rowsum(g out) + g_lse) scale, dq = ds k, dk = ds^T "
      "q";
  using Attrs = AttentionAttrs;
  static constexpr auto fields = kFields;
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, const TensorSpec& q, const TensorSpec& k, const TensorSpec& v,
                     const TensorSpec& out, const TensorSpec& lse, const TensorSpec& g,
                     const TensorSpec& g_lse) {
    check_operands(a, q, k, v);
    check_same_dtype("out", out, "q", q);
    check_same_shape("out", out, "q", q);
    check_same_dtype("g", g, "q", q);
    check_same_shape("g", g, "q", q);
    const Shape rows = lse_spec(q).shape;
    SR_CHECK_AS(kShape, lse.shape == rows && g_lse.shape == rows,
                "lse has shape {} and its gradient {}, expected {}", lse.shape, g_lse.shape, rows);
    return {q, k, v};
  }
  static Tensors decompose(const Attrs& a, const Tensor& q, const Tensor& k, const Tensor& v,
                           const Tensor& out, const Tensor& lse, const Tensor& g, const Tensor& g_lse) {
    const int64_t B = q.dim(0), Hkv = k.dim(2), S = k.dim(1);
    const Tensor grouped = group_queries(q, Hkv), keys = swap_heads(widen(k)), values = swap_heads(widen(v));
    const Tensor up = group_queries(g, Hkv);  // [B, Hkv, G * T, D]
    const Shape by_group{B, Hkv, grouped.dim(2), S}, row{B, Hkv, grouped.dim(2), 1};
    const Tensor p = reshape(exp(scores(a, grouped, keys, q.shape()) - unsqueeze(widen(lse), -1)), by_group);
    const Tensor dp = matmul(up, transpose(values));
    const Tensor delta = sum(up * group_queries(out, Hkv), {-1}, true) - reshape(widen(g_lse), row);
    const Tensor ds = p * (dp - delta) * a.scale;
    return {cast(ungroup_queries(matmul(ds, keys), q.shape()), q.dtype()),
            cast(swap_heads(matmul(transpose(ds), grouped)), k.dtype()),
            cast(swap_heads(matmul(transpose(p), up)), v.dtype())};
  }
  // out and lse are inputs like any other here, so lse is kept above the scores: p stays a probability's
  // size.
  static Samples samples() {
    const auto call = [](bool causal, Shape q, Shape k) {
      const Shape rows{q[0], q[2], q[1]};
      return sample(Attrs{0.1, causal}, {real(q, -0.5, 0.5), real(k, -0.5, 0.5), real(k), real(q),
                                         real(rows, 3, 5), real(q), real(rows)});
    };
    return {call(true, {2, 3, 2, 4}, {2, 3, 2, 4}),
            call(false, {1, 3, 2, 4}, {1, 5, 2, 4}),
            call(true, {1, 2, 4, 6}, {1, 5, 2, 6}),
            call(true, {1, 1, 1, 1}, {1, 1, 1, 1}),
            call(true, {0, 3, 2, 4}, {0, 3, 2, 4}),
            bad(Attrs{0.1, true},
                {queries(1, 3, 2, 4), queries(1, 3, 2, 4), queries(1, 3, 2, 4), queries(1, 3, 2, 4),
                 real({1, 3, 2}), queries(1, 3, 2, 4), real({1, 2, 3})},
                "lse has shape [1, 3, 2] and its gradient [1, 2, 3], expected [1, 2, 3]")};
  }
};

}  // namespace

Tensors attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale, bool causal) {
  return dispatch_all<Attention>({scale, causal}, q, k, v);
}

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                                    bool causal) {
  return attention(q, k, v, scale, causal)[0];
}

Tensors attention_backward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& out,
                           const Tensor& lse, const Tensor& g, const Tensor& g_lse, double scale,
                           bool causal) {
  return dispatch_all<AttentionBackward>({scale, causal}, q, k, v, out, lse, g, g_lse);
}

OpList ops_attention() { return {&op_info<Attention>(), &op_info<AttentionBackward>()}; }

}  // namespace suiren
