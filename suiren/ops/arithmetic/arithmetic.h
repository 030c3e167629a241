#pragma once
// Elementwise arithmetic of two tensors with NumPy broadcasting. a and b have the same dtype, which is the
// result's; bool is refused (cast it first). Integers wrap modulo 2^bits. Throw Error{kShape} otherwise.

#include "suiren/core/tensor.h"

namespace suiren {

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
/// Integers: cut toward zero; division by zero gives 0.
Tensor div(const Tensor& a, const Tensor& b);
/// a to the power b, floats only. The gradient of b is defined where a > 0.
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, double b);
/// NaN when either is NaN. Where a = b each takes half of the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
/// a - b trunc(a / b), exactly: it has the sign of a. Integers: 0 where b is.
Tensor fmod(const Tensor& a, const Tensor& b);
/// a - b floor(a / b), exactly but for one rounding: it has the sign of b. Integers: 0 where b is.
Tensor remainder(const Tensor& a, const Tensor& b);
/// floor(a / b) without an error of the division. Integers: 0 where b is. No gradient (it is zero).
Tensor floor_divide(const Tensor& a, const Tensor& b);
/// Floats only: the angle of the point (b, a) in (-pi, pi], and its distance from the origin.
Tensor atan2(const Tensor& a, const Tensor& b);
Tensor hypot(const Tensor& a, const Tensor& b);

/// A number beside a tensor takes the tensor's dtype; Error{kInvalid} when that is an integer dtype and the
/// number is not whole.
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, double b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, double b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, double b);
Tensor operator/(double a, const Tensor& b);

}  // namespace suiren
