#include "backends/cpu/stage.h"

#include "backends/cpu/simd/targets.h"
#include "suiren/base/threads.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/stage.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
// After foreach_target.h, so that it is compiled for each target.
#include "backends/cpu/simd/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace suiren::cpu::HWY_NAMESPACE {
namespace {

// Whole vectors only: each returns how many elements it converted.
int64_t widen_bf16(const bfloat16* x, float* y, int64_t n) {
  const hn::ScalableTag<uint32_t> d32;
  const hn::Rebind<uint16_t, decltype(d32)> d16;
  const auto* from = reinterpret_cast<const uint16_t*>(x);
  int64_t i = 0;
  for (; i + width() <= n; i += width())
    store(hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, from + i)))), y + i);
  return i;
}

int64_t narrow_bf16(const float* x, bfloat16* y, int64_t n) {
  const hn::ScalableTag<uint32_t> d32;
  const hn::Rebind<uint16_t, decltype(d32)> d16;
  auto* to = reinterpret_cast<uint16_t*>(y);
  int64_t i = 0;
  for (; i + width() <= n; i += width()) {
    const V v = load(x + i);
    const auto u = hn::BitCast(d32, v), high = hn::ShiftRight<16>(u);
    const auto odd = hn::And(high, hn::Set(d32, 1));
    const auto rounded = hn::ShiftRight<16>(hn::Add(u, hn::Add(odd, hn::Set(d32, 0x7fff))));
    const auto nan = hn::BitCast(d32, hn::VecFromMask(F32(), hn::IsNaN(v)));
    const auto chosen = hn::Or(hn::And(nan, hn::Or(high, hn::Set(d32, 0x40))), hn::AndNot(nan, rounded));
    hn::StoreU(hn::DemoteTo(d16, hn::BitCast(I32(), chosen)), d16, to + i);
  }
  return i;
}

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
int64_t widen_f16(const float16* x, float* y, int64_t n) {
  const hn::Rebind<hwy::float16_t, F32> d16;
  const auto* from = reinterpret_cast<const hwy::float16_t*>(x);
  int64_t i = 0;
  for (; i + width() <= n; i += width()) store(hn::PromoteTo(F32(), hn::LoadU(d16, from + i)), y + i);
  return i;
}
int64_t narrow_f16(const float* x, float16* y, int64_t n) {
  const hn::Rebind<hwy::float16_t, F32> d16;
  auto* to = reinterpret_cast<hwy::float16_t*>(y);
  int64_t i = 0;
  for (; i + width() <= n; i += width()) hn::StoreU(hn::DemoteTo(d16, load(x + i)), d16, to + i);
  return i;
}
#else  // no conversion instructions
int64_t widen_f16(const float16*, float*, int64_t) { return 0; }
int64_t narrow_f16(const float*, float16*, int64_t) { return 0; }
#endif

}  // namespace
}  // namespace suiren::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace suiren::cpu {
namespace {

template <class X, class Y>
void rest_of_row(const X* x, Y* y, int64_t i, int64_t n) {
  for (; i < n; ++i) y[i] = static_cast<Y>(x[i]);
}

template <class T>
void stage_as(const char* from, int64_t stride, float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = *reinterpret_cast<const T*>(from + i * stride);
}
template <class T>
void unstage_as(const float* from, char* to, int64_t stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i) *reinterpret_cast<T*>(to + i * stride) = T(from[i]);
}

}  // namespace

void convert_row(const bfloat16* x, float* y, int64_t n) {
  rest_of_row(x, y, SUIREN_PICK(widen_bf16)(x, y, n), n);
}
void convert_row(const float16* x, float* y, int64_t n) {
  rest_of_row(x, y, SUIREN_PICK(widen_f16)(x, y, n), n);
}
void convert_row(const float* x, bfloat16* y, int64_t n) {
  rest_of_row(x, y, SUIREN_PICK(narrow_bf16)(x, y, n), n);
}
void convert_row(const float* x, float16* y, int64_t n) {
  rest_of_row(x, y, SUIREN_PICK(narrow_f16)(x, y, n), n);
}

void stage(DType dtype, const char* from, int64_t stride, float* to, int64_t n) {
  if (dtype == kF32)
    stage_as<float>(from, stride, to, n);
  else if (stride == 2 && dtype == kBF16)
    convert_row(reinterpret_cast<const bfloat16*>(from), to, n);
  else if (stride == 2)
    convert_row(reinterpret_cast<const float16*>(from), to, n);
  else if (dtype == kBF16)
    stage_as<bfloat16>(from, stride, to, n);
  else
    stage_as<float16>(from, stride, to, n);
}

void unstage(DType dtype, const float* from, char* to, int64_t stride, int64_t n) {
  if (dtype == kF32)
    unstage_as<float>(from, to, stride, n);
  else if (stride == 2 && dtype == kBF16)
    convert_row(from, reinterpret_cast<bfloat16*>(to), n);
  else if (stride == 2)
    convert_row(from, reinterpret_cast<float16*>(to), n);
  else if (dtype == kBF16)
    unstage_as<bfloat16>(from, to, stride, n);
  else
    unstage_as<float16>(from, to, stride, n);
}

void add_narrow(DType dtype, const char* x, float* sum, int64_t n) {
  constexpr int64_t kGrain = 32768;
  const auto add = SUIREN_PICK(add_row);
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    float buffer[kStage];
    for (int64_t i = begin; i < end; i += kStage) {
      const int64_t count = std::min(kStage, end - i);
      stage(dtype, x + i * dtype.size(), dtype.size(), buffer, count);
      add(buffer, sum + i, count);
    }
  });
}

}  // namespace suiren::cpu
#endif
