// One query of each head, as in decoding, against the same query among others: the bits are equal, for any
// number of threads, whatever keys and values are stored in.

#include "tests/cpu/attention_blocks.h"

namespace suiren::cpu {
namespace {

struct Result {
  Heads<float> out;
  std::vector<float> lse;
};

// The last `queries` of the problem's queries.
template <class Stored>
Result last_queries(const Problem<float>& p, const Stored& k, const Stored& v, int64_t queries,
                    GemmLevel level) {
  AttentionShape shape = p.shape;
  const int64_t first = shape.queries - queries;
  shape.queries = queries;
  AttentionExtras<float> extras = p.extras();
  if (extras.mask.data) extras.mask.data += first * extras.mask.row_stride;
  Result r{Heads<float>(shape.batch, queries, shape.heads, shape.head_dim, 9),
           std::vector<float>(static_cast<size_t>(shape.batch * shape.heads * queries))};
  HeadsView<const float> q = p.q.read();
  q.data += first * q.row_stride;
  attention_forward(shape, q, k.read(), v.read(), r.out.view(), r.lse.data(), extras, level);
  return r;
}

template <class K>
auto stored(const Heads<float>& x) {
  if constexpr (std::is_same_v<K, BlockQ8_0>) {
    return HeadBlocks(x);
  } else {
    Heads<K> y(x.batch, x.rows, x.heads, x.dim, 1);
    for (size_t i = 0; i < x.data.size(); ++i)
      y.data[i] = K(x.data[i] * (i % 11 == 3 ? 1e-6f : 1.0f));  // some are subnormal in f16
    return y;
  }
}

// The last of three queries, alone on 1, 2 and 5 threads.
template <class K>
void check_last(int64_t keys, int64_t heads, int64_t kv_heads, int64_t dim, const With& with) {
  const int64_t batch = 2, queries = std::min<int64_t>(3, keys);
  for (GemmLevel level : attention_levels<float>()) {
    const Problem<float> p({batch, queries, keys, heads, kv_heads, dim}, with);
    const auto k = stored<K>(p.k), v = stored<K>(p.v);
    const Result many = last_queries(p, k, v, queries, level);
    for (int threads : {1, 2, 5}) {
      set_thread_count(threads);
      const Result one = last_queries(p, k, v, 1, level);
      for (int64_t b = 0; b < batch; ++b) {
        ASSERT_TRUE(one.out.row_is(b, many.out, b * queries + queries - 1))
            << name(level) << " keys " << keys << " dim " << dim << " threads " << threads;
        for (int64_t h = b * heads; h < (b + 1) * heads; ++h)
          ASSERT_EQ(one.lse[h], many.lse[h * queries + queries - 1]) << name(level) << " keys " << keys;
      }
    }
  }
  set_thread_count(available_cpus());
}

template <class K>
void check_lengths() {
  // Around the borders of vectors, blocks and spans of kAttentionBlock blocks.
  for (int64_t keys : {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000, 4095, 4096, 4097})
    for (const With& w : {With{}, With{.window = 70, .softcap = 2, .mask = true, .sinks = true}}) {
      check_last<K>(keys, 6, 2, 32, w);
      if (testing::Test::HasFatalFailure()) return;
    }
}

template <class K>
void check_shapes() {
  struct Shape {
    int64_t heads, kv_heads, dim;
  };
  for (const Shape& s : {Shape{1, 1, 16},
                         {9, 3, 64},
                         {4, 4, 80},
                         {5, 1, 128},
                         {18, 1, 16},
                         {14, 2, 256},
                         {4, 2, 24},
                         {2, 1, 36},
                         {3, 1, 7}}) {
    check_last<K>(200, s.heads, s.kv_heads, s.dim, {});
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class K>
void check_each_option() {
  for (const With& w : {With{.window = 1}, With{.window = 64}, With{.window = 65}, With{.softcap = 0.7f},
                        With{.mask = true}, With{.sinks = true}, With{.causal = false},
                        With{.causal = false, .softcap = 2, .mask = true, .sinks = true}}) {
    check_last<K>(150, 4, 2, 64, w);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(AttentionQuery, IsTheSameAloneOverF32) {
  check_lengths<float>();
  check_shapes<float>();
  check_each_option<float>();
}
TEST(AttentionQuery, IsTheSameAloneOverF16) {
  check_lengths<float16>();
  check_shapes<float16>();
  check_each_option<float16>();
}
TEST(AttentionQuery, IsTheSameAloneOverBf16) {
  check_lengths<bfloat16>();
  check_shapes<bfloat16>();
  check_each_option<bfloat16>();
}

TEST(AttentionQuery, IsTheSameAloneOverBlocksOfQ8) {
  check_lengths<BlockQ8_0>();
  for (const auto& [heads, kv_heads, dim] : std::initializer_list<std::array<int64_t, 3>>{
           {1, 1, 32}, {9, 3, 64}, {4, 4, 96}, {5, 1, 128}, {18, 1, 32}, {14, 2, 256}, {3, 3, 160}})
    check_last<BlockQ8_0>(200, heads, kv_heads, dim, {});
  check_each_option<BlockQ8_0>();
}

// Blocks of keys that score -inf, and spans of them, before ordinary ones.
TEST(AttentionQuery, SkipsSpansThatScoreMinusInfinity) {
  for (GemmLevel level : attention_levels<float>())
    for (int64_t hidden : {70, 4096, 4200}) {
      const int64_t keys = hidden + 50, dim = 16;
      Problem<float> p({1, 2, keys, 1, 1, dim});
      for (float& x : p.q.data) x = 1;
      for (int64_t j = 0; j < hidden; ++j) p.k.at(0, j, 0, 0) = -INFINITY;
      const Result many = last_queries(p, p.k, p.v, 2, level), one = last_queries(p, p.k, p.v, 1, level);
      ASSERT_TRUE(one.out.row_is(0, many.out, 1)) << name(level) << " hidden " << hidden;
      ASSERT_TRUE(std::isfinite(one.lse[0])) << one.lse[0];
      ASSERT_EQ(one.lse[0], many.lse[1]);
    }
}

// A batch entry has the bits that it has alone, and each thread may have entries of its own.
TEST(AttentionQuery, IsTheSameInABatch) {
  const int64_t batch = 7, keys = 300, heads = 4;
  const Problem<float> p({batch, 1, keys, heads, 2, 64});
  const Heads<float16> k = stored<float16>(p.k), v = stored<float16>(p.v);
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    const Result all = last_queries(p, k, v, 1, {});
    for (int64_t b = 0; b < batch; ++b) {
      AttentionShape shape = p.shape;
      shape.batch = 1;
      Heads<float> out(1, 1, heads, 64, 9);
      const auto entry = [&](auto view) {
        view.data += b * view.batch_stride;
        return view;
      };
      attention_forward(shape, entry(p.q.read()), entry(k.read()), entry(v.read()), out.view(), nullptr);
      ASSERT_TRUE(out.row_is(0, all.out, b)) << threads << " threads, entry " << b;
    }
  }
  set_thread_count(available_cpus());
}

}  // namespace
}  // namespace suiren::cpu
