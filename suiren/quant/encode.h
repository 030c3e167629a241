#pragma once
// What the encoders of quantize.cpp and quantize_k.cpp share.

#include <cstdint>
#include <cstring>

#include "suiren/base/dtype.h"
#include "suiren/quant/fit.h"

namespace suiren::quant {

template <class T>
void store(uint8_t* p, T value) {
  std::memcpy(p, &value, sizeof value);
}

/// As a scale stands in a block.
inline float half(float v) { return float16(v); }

template <int N>
Group<N> group(const float* x, const float* w) {
  Group<N> g;
  std::memcpy(g.x, x, sizeof g.x);
  std::memcpy(g.w, w, sizeof g.w);
  return g;
}

/// One block of 256 numbers each, with their weights, into zeroed bytes.
void encode_q2_k(const float* x, const float* w, uint8_t* b);
void encode_q3_k(const float* x, const float* w, uint8_t* b);
void encode_q4_k(const float* x, const float* w, uint8_t* b);
void encode_q5_k(const float* x, const float* w, uint8_t* b);
void encode_q6_k(const float* x, const float* w, uint8_t* b);

}  // namespace suiren::quant
