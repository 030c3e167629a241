#pragma once
// Affine quantization to 8 bits (Jacob et al. 2018): x is about (q - zero_point) scale. Arithmetic in f32
// (f64 for f64), as PyTorch's: x (1 / scale) is rounded to the nearest integer, halves to the even one.

#include "suiren/core/tensor.h"

namespace suiren {

/// q = round(x / scale) + zero_point, kept within `dtype` (i8 or u8); NaN gives its least number. x [...]
/// floats -> [...]. Throws Error{kInvalid} unless scale > 0 and zero_point lies in `dtype`. No gradient.
Tensor quantize_per_tensor(const Tensor& x, double scale, int64_t zero_point, DType dtype = kI8);
/// The same with a scale and a zero point for each index of dimension `axis`: scale [C] of the dtype of x,
/// zero_point [C] of i32 or i64.
Tensor quantize_per_channel(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                            DType dtype = kI8);

/// y = (q - zero_point) scale: q [...] integers -> [...] of `dtype`.
Tensor dequantize_per_tensor(const Tensor& q, double scale, int64_t zero_point, DType dtype = kF32);
/// The same by channel, in the dtype of scale, which has a gradient.
Tensor dequantize_per_channel(const Tensor& q, const Tensor& scale, const Tensor& zero_point, int64_t axis);

/// Quantized to [low, high] and back, for training with quantization: the gradient passes unchanged where x
/// falls within the range, and is 0 elsewhere (Bengio et al. 2013).
Tensor fake_quantize(const Tensor& x, double scale, int64_t zero_point, int64_t low = -128,
                     int64_t high = 127);

}  // namespace suiren
