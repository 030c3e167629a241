#include "suiren/ops/embedding/embedding.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/common.h"

namespace suiren {
namespace {

void check_ids(const TensorSpec& ids) {
  SR_CHECK_AS(kShape, ids.dtype == kI32 || ids.dtype == kI64, "ids are {}, expected i32 or i64", ids.dtype);
}

int64_t row(const HostArray& ids, int64_t position, int64_t V) {
  const auto id = static_cast<int64_t>(ids[position]);
  SR_CHECK(id >= 0 && id < V, "id {} at position {} is out of range for {} rows", id, position, V);
  return id;
}

struct Embedding {
  static constexpr OpName name = "embedding";
  static constexpr const char* doc = "y[..., :] = weight[ids[...], :]";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs&, const TensorSpec& weight, const TensorSpec& ids) {
    check_dtype(dtypes, "weight", weight);
    SR_CHECK_AS(kShape, weight.rank() == 2, "weight has shape {}, expected [V, D]", weight.shape);
    check_ids(ids);
    Shape shape = ids.shape;
    shape.push_back(weight.dim(1));
    return {{weight.dtype, shape, weight.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &weight = in[0], &ids = in[1];
    const int64_t V = weight.dim(0), D = weight.dim(1);
    for (int64_t p = 0; p < ids.numel(); ++p)
      for (int64_t id = row(ids, p, V), d = 0; d < D; ++d) out[0][p * D + d] = weight[id * D + d];
  }
  static Grads vjp(const Attrs&, const Vjp& c) {
    return {embedding_backward(c.grad(), c.in(1), c.in_spec(0).dim(0)), {}};
  }
  static Samples samples() {
    const Attrs a;
    return {sample(a, {real({7, 4}), index({2, 3}, 0, 7)}),
            sample(a, {real({1, 1}), index({1}, 0, 1)}),
            sample(a, {real({5, 3}), index({}, 0, 5)}),
            sample(a, {real({5, 3}), index({0}, 0, 5)}),
            sample(a, {real({40, 65}), index({3, 50}, 0, 40)}),
            bad(a, {real({7}), index({2}, 0, 7)}, "weight has shape [7], expected [V, D]"),
            bad(a, {real({7, 4}), boolean({2})}, "ids are bool, expected i32 or i64")};
  }
};

struct EmbeddingBackward {
  static constexpr OpName name = "embedding_backward";
  static constexpr const char* doc = "dweight[v, :] = sum of g[p, :] over positions p with ids[p] = v";
  struct Attrs {
    int64_t rows;
  };
  static constexpr auto fields = std::tuple{field("rows", &Attrs::rows)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs& a, const TensorSpec& g, const TensorSpec& ids) {
    check_dtype(dtypes, "g", g);
    check_ids(ids);
    Shape expected = ids.shape;
    expected.push_back(g.rank() ? g.dim(-1) : 0);
    SR_CHECK_AS(kShape, g.shape == expected, "g has shape {} and ids {}: expected one row of g for each id",
                g.shape, ids.shape);
    SR_CHECK_AS(kShape, a.rows >= 0, "the table has {} rows", a.rows);
    return {{g.dtype, {a.rows, g.dim(-1)}, g.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const HostArray &g = in[0], &ids = in[1];
    const int64_t D = g.dim(-1);
    for (int64_t p = 0; p < ids.numel(); ++p)
      for (int64_t id = row(ids, p, a.rows), d = 0; d < D; ++d) out[0][id * D + d] += g[p * D + d];
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {embedding(c.grad(), c.in(1)), {}}; }
  static Samples samples() {
    return {sample(Attrs{7}, {real({2, 3, 4}), index({2, 3}, 0, 7)}),
            sample(Attrs{2}, {real({9, 3}), index({9}, 0, 2)}),  // many rows on one
            sample(Attrs{1}, {real({1, 1}), index({1}, 0, 1)}),
            sample(Attrs{5}, {real({0, 3}), index({0}, 0, 5)}),
            sample(Attrs{40}, {real({3, 50, 65}), index({3, 50}, 0, 40)}),
            bad(Attrs{7}, {real({2, 4}), index({3}, 0, 7)},
                "g has shape [2, 4] and ids [3]: expected one row of g for each id")};
  }
};

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& ids) { return dispatch<Embedding>({}, weight, ids); }

Tensor embedding_backward(const Tensor& g, const Tensor& ids, int64_t V) {
  return dispatch<EmbeddingBackward>({V}, g, ids);
}

OpList ops_embedding() { return {&op_info<Embedding>(), &op_info<EmbeddingBackward>()}; }

}  // namespace suiren
