// Attention in f32.

#include "tests/cpu/attention_contract.h"

namespace suiren::cpu {
namespace {

TEST(Attention, AgreesWithF64) {
  for (const Size& size : std::initializer_list<Size>{{1, 1, 1, 1, 1, 1},
                                                      {1, 2, 2, 1, 1, 3},
                                                      {2, 5, 5, 2, 1, 8},
                                                      {1, 64, 64, 2, 2, 64},
                                                      {1, 65, 65, 3, 1, 64},
                                                      {2, 130, 130, 4, 2, 64},
                                                      {1, 63, 63, 2, 1, 17},
                                                      {1, 70, 200, 4, 2, 32},
                                                      {1, 1, 129, 4, 1, 64},
                                                      {1, 3, 64, 2, 2, 80},
                                                      {1, 100, 100, 1, 1, 96},
                                                      {1, 50, 70, 2, 1, 128},
                                                      {1, 40, 90, 2, 2, 129},
                                                      {1, 66, 66, 1, 1, 256},
                                                      {2, 20, 20, 6, 3, 5},
                                                      {1, 300, 300, 1, 1, 16}}) {
    check_problem<float>(size, 5e-6);
    if (HasFatalFailure()) return;
  }
}

TEST(Attention, TakesEveryOption) { check_options<float>(90, 130, 24, 5e-6); }

// Scores up to about 100: most weights vanish.
TEST(Attention, StaysExactWithLargeScores) { check_problem<float>({1, 150, 150, 2, 1, 64}, 5e-5, {}, 40); }

TEST(Attention, WritesNothingBetweenTheRows) { check_room_between_rows<float>(); }

TEST(Attention, GivesTheSameBitsInChunksAndTokenByToken) {
  for (int64_t dim : {64, 24}) check_chunks<float>(dim, {});
}

TEST(Attention, GivesTheSameBitsInABatchAndWithAnyThreads) { check_batch_and_threads<float>(64); }

TEST(Attention, IgnoresWhatAQueryMustNotSee) { check_unseen_keys<float>(); }

TEST(Attention, SkipsKeysWithScoresOfMinusInfinity) { check_minus_infinity<float>(1e-6); }

TEST(Attention, RefusesShapesItCannotTake) {
  Problem<float> p({1, 4, 4, 2, 2, 8});
  p.shape.head_dim = 257;
  EXPECT_THROW(p.forward(), Error);
  p.shape.head_dim = 8, p.shape.kv_heads = 3;
  EXPECT_THROW(p.forward(), Error);
  p.shape.kv_heads = 2, p.shape.queries = 5;
  EXPECT_THROW(p.backward(), Error);
}

}  // namespace
}  // namespace suiren::cpu
