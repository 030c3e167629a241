// What the op suite cannot see of weights in block formats: the gradient that passes through rounding, and
// where such weights may go.

#include "suiren/ops/quantized_linear/quantized_linear.h"

#include <gtest/gtest.h>

#include <vector>

#include "suiren/core/autograd.h"
#include "suiren/core/host_array.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/embedding/embedding.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Tensor in_format(DType format, const Tensor& values) {
  HostArray a = to_host_array(values);
  a.dtype = format;
  return from_host_array(a, Device());
}

TEST(QuantizedLinear, PassesItsGradient) {
  for (const DType format : {kQ8_0, kQ4_1, kQ6_K}) {
    const Tensor w = in_format(format, normal({5, 256}, 0, 1, 7, 1));
    Tensor x = normal({2, 3, 256}, 0, 1, 7, 2);
    x.set_requires_grad();
    const Tensor g = normal({2, 3, 5}, 0, 1, 7, 3);
    const Tensor dx = gradients({quantized_linear(x, w)}, {x}, {g})[0];
    const HostArray got = to_host_array(dx), wide = to_host_array(w), of = to_host_array(g);
    ASSERT_EQ(dx.shape(), x.shape());
    for (int64_t m = 0; m < 6; ++m)
      for (int64_t k = 0; k < 256; ++k) {
        Wide want = 0;
        for (int64_t n = 0; n < 5; ++n) want += of[m * 5 + n] * wide[n * 256 + k];
        EXPECT_NEAR(static_cast<double>(got[m * 256 + k]), static_cast<double>(want), 1e-5) << format.name();
      }
  }
}

TEST(QuantizedLinear, IsWhatLinearDoesWithBlocks) {
  const Tensor w = in_format(kQ5_0, normal({7, 64}, 0, 1, 3, 1)), x = normal({4, 64}, 0, 1, 3, 2);
  const Tensor bias = normal({7}, 0, 1, 3, 3), y = quantized_linear(x, w);
  EXPECT_EQ(linear(x, w).to_bytes(), y.to_bytes());
  EXPECT_EQ(linear(x, w, bias).to_bytes(), (y + bias).to_bytes());
  EXPECT_EQ(linear(squeeze(slice(x, 0, 1, 2), 0), w).to_bytes(), slice(y, 0, 1, 2).to_bytes());
}

TEST(QuantizedLinear, RowsOfAnEmbeddingAreThoseOfItsNumbers) {
  const Tensor w = in_format(kQ3_K, normal({9, 256}, 0, 1, 3, 1));
  const Tensor ids = Tensor::from(std::vector<int64_t>{8, 0, 3, 3}, {4});
  EXPECT_EQ(embedding(w, ids).to_bytes(), embedding(dequantize_blocks(w), ids).to_bytes());
  EXPECT_THROW((void)embedding(w, Tensor::from(std::vector<int64_t>{9}, {1})), Error);
}

TEST(QuantizedLinear, OtherOpsRefuseBlocks) {
  const Tensor w = in_format(kQ8_0, normal({3, 64}, 0, 1, 3, 1));
  EXPECT_EQ(w.bytes(), 3 * 2 * 34);
  for (const auto& use :
       {+[](const Tensor& t) { return t + t; }, +[](const Tensor& t) { return transpose(t); },
        +[](const Tensor& t) { return slice(t, 0, 0, 1); }})
    try {
      (void)use(w);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("an input is q8_0, whose elements stand in blocks"),
                std::string::npos)
          << e.what();
    }
  EXPECT_THROW((void)Tensor::empty({2, 33}, kQ8_0), Error);
  EXPECT_THROW((void)Tensor::empty({}, kQ8_0), Error);
}

}  // namespace
}  // namespace suiren
