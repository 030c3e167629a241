#include "suiren/quant/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "suiren/base/error.h"
#include "suiren/base/philox.h"
#include "suiren/io/arrays.h"
#include "suiren/quant/dequantize.h"

namespace suiren::quant {
namespace {

constexpr size_t kRow = 512;

template <class T>
std::vector<T> elements(const Tensor& t) {
  const std::vector<uint8_t> bytes = t.to_bytes();
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::vector<uint8_t> quantized(BlockFormat format, std::span<const float> x, std::span<const float> w = {}) {
  std::vector<uint8_t> bytes(static_cast<size_t>(format.bytes(static_cast<int64_t>(x.size()))), 0xee);
  quantize(format, x, w, bytes);
  return bytes;
}

std::vector<float> values(BlockFormat format, std::span<const uint8_t> bytes) {
  std::vector<float> out(bytes.size() / static_cast<size_t>(format.block_bytes()) *
                         static_cast<size_t>(format.block_elements()));
  dequantize(format, bytes, out);
  return out;
}

/// sum w (x - y)^2 / sum w x^2; w repeats for each row.
double error(std::span<const float> x, std::span<const float> y, std::span<const float> w = {}) {
  double away = 0, all = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double weight = w.empty() ? 1 : w[i % w.size()], d = static_cast<double>(x[i]) - y[i];
    away += weight * d * d;
    all += weight * x[i] * x[i];
  }
  return away / all;
}

std::vector<BlockFormat> written() {
  std::vector<BlockFormat> out;
  for (int id = 0; id < BlockFormat::kCount; ++id)
    if (const BlockFormat f(static_cast<BlockFormat::Id>(id)); is_quantizable(f)) out.push_back(f);
  return out;
}

// tests/golden/quant/make_quantize.py: rows of numbers of several distributions, weights of their columns,
// and the bytes that gguf.quants.quantize makes of them.
class Quantize : public testing::Test {
 protected:
  static inline std::map<std::string, Tensor> golden;
  std::vector<float> x, w;
  void SetUp() override {
    if (golden.empty()) golden = io::load_npz("tests/golden/quant/quantize.npz");
    x = elements<float>(golden.at("values"));
    w = elements<float>(golden.at("weights"));
    ASSERT_EQ(w.size(), kRow);
  }
  bool reference(BlockFormat f, std::vector<uint8_t>& bytes) const {
    const auto found = golden.find(fmt::format("{}.bytes", f));
    if (found == golden.end()) return false;
    bytes = elements<uint8_t>(found->second);
    return true;
  }
};

TEST_F(Quantize, PlainFormatsAndQ8EqualTheReference) {
  std::vector<uint8_t> want;
  for (BlockFormat f : {BlockFormat::kF16, BlockFormat::kBF16, BlockFormat::kQ8_0}) {
    ASSERT_TRUE(reference(f, want));
    EXPECT_EQ(quantized(f, x), want) << f.name();
    EXPECT_EQ(quantized(f, x, w), want) << f.name();
  }
  EXPECT_EQ(values(BlockFormat::kF32, quantized(BlockFormat::kF32, x)), x);
}

TEST_F(Quantize, NoRowHasMoreErrorThanTheReference) {
  int compared = 0;
  for (BlockFormat f : written()) {
    std::vector<uint8_t> bytes;
    if (f == BlockFormat::kQ8_0 || f.block_elements() == 1 || !reference(f, bytes)) continue;
    const auto theirs = values(f, bytes);
    for (std::span<const float> weights : {std::span<const float>{}, std::span<const float>(w)}) {
      const auto ours = values(f, quantized(f, x, weights));
      for (size_t at = 0; at < x.size(); at += kRow) {
        const auto row = [&](const std::vector<float>& v) { return std::span(v).subspan(at, kRow); };
        EXPECT_LE(error(row(x), row(ours), weights), error(row(x), row(theirs), weights) * (1 + 1e-6))
            << f.name() << " row " << at / kRow;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 5 * 2 * 6);  // formats, weights, rows
}

std::vector<float> normal(size_t n, uint64_t seed) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(philox_normal(seed, 0, i));
  return out;
}

TEST(QuantizeError, IsThatOfTheFormat) {
  // Of a normal distribution: the least mean squared error that a search of these scales is known to reach,
  // and 3%.
  const std::pair<BlockFormat, double> limits[] = {
      {BlockFormat::kQ4_0, 0.0838},   {BlockFormat::kQ4_1, 0.0720},  {BlockFormat::kQ5_0, 0.0413},
      {BlockFormat::kQ5_1, 0.0350},   {BlockFormat::kQ2_K, 0.2694},  {BlockFormat::kQ3_K, 0.1483},
      {BlockFormat::kQ4_K, 0.0724},   {BlockFormat::kQ5_K, 0.0359},  {BlockFormat::kQ6_K, 0.0174},
      {BlockFormat::kIQ4_NL, 0.0758}, {BlockFormat::kMXFP4, 0.1148}, {BlockFormat::kQ8_0, 0.0056}};
  const auto x = normal(64 * kRow, 5);
  std::vector<float> w(kRow);
  const auto exponents = normal(kRow, 6);
  for (size_t i = 0; i < kRow; ++i) w[i] = std::exp(1.5f * exponents[i]);
  for (const auto& [format, limit] : limits) {
    const auto equal = values(format, quantized(format, x)),
               weighted = values(format, quantized(format, x, w));
    const double rms = std::sqrt(error(x, equal));
    EXPECT_LT(rms, limit) << format.name();
    EXPECT_GT(rms, limit * 0.9) << format.name();
    EXPECT_LE(error(x, weighted, w), error(x, equal, w)) << format.name() << ": weights do not help";
  }
}

TEST(QuantizeError, SpecialRowsAreKept) {
  std::vector<float> zero(kRow), one(kRow), same(kRow, 0.75f), tiny(kRow, 1e-30f), steep(kRow);
  one[37] = -3;
  for (size_t i = 0; i < kRow; ++i) steep[i] = static_cast<float>(i) * 100;
  for (BlockFormat f : written()) {
    SCOPED_TRACE(f.name());
    EXPECT_EQ(values(f, quantized(f, zero)), zero);
    for (const auto& x : {one, same, steep}) {
      const auto y = values(f, quantized(f, x));
      EXPECT_LT(error(x, y), 0.06);
    }
    for (float v : values(f, quantized(f, tiny))) EXPECT_LE(std::fabs(v), 1e-29f);
  }
  EXPECT_EQ(values(BlockFormat::kQ4_0, quantized(BlockFormat::kQ4_0, one)), one);
  EXPECT_EQ(values(BlockFormat::kQ4_1, quantized(BlockFormat::kQ4_1, same)), same);
}

TEST(QuantizeRows, DependOnThemselvesAlone) {
  const auto x = normal(4 * kRow, 9);
  auto w = normal(kRow, 10);
  for (float& v : w) v = v * v;
  for (BlockFormat f : written()) {
    const auto all = quantized(f, x, w);
    const size_t size = all.size() / 4;
    for (size_t r = 0; r < 4; ++r)
      EXPECT_EQ(quantized(f, std::span(x).subspan(r * kRow, kRow), w),
                std::vector<uint8_t>(all.begin() + static_cast<std::ptrdiff_t>(r * size),
                                     all.begin() + static_cast<std::ptrdiff_t>((r + 1) * size)))
          << f.name();
    const std::vector<float> none(kRow);
    EXPECT_EQ(quantized(f, x, none), quantized(f, x)) << f.name() << ": weights of zero are equal weights";
  }
}

TEST(QuantizeErrors, NameTheElement) {
  const auto refused = [](BlockFormat f, std::span<const float> x, std::span<const float> w,
                          size_t bytes) -> std::string {
    std::vector<uint8_t> out(bytes);
    try {
      quantize(f, x, w, out);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  std::vector<float> x(64), w(32, 1);
  EXPECT_EQ(refused(BlockFormat::kQ4_0, x, w, 36), "");
  EXPECT_NE(refused(BlockFormat::kQ4_0, x, w, 35), "");
  EXPECT_NE(refused(BlockFormat::kQ4_0, std::span(x).first(33), {}, 36), "");
  EXPECT_NE(refused(BlockFormat::kQ4_0, x, std::span(w).first(31), 36), "");
  EXPECT_NE(refused(BlockFormat::kIQ2_XS, x, {}, 36).find("iq2_xs is read but not written"),
            std::string::npos);
  w[7] = -1;
  EXPECT_NE(refused(BlockFormat::kQ4_0, x, w, 36).find("weight 7 is -1"), std::string::npos);
  for (float bad : {std::nanf(""), std::numeric_limits<float>::infinity(), -1e30f}) {
    x[40] = bad;
    EXPECT_NE(refused(BlockFormat::kQ4_0, x, {}, 36).find("element 40 is "), std::string::npos) << bad;
    EXPECT_EQ(refused(BlockFormat::kF16, x, {}, 128), "");
  }
  for (BlockFormat f : written()) {  // the largest that is taken is not made infinite
    if (f.block_elements() == 1 || f == BlockFormat::kMXFP4) continue;
    std::vector<float> row(256, 1);
    const std::string text =
        refused(f, std::vector<float>(256, 1e30f), {}, static_cast<size_t>(f.bytes(256)));
    const double most = std::stod(text.substr(text.find("up to ") + 6));
    for (int sign : {1, -1}) {
      for (size_t i = 0; i < 256; ++i)
        row[i] = static_cast<float>(most * 0.999) * (i % 3 ? 1.0f : -1.0f) * static_cast<float>(sign);
      for (float v : values(f, quantized(f, row))) ASSERT_TRUE(std::isfinite(v)) << f.name();
    }
  }
}

}  // namespace
}  // namespace suiren::quant
