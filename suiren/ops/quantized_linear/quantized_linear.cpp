#include "suiren/ops/quantized_linear/quantized_linear.h"

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/unary/unary.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"
#include "suiren/quant/quantize.h"

namespace suiren {
namespace {

constexpr DTypes kF32Only{1 << kF32.id()};

void check_blocks(const TensorSpec& weight) {
  SR_CHECK_AS(kShape, weight.dtype.is_block(), "weight is {}, expected a block format", weight.dtype);
}

// r(x) of quantized_linear.h: in f32, also where x stands wider, for another precision rounds to other codes.
Tensor rounded(const Tensor& given) {
  const Tensor x = cast(given, kF32);
  Shape blocks = x.shape();
  blocks[x.rank() - 1] /= 32;
  blocks.push_back(32);
  const Tensor b = reshape(x, blocks), most = max(abs(b), {-1}, true);
  const Tensor none = zeros({}, kF32, x.device());
  const Tensor inverse = where(eq(most, none), none, 127.0 / most);
  return cast(reshape(round(b * inverse) * (most / 127.0), x.shape()), given.dtype());
}

struct QuantizedLinear {
  static constexpr OpName name = "quantized_linear";
  static constexpr const char* doc =
      "y[..., n] = sum over k of r(x)[..., k] weight[n, k]; r rounds blocks of 32 to int8, weight is in "
      "blocks";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kF32Only.and_blocks();
  static constexpr uint32_t saved_inputs = 0b10;
  static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight) {
    check_blocks(weight);
    SR_CHECK_AS(kShape, x.dtype == kF32, "x is {}, expected f32; cast it first", x.dtype);
    SR_CHECK_AS(kShape, weight.rank() == 2 && x.rank() > 0 && x.dim(-1) == weight.dim(1),
                "x has shape {} and weight {}, expected [..., K] and [N, K]", x.shape, weight.shape);
    Shape shape = x.shape;
    shape[x.rank() - 1] = weight.dim(0);
    return {{kF32, shape, x.device}};
  }
  static Tensor decompose(const Attrs&, const Tensor& x, const Tensor& weight) {
    return linear(rounded(x), weight.dtype().is_block() ? dequantize_blocks(weight) : weight);  // or widened
  }
  static Grads vjp(const Attrs&, const Vjp& c) { return {matmul(c.grad(), dequantize_blocks(c.in(1))), {}}; }
  static Samples samples() {
    const Attrs a;
    const auto call = [&](DType format, int64_t rows, int64_t N, int64_t K) {
      Sample s = sample(a, {real({rows, K}), in_blocks(format, {N, K})});
      s.gradient = false;  // r is a staircase
      return s;
    };
    return {call(kQ8_0, 3, 5, 64),
            call(kQ8_0, 1, 1, 32),
            call(kQ4_0, 1, 17, 96),
            call(kQ4_1, 1, 33, 32),
            call(kQ5_0, 2, 16, 64),
            call(kQ5_1, 15, 20, 32),
            call(kQ2_K, 2, 18, 256),
            call(kQ3_K, 1, 7, 512),
            call(kQ4_K, 3, 40, 256),
            call(kQ5_K, 1, 16, 512),
            call(kQ6_K, 13, 33, 256),
            call(kIQ4_NL, 2, 3, 64),
            call(kMXFP4, 2, 16, 32),
            call(kQ4_0, 0, 3, 32),
            call(kQ4_K, 5, 0, 256),
            bad(a, {real({2, 64}), real({3, 64})}, "weight is f32, expected a block format"),
            bad(a, {index({2, 64}, 0, 2), in_blocks(kQ8_0, {3, 64})}, "x is i64, expected f32"),
            bad(a, {real({2, 32}), in_blocks(kQ8_0, {3, 64})}, "x has shape [2, 32] and weight [3, 64]")};
  }
};

struct DequantizeBlocks {
  static constexpr OpName name = "dequantize_blocks";
  static constexpr const char* doc = "the numbers that the blocks of weight stand for";
  using Attrs = NoAttrs;
  static constexpr auto fields = std::tuple{};
  static constexpr DTypes dtypes = kF32Only.and_blocks();
  static constexpr const char* no_gradient = "blocks are no variables";
  static Specs infer(const Attrs&, const TensorSpec& weight) {
    check_blocks(weight);
    return {{kF32, weight.shape, weight.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;
  }
  static Samples samples() {
    const Attrs a;
    Samples list{bad(a, {real({2, 32})}, "weight is f32, expected a block format")};
    for (const DType d : {kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kIQ4_NL, kMXFP4})
      list.push_back(sample(a, {in_blocks(d, {3, 64})}));
    list.push_back(sample(a, {in_blocks(kQ8_0, {1, 32})}));
    list.push_back(sample(a, {in_blocks(kQ4_0, {0, 64})}));
    for (const DType d : {kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K})
      list.push_back(sample(a, {in_blocks(d, {2, 512})}));
    return list;
  }
};

struct QuantizeBlocks {
  static constexpr OpName name = "quantize_blocks";
  static constexpr const char* doc = "x as blocks of a format";
  struct Attrs {
    DType format;
  };
  static constexpr auto fields = std::tuple{field("format", &Attrs::format)};
  static constexpr DTypes dtypes = kF32Only;
  static constexpr const char* no_gradient = "blocks are no variables";
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    const auto format = quant::BlockFormat::of(a.format);
    SR_CHECK(a.format.is_block() && quant::is_quantizable(*format),
             "format is {}, expected a block format that is written, such as q8_0", a.format);
    SR_CHECK_AS(kShape, x.dtype == kF32, "x is {}, expected f32; cast it first", x.dtype);
    SR_CHECK_AS(kShape, x.rank() > 0 && x.dim(-1) % a.format.block_elements() == 0,
                "x has shape {}, expected rows that are a multiple of {} elements, as {} needs", x.shape,
                a.format.block_elements(), a.format);
    return {{a.format, x.shape, x.device}};
  }
  static void reference(const Attrs&, std::span<const HostArray> in, std::span<HostArray> out) {
    out[0].v = in[0].v;  // blocks are made where the array becomes a tensor
  }
  static Samples samples() {
    Samples list{sample(Attrs{kQ8_0}, {real({1, 32})}), sample(Attrs{kQ8_0}, {real({2, 3, 64})}),
                 sample(Attrs{kQ8_0}, {real({0, 64})}), sample(Attrs{kQ4_0}, {real({3, 96})}),
                 sample(Attrs{kQ6_K}, {real({2, 256})})};
    list.push_back(
        bad(Attrs{kF16}, {real({1, 32})}, "format is f16, expected a block format that is written"));
    list.push_back(bad(Attrs{kIQ2_XS}, {real({1, 256})}, "format is iq2_xs, expected a block format"));
    list.push_back(
        bad(Attrs{kQ8_0}, {real({2, 40})},
            "x has shape [2, 40], expected rows that are a multiple of 32 elements, as q8_0 needs"));
    list.push_back(bad(Attrs{kQ8_0}, {index({2, 32}, 0, 2)}, "x is i64, expected f32"));
    return list;
  }
};

}  // namespace

Tensor quantized_linear(const Tensor& x, const Tensor& weight) {
  return dispatch<QuantizedLinear>({}, x, weight);
}

Tensor dequantize_blocks(const Tensor& weight) { return dispatch<DequantizeBlocks>({}, weight); }

Tensor quantize_blocks(const Tensor& x, DType format) { return dispatch<QuantizeBlocks>({format}, x); }

OpList ops_quantized_linear() {
  return {&op_info<QuantizedLinear>(), &op_info<DequantizeBlocks>(), &op_info<QuantizeBlocks>()};
}

}  // namespace suiren
