#include "suiren/ops/segment/segment.h"

#include <cmath>
#include <limits>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/gather/gather.h"
#include "suiren/ops/gather/index.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

struct SegmentAttrs {
  int64_t segments;
};

// What the three share: x [N, ...], ids [N] -> [segments, ...].
template <class Op>
struct SegmentBase {
  using Attrs = SegmentAttrs;
  static constexpr auto fields = std::tuple{field("segments", &SegmentAttrs::segments)};
  static Specs infer(const Attrs& a, const TensorSpec& x, const TensorSpec& ids) {
    check_dtype(Op::dtypes, "x", x);
    check_index(ids, "ids");
    SR_CHECK_AS(kShape, x.rank() >= 1 && ids.shape == Shape{x.shape[0]},
                "x has shape {} and ids {}: expected one number for each row of x", x.shape, ids.shape);
    SR_CHECK_AS(kShape, a.segments >= 0, "there are {} segments, expected at least 0", a.segments);
    Shape shape = x.shape;
    shape[0] = a.segments;
    return {{x.dtype, shape, x.device}};
  }
  // out[0] starts as `first` everywhere; every row of x is brought to its segment by meet(y, x).
  template <class F>
  static void reduce(const Attrs& a, std::span<const HostArray> in, HostArray& out, Wide first, F meet) {
    out.v.assign(out.v.size(), first);
    const int64_t D = AxisView(out.shape, 0).inners;
    for (int64_t i = 0; i < in[1].numel(); ++i) {
      const auto s = static_cast<int64_t>(in[1][i]);
      SR_CHECK(s >= 0 && s < a.segments, "id {} at position {} is out of range for {} segments", s, i,
               a.segments);
      for (int64_t d = 0; d < D; ++d) out[s * D + d] = meet(out[s * D + d], in[0][i * D + d]);
    }
  }
  static Samples samples() {
    const auto call = [](int64_t segments, Shape x, bool gradient = true) {
      Sample s = sample(Attrs{segments},
                        {distinct(x), index({x[0]}, 0, static_cast<double>(std::max<int64_t>(1, segments)))});
      s.loosen = 4;           // many rows may fall into one segment, one after another
      s.gradient = gradient;  // false: an empty segment has an infinite maximum
      return s;
    };
    return {
        call(2, {12}),
        call(1, {1}),
        call(2, {11, 3}),
        call(1, {4, 2, 3}),
        call(9, {4, 3}, false),
        call(3, {0, 2}, false),
        call(3, {4, 0}, false),
        bad(Attrs{3}, {real({2, 2}), index({2}, 3, 4)}, "id 3 at position 0 is out of range for 3 segments"),
        bad(Attrs{3}, {real({2, 2}), index({3}, 0, 3)},
            "x has shape [2, 2] and ids [3]: expected one number for each row of x"),
        bad(Attrs{3}, {real({2}), boolean({2})}, "ids is bool, expected i64 or i32; cast it first"),
        bad(Attrs{-1}, {real({2}), index({2}, 0, 1)}, "there are -1 segments, expected at least 0")};
  }
};

struct SegmentSum : SegmentBase<SegmentSum> {
  static constexpr OpName name = "segment_sum";
  static constexpr const char* doc = "y[s] = sum of the rows x[i] with ids[i] = s";
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_inputs = 0b10;
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    reduce(a, in, out[0], 0, [&](Wide y, Wide x) { return add_wide(out[0].dtype, y, x); });
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {index_select(c.grad(), 0, c.in(1)), Tensor()}; }
};

// A number for each segment, shaped so that it broadcasts with rows.
Tensor as_column(const Tensor& counts, int rank) {
  Shape shape = counts.shape();
  while (shape.rank() < rank) shape.push_back(1);
  return reshape(counts, shape);
}

struct SegmentMean : SegmentBase<SegmentMean> {
  static constexpr OpName name = "segment_mean";
  static constexpr const char* doc = "y[s] = mean of the rows x[i] with ids[i] = s; 0 where there are none";
  static constexpr DTypes dtypes = kFloating;
  static Tensor decompose(const Attrs& a, const Tensor& x, const Tensor& ids) {
    const DType wide = accumulator(x.dtype());
    const Tensor total = segment_sum(cast(x, wide), ids, a.segments);
    const Tensor count = segment_sum(ones(ids.shape(), wide, x.device()), ids, a.segments);
    return cast(total / as_column(maximum(count, full({}, 1, wide, x.device())), x.rank()), x.dtype());
  }
};

struct SegmentMax : SegmentBase<SegmentMax> {
  static constexpr OpName name = "segment_max";
  static constexpr const char* doc = "y[s] = largest of the rows x[i] with ids[i] = s; NaN wins";
  static constexpr DTypes dtypes = kNumbers;
  static constexpr uint32_t saved_outputs = 1;
  static Wide least(DType d) {
    if (d.is_floating()) return -std::numeric_limits<Wide>::infinity();
    return d == kU8 ? 0 : -std::ldexp(Wide{1}, static_cast<int>(8 * d.size() - 1));
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    reduce(a, in, out[0], least(out[0].dtype),
           [](Wide y, Wide x) { return std::isnan(y) || x <= y ? y : x; });
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const Tensor &g = c.grad(), ids = c.in(1);
    const Tensor chosen = cast(eq(c.in(0), index_select(c.out(0), 0, ids)), g.dtype());
    const Tensor share =
        g / maximum(segment_sum(chosen, ids, a.segments), full({}, 1, g.dtype(), g.device()));
    return {index_select(share, 0, ids) * chosen, Tensor()};
  }
};

}  // namespace

Tensor segment_sum(const Tensor& x, const Tensor& ids, int64_t segments) {
  return dispatch<SegmentSum>({segments}, x, ids);
}
Tensor segment_mean(const Tensor& x, const Tensor& ids, int64_t segments) {
  return dispatch<SegmentMean>({segments}, x, ids);
}
Tensor segment_max(const Tensor& x, const Tensor& ids, int64_t segments) {
  return dispatch<SegmentMax>({segments}, x, ids);
}

OpList ops_segment() { return {&op_info<SegmentSum>(), &op_info<SegmentMean>(), &op_info<SegmentMax>()}; }

}  // namespace suiren
