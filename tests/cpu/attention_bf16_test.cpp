// Attention in bf16 on its units.

#include "tests/cpu/attention_contract.h"

#include "suiren/ops/ops.h"

namespace suiren::cpu {
namespace {

constexpr double kSums = 3e-5;  // what the f32 sums and exponentials of these sizes may add to the roundings

class AttentionBf16 : public testing::Test {
 protected:
  void SetUp() override {
    if (bf16_units() == Bf16Units::kNone) GTEST_SKIP() << "needs AVX512_BF16";
  }
};

TEST_F(AttentionBf16, AgreesWithF64AtEverySmallLength) {
  for (int64_t n = 1; n <= 40; ++n)
    for (int64_t dim : {1, 32, 37}) {
      check_problem<bfloat16>({1, n, n, 2, 1, dim}, kSums);
      check_problem<bfloat16>({1, (n + 2) / 3, n, 2, 2, dim}, kSums);
      if (HasFatalFailure()) return;
    }
}

TEST_F(AttentionBf16, AgreesWithF64AroundTheBlocks) {
  for (int64_t n : {62, 63, 64, 65, 66, 127, 128, 129, 191, 257})
    for (int64_t queries : {int64_t{1}, int64_t{2}, int64_t{13}, n - 3, n - 2, n}) {
      check_problem<bfloat16>({1, queries, n, 3, 1, 64}, kSums);
      if (HasFatalFailure()) return;
    }
}

TEST_F(AttentionBf16, AgreesWithF64AtEveryKindOfHead) {
  for (int64_t dim : {2, 31, 33, 48, 63, 65, 80, 96, 127, 128, 129, 192, 255, 256}) {
    check_problem<bfloat16>({2, 70, 100, 2, 1, dim}, kSums);
    if (HasFatalFailure()) return;
  }
}

TEST_F(AttentionBf16, TakesEveryOption) {
  check_options<bfloat16>(90, 130, 64, kSums);
  if (!HasFatalFailure()) check_options<bfloat16>(67, 67, 33, kSums);
}

TEST_F(AttentionBf16, StaysExactWithLargeScores) {
  check_problem<bfloat16>({1, 150, 150, 2, 1, 64}, 3e-4, {}, 40);
}

TEST_F(AttentionBf16, WritesNothingBetweenTheRows) { check_room_between_rows<bfloat16>(); }

TEST_F(AttentionBf16, GivesTheSameBitsInChunksAndTokenByToken) {
  for (int64_t dim : {64, 25}) {
    check_chunks<bfloat16>(dim, {});
    check_chunks<bfloat16>(dim, {.window = 70, .softcap = 3, .sinks = true});
    check_chunks<bfloat16>(dim, {.mask = true});
  }
}

TEST_F(AttentionBf16, GivesTheSameBitsInABatchAndWithAnyThreads) { check_batch_and_threads<bfloat16>(64); }

TEST_F(AttentionBf16, IgnoresWhatAQueryMustNotSee) { check_unseen_keys<bfloat16>(); }

TEST_F(AttentionBf16, SkipsKeysWithScoresOfMinusInfinity) { check_minus_infinity<bfloat16>(0x1p-7); }

TEST_F(AttentionBf16, RefusesALevelWithoutUnits) {
  Problem<bfloat16> p({1, 4, 4, 2, 2, 8});
  EXPECT_THROW(p.forward({Isa::kAvx512, Bf16Units::kNone}), Error);
  EXPECT_THROW(p.backward(Isa::kAvx2), Error);
}

// A view of the numbers between the room.
Tensor tensor(const Heads<bfloat16>& h) {
  return reshape(slice(Tensor::from(h.data, {h.batch, h.rows, h.row_stride}), 2, 0, h.heads * h.dim),
                 {h.batch, h.rows, h.heads, h.dim});
}
bool same(const Tensor& got, const Heads<bfloat16>& want) {
  return contiguous(got).to_bytes() == contiguous(tensor(want)).to_bytes();
}

// The op hands its operands to these kernels; a mask's gradient is not theirs.
TEST_F(AttentionBf16, IsWhatTheOpRuns) {
  for (bool mask : {false, true}) {
    Problem<bfloat16> p({2, 70, 90, 4, 2, 40}, {.window = 50, .softcap = 2, .mask = mask, .sinks = true});
    p.forward();
    p.backward();
    const AttentionShape& s = p.shape;
    const Shape rows{s.batch, s.heads, s.queries};
    AttentionOptions options{.scale = s.scale, .window = s.window, .softcap = s.softcap};
    options.sinks = Tensor::from(p.sinks, {s.heads});
    if (mask) options.mask = Tensor::from(p.mask, {s.batch, s.heads, s.queries, s.keys});
    const Tensor q = tensor(p.q), k = tensor(p.k), v = tensor(p.v);
    const std::vector<Tensor> y = attention(q, k, v, options);
    EXPECT_TRUE(same(y[0], p.out));
    EXPECT_EQ(y[1].to_bytes(), Tensor::from(p.lse, rows).to_bytes());
    if (mask) continue;
    const std::vector<Tensor> grads =
        attention_backward(q, k, v, y[0], y[1], tensor(p.dout), Tensor::from(p.dlse, rows), options);
    EXPECT_TRUE(same(grads[0], p.dq));
    EXPECT_TRUE(same(grads[1], p.dk));
    EXPECT_TRUE(same(grads[2], p.dv));
  }
}

}  // namespace
}  // namespace suiren::cpu
