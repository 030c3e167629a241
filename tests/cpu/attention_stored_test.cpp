// Attention in f32 over keys and values that are stored in 16 bits or in blocks of q8_0, as in a cache.

#include "suiren/core/autograd.h"
#include "suiren/ops/attention/attention.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/quantized_linear/quantized_linear.h"
#include "tests/cpu/attention_blocks.h"

namespace suiren::cpu {
namespace {

// The same bits as over the widened numbers, for every level and option.
template <class K>
void check_stored(const Size& size, const With& with = {}) {
  for (GemmLevel level : attention_levels<float>()) {
    Problem<float> wide(size, with);
    Heads<K> k(size.batch, size.keys, size.kv_heads, size.dim, 1),
        v(size.batch, size.keys, size.kv_heads, size.dim, 1);
    const auto narrow = [](Heads<float>& from, Heads<K>& to) {
      ASSERT_EQ(from.data.size(), to.data.size());
      for (size_t i = 0; i < from.data.size(); ++i) {
        to.data[i] = K(from.data[i] * (i % 11 == 3 ? 1e-6f : 1.0f));  // some are subnormal in f16
        from.data[i] = static_cast<float>(to.data[i]);
      }
    };
    narrow(wide.k, k);
    narrow(wide.v, v);
    wide.forward(level);
    Heads<float> out(size.batch, size.queries, size.heads, size.dim, 9);
    std::vector<float> lse(wide.lse.size());
    attention_forward(wide.shape, wide.q.read(), k.read(), v.read(), out.view(), lse.data(), wide.extras(),
                      level);
    EXPECT_EQ(lse, wide.lse) << name(level);
    for (int64_t i = 0; i < size.batch * size.queries; ++i)
      ASSERT_TRUE(out.row_is(i, wide.out, i)) << name(level) << " query " << i;
  }
}

template <class K>
void check_sizes() {
  for (const int64_t dim : {1, 3, 8, 17, 24, 64, 80, 128, 256}) {
    SCOPED_TRACE(dim);
    check_stored<K>({1, 1, 1, 2, 1, dim});
    check_stored<K>({1, 1, 130, 6, 2, dim});
    check_stored<K>({2, 70, 135, 4, 2, dim});
  }
  check_stored<K>({1, 20, 90, 2, 1, 24}, {.window = 33, .softcap = 5, .mask = true, .sinks = true});
  check_stored<K>({1, 20, 90, 2, 1, 24}, {.causal = false});
}

TEST(AttentionStored, InF16) { check_sizes<float16>(); }
TEST(AttentionStored, InBf16) { check_sizes<bfloat16>(); }

// The same bits as over the numbers that the blocks stand for, and these are near those of f64.
void check_blocks(const Size& size, const With& with = {}) {
  for (GemmLevel level : attention_levels<float>()) {
    Problem<float> wide(size, with);
    HeadBlocks k(wide.k), v(wide.v);
    k.widen(wide.k), v.widen(wide.v);
    wide.forward(level);
    const Heads<float> expected = wide.out;
    const std::vector<float> lse = wide.lse;
    attention_forward(wide.shape, wide.q.read(), k.read(), v.read(), wide.out.view(), wide.lse.data(),
                      wide.extras(), level);
    EXPECT_EQ(lse, wide.lse) << name(level);
    for (int64_t i = 0; i < size.batch * size.queries; ++i)
      ASSERT_TRUE(wide.out.row_is(i, expected, i)) << name(level) << " query " << i;
    wide.backward(level);
    Reference<float>(wide, 5e-6).check();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << name(level) << " dim " << size.dim;
  }
}

TEST(AttentionStored, InBlocksOfQ8) {
  for (const int64_t dim : {32, 64, 96, 128, 160, 256}) {
    SCOPED_TRACE(dim);
    check_blocks({1, 1, 1, 2, 1, dim});
    check_blocks({1, 1, 131, 6, 2, dim});
    check_blocks({2, 71, 135, 4, 2, dim});
  }
  for (const int64_t queries : {1, 20})
    for (const With& w : {With{.window = 33, .softcap = 5, .mask = true, .sinks = true}, With{.window = 1},
                          With{.causal = false}, With{.causal = false, .mask = true, .sinks = true}})
      check_blocks({1, queries, 90, 3, 1, 64}, w);
}

TEST(AttentionStored, IsWhatTheOpRunsOverBlocks) {
  const Tensor k = quantize_blocks(Tensor::from(random_numbers<float>(2 * 70 * 2 * 64, 2), {2, 70, 2, 64}),
                                   kQ8_0),
               v = quantize_blocks(Tensor::from(random_numbers<float>(2 * 70 * 2 * 64, 3), {2, 70, 2, 64}),
                                   kQ8_0);
  Tensor q = Tensor::from(random_numbers<float>(2 * 9 * 4 * 64, 1), {2, 9, 4, 64});
  const Tensor g = Tensor::from(random_numbers<float>(q.numel(), 4), q.shape());
  q.set_requires_grad();
  const auto narrow = attention(q, k, v, 0.2, true),
             wide = attention(q, dequantize_blocks(k), dequantize_blocks(v), 0.2, true);
  for (size_t i : {0, 1}) EXPECT_EQ(narrow[i].to_vector<float>(), wide[i].to_vector<float>());
  EXPECT_EQ(gradients({narrow[0]}, {q}, {g})[0].to_vector<float>(),
            gradients({wide[0]}, {q}, {g})[0].to_vector<float>());
}

TEST(AttentionStored, IsWhatTheOpRuns) {
  for (const DType stored : {kF16, kBF16}) {
    const Tensor q = Tensor::from(random_numbers<float>(2 * 9 * 4 * 24, 1), {2, 9, 4, 24}),
                 k = cast(Tensor::from(random_numbers<float>(2 * 70 * 2 * 24, 2), {2, 70, 2, 24}), stored),
                 v = cast(Tensor::from(random_numbers<float>(2 * 70 * 2 * 24, 3), {2, 70, 2, 24}), stored);
    const auto narrow = attention(q, k, v, 0.2, true), wide = attention(q, widen(k), widen(v), 0.2, true);
    EXPECT_EQ(narrow[0].dtype(), kF32);
    EXPECT_EQ(narrow[0].to_vector<float>(), wide[0].to_vector<float>());
    EXPECT_EQ(narrow[1].to_vector<float>(), wide[1].to_vector<float>());
    try {
      attention(cast(q, stored), k, cast(v, stored == kF16 ? kBF16 : kF16), 0.2, true);
      ADD_FAILURE() << "values of another dtype than the keys";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("v is "), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace suiren::cpu
