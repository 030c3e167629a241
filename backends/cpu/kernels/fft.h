#pragma once
// The steps of a Fourier transform: what all copies of fft.cpp (one for each target) share.

#include <cstdint>

namespace suiren::cpu {

/// Stockham's self-sorting step by one factor of the length. Complex numbers lie in two arrays; s of them
/// with the same twiddles stand side by side. Butterfly p of m reads x[s (p + m k) + q] and writes y[s (radix
/// p + j) + q] = exp(-2 pi i p j / (radix m)) sum over k of x_k exp(-2 pi i j k / radix).
template <class T>
struct FftPass {
  int64_t radix, m, s;
  const T *cos, *sin;  ///< of 2 pi j / n
  int64_t step;        ///< n / (radix m)
  const T *xr, *xi;
  T *yr, *yi;
};

/// W real signals of 2 h numbers side by side: their spectra x, k = 0 .. h at [k W + w], and the transforms z
/// of length h whose parts are the even and the odd numbers.
template <class T>
struct FftHalves {
  int64_t h, W;
  const T *cos, *sin;  ///< of pi k / h
  T *xr, *xi, *zr, *zi;
};

}  // namespace suiren::cpu
