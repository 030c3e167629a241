#pragma once
// Products with matrices in block formats (suiren/quant/block_format.h), which are never held as floats;
// numbers into blocks and back.

#include "suiren/core/tensor.h"

namespace suiren {

/// y[..., n] = sum over k of r(x)[..., k] weight[n, k]: x [..., K] f32, weight [N, K] in a block format ->
/// [..., N] f32.
///
/// r rounds each row of x in blocks of 32: with d = max |x| / 127 over the block, x becomes d q, where q is
/// x (127 / max |x|) in f32, rounded to the nearest integer, halves to the even one. A block that holds an
/// infinity or a NaN makes the whole row NaN. Sums of integers within a group of weights that share a scale
/// are exact; groups are added in f32 in ascending order. So a row's bits depend on that row and the weight
/// alone.
///
/// The gradient of x is that of the product without r (Bengio et al. 2013); the weight has none.
Tensor quantized_linear(const Tensor& x, const Tensor& weight);

/// The numbers that blocks stand for: weight [..., K] -> [..., K] f32, exactly as suiren/quant/dequantize.h.
Tensor dequantize_blocks(const Tensor& weight);

/// x as blocks of `format`: x [..., K] f32 -> [..., K] of that dtype, exactly as suiren/quant/quantize.h
/// without importance, so a row's bytes depend on that row alone. No gradient. Throws Error{kShape} unless K
/// is a multiple of the block, Error{kInvalid} for a format that is not written and for a number that is not
/// finite or beyond what the format holds, with its place in the row.
Tensor quantize_blocks(const Tensor& x, DType format);

}  // namespace suiren
