#pragma once
// Fourier transforms of real signals along the last dimension, any length, in O(n log n). A complex number is
// a last dimension of two: real part, imaginary part.

#include "suiren/core/tensor.h"

namespace suiren {

/// What a transform is scaled by, in PyTorch's words: the inverse by 1 / n, both by 1 / sqrt n, or the
/// forward one by 1 / n.
enum class FftNorm { kBackward, kOrtho, kForward };

/// y[..., k] = sum over t of x[..., t] exp(-2 pi i k t / n), k = 0 .. n / 2: x [..., n] -> [..., n / 2 + 1,
/// 2], dtype of x; sums in f32 (f64 for f64). With n >= 1 given, x is cut or padded with zeros to that
/// length.
Tensor rfft(const Tensor& x, int64_t n = -1, FftNorm norm = FftNorm::kBackward);

/// The real signal y [..., n] whose transform is x [..., n / 2 + 1, 2]; by default n = 2 (bins - 1). With n
/// given, x is cut or padded with zeros to n / 2 + 1 bins. The imaginary parts of bin 0 and, for even n, of
/// the last do not count.
Tensor irfft(const Tensor& x, int64_t n = -1, FftNorm norm = FftNorm::kBackward);

}  // namespace suiren
