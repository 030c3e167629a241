#include "suiren/ops/embedding/embedding.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/one_hot/one_hot.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/segment/segment.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

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
  static constexpr const char* doc = "y[..., :] = weight[ids[...], :]; of weight in blocks, as f32";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kFloating.and_blocks();
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs&, const TensorSpec& weight, const TensorSpec& ids) {
    check_dtype(dtypes, "weight", weight);
    SR_CHECK_AS(kShape, weight.rank() == 2, "weight has shape {}, expected [V, D]", weight.shape);
    check_ids(ids);
    Shape shape = ids.shape;
    shape.push_back(weight.dim(1));
    return {{weight.dtype.is_block() ? kF32 : weight.dtype, shape, weight.device}};
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
            sample(a, {in_blocks(kQ4_0, {6, 64}), index({2, 3}, 0, 6)}),
            sample(a, {in_blocks(kQ6_K, {3, 512}), index({4}, 0, 3)}),
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

struct EmbeddingBag {
  static constexpr OpName name = "embedding_bag";
  static constexpr const char* doc =
      "y[b, :] = sum, mean or max (bag 0, 1, 2) of weight[ids[p], :] (scaled) over p from offsets[b] to the "
      "next";
  struct Attrs {
    int64_t bag;
  };
  static constexpr auto fields = std::tuple{field("bag", &Attrs::bag)};
  static constexpr DTypes dtypes = kFloating;
  static Specs infer(const Attrs& a, std::span<const TensorSpec> in) {
    SR_CHECK_AS(kShape, in.size() == 3 || in.size() == 4,
                "takes weight, ids, offsets and perhaps scale, not {}", in.size());
    const TensorSpec &weight = in[0], &ids = in[1], &offsets = in[2];
    check_dtype(dtypes, "weight", weight);
    SR_CHECK_AS(kShape, weight.rank() == 2, "weight has shape {}, expected [V, D]", weight.shape);
    check_ids(ids);
    SR_CHECK_AS(kShape, offsets.dtype == kI32 || offsets.dtype == kI64, "offsets are {}, expected i32 or i64",
                offsets.dtype);
    SR_CHECK_AS(kShape, ids.rank() == 1 && offsets.rank() == 1,
                "ids have shape {} and offsets {}, expected one dimension each", ids.shape, offsets.shape);
    SR_CHECK(a.bag >= 0 && a.bag <= 2, "bag is {}, expected 0 (sum), 1 (mean) or 2 (max)", a.bag);
    if (in.size() == 4) {
      check_same_dtype("weight", weight, "scale", in[3]);
      check_same_shape("ids", ids, "scale", in[3]);
      SR_CHECK(a.bag == 0, "scale goes with a sum alone");
    }
    return {{weight.dtype, {offsets.dim(0), weight.dim(1)}, weight.device}};
  }
  static Tensor decompose(const Attrs& a, std::span<const Tensor> in) {
    const int64_t N = in[1].numel(), B = in[2].numel();
    const DType wide = accumulator(in[0].dtype());
    Tensor rows = cast(embedding(in[0], in[1]), wide);
    if (in.size() == 4) rows = rows * reshape(cast(in[3], wide), {N, 1});
    // Position p is in the bag before which there are as many offsets as are at most p; in bag 0 are those
    // that no offset comes before.
    const Tensor bags = cumsum(slice(bincount(in[2], N + 1), 0, 0, N), 0);
    Tensor y = a.bag == 0   ? segment_sum(rows, bags, B + 1)
               : a.bag == 1 ? segment_mean(rows, bags, B + 1)
                            : segment_max(rows, bags, B + 1);
    if (a.bag == 2) {
      const Tensor none = zeros({}, kI64, y.device());
      y = where(gt(reshape(bincount(bags, B + 1), {B + 1, 1}), none), y, zeros({}, wide, y.device()));
    }
    return cast(slice(y, 0, 1, B + 1), in[0].dtype());
  }
  static Samples samples() {
    const auto call = [](int64_t bag, Shape weight, int64_t N, int64_t B, bool scaled = false) {
      Sample s = sample(Attrs{bag}, {distinct(weight), index({N}, 0, static_cast<double>(weight[0])),
                                     index({B}, 0, static_cast<double>(N / 2 + 1))});
      if (scaled) s.inputs.push_back(real({N}));
      s.loosen = 4;  // many rows may fall into one bag
      return s;
    };
    return {call(0, {7, 4}, 9, 3),
            call(1, {7, 4}, 9, 3),
            call(2, {7, 4}, 9, 3),
            call(0, {5, 3}, 8, 2, true),
            call(1, {1, 1}, 1, 1),
            call(2, {6, 3}, 4, 5),
            call(1, {5, 3}, 0, 2),
            bad(Attrs{0}, {real({7}), index({2}, 0, 7), index({1}, 0, 1)},
                "weight has shape [7], expected [V, D]"),
            bad(Attrs{0}, {real({7, 2}), index({2}, 0, 7), index({1}, 3, 4)},
                "offset 3 at position 0 is out of range for 2 ids"),
            bad(Attrs{3}, {real({7, 2}), index({2}, 0, 7), index({1}, 0, 1)}, "bag is 3, expected 0 (sum)"),
            bad(Attrs{1}, {real({7, 2}), index({2}, 0, 7), index({1}, 0, 1), real({2})},
                "scale goes with a sum alone")};
  }
};

}  // namespace

Tensor embedding(const Tensor& weight, const Tensor& ids) { return dispatch<Embedding>({}, weight, ids); }

Tensor embedding_backward(const Tensor& g, const Tensor& ids, int64_t V) {
  return dispatch<EmbeddingBackward>({V}, g, ids);
}

Tensor embedding_bag(const Tensor& weight, const Tensor& ids, const Tensor& offsets, Bag bag,
                     const Tensor& scale) {
  const EmbeddingBag::Attrs a{static_cast<int64_t>(bag)};
  Tensors in{weight, ids, offsets};
  if (scale.defined()) in.push_back(scale);
  return run_op(op_info<EmbeddingBag>(), &a, in)[0];
}

OpList ops_embedding() {
  return {&op_info<Embedding>(), &op_info<EmbeddingBackward>(), &op_info<EmbeddingBag>()};
}

}  // namespace suiren
