#include "suiren/data/loader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "suiren/base/error.h"

namespace suiren::data {
namespace fs = std::filesystem;

class Loading : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = (fs::temp_directory_path() / fmt::format("suiren-loader-{}", ::getpid())).string();
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  template <class Id>
  std::string put(const std::string& name, const std::vector<Id>& ids) {
    write_file(folder_ + "/" + name, {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(Id)});
    return folder_ + "/" + name;
  }
  /// Ids 0, 1, 2, ...: a token says where it stands.
  std::shared_ptr<const Tokens> counting(int64_t n) {
    std::vector<uint32_t> ids(static_cast<size_t>(n));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<uint32_t>(i);
    return std::make_shared<Tokens>(Tokens::open(put("count.u32", ids)));
  }
  template <class F>
  static std::string refusal(F f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(exit_code(e.code()), 2);
      return e.what();
    }
    return "";
  }
  std::string folder_;
};

TEST_F(Loading, TokensReadAcrossFiles) {
  const auto a = put<uint16_t>("a.u16", {1, 2, 65535}), b = put<uint16_t>("b.u16", {}),
             c = put<uint16_t>("c.u16", {4, 5});
  const Tokens tokens({a, b, c}, 2);
  ASSERT_EQ(tokens.size(), 5);
  std::vector<int64_t> ids(4);
  tokens.read(1, std::span(ids));
  EXPECT_EQ(ids, (std::vector<int64_t>{2, 65535, 4, 5}));
  EXPECT_EQ(tokens[0], 1u);
  EXPECT_EQ(tokens[4], 5u);
  EXPECT_EQ(tokens.place(3), c + ", token 0");
  EXPECT_THROW(tokens[5], Error);
  EXPECT_THROW(tokens[-1], Error);
  EXPECT_EQ(Tokens::open(put<uint32_t>("d.u32", {70000, 3}))[0], 70000u);
  tokens.check_ids(65536);
  EXPECT_EQ(
      refusal([&] { tokens.check_ids(65535); }),
      a + ", token 2 is id 65535, but the model's vocabulary has 65535; these tokens were made with another "
          "tokenizer");
  EXPECT_NE(refusal([&] { tokens.check_ids(5); }).find("token 2 is id 65535"), std::string::npos);
}

TEST_F(Loading, BadTokenFilesAreNamed) {
  write_file(folder_ + "/odd.u16", "abc");
  EXPECT_NE(refusal([&] { Tokens::open(folder_ + "/odd.u16"); }).find("odd.u16 has 3 bytes"),
            std::string::npos);
  write_file(folder_ + "/odd.u32", "abcdef");
  EXPECT_NE(refusal([&] { Tokens::open(folder_ + "/odd.u32"); }).find("no multiple of 4"), std::string::npos);
  write_file(folder_ + "/none.u16", "");
  EXPECT_NE(refusal([&] { Tokens::open(folder_ + "/none.u16"); }).find("is empty"), std::string::npos);
  EXPECT_NE(refusal([&] { Tokens::open(folder_ + "/x.bin"); }).find(".u16 or .u32"), std::string::npos);
  EXPECT_NE(refusal([&] { Tokens::open(folder_ + "/lost.u16"); }).find("no such file"), std::string::npos);
}

TEST_F(Loading, SequentialReadsWindowAfterWindowAndStartsAgain) {
  for (const int64_t n : {65, 100, 129, 193}) {
    const int64_t t = 64, windows = (n - 1) / t;
    const Loader loader(counting(n), {.sequence_length = t, .order = Order::kSequential});
    EXPECT_EQ(loader.windows_per_epoch(), windows);
    for (int64_t i = 0; i < 3 * windows + 1; ++i) {
      std::vector<int32_t> wanted(t + 1);
      for (int64_t j = 0; j <= t; ++j)
        wanted[static_cast<size_t>(j)] = static_cast<int32_t>(i % windows * t + j);
      EXPECT_EQ(loader.sequence(i), wanted) << n << " tokens, sequence " << i;
    }
  }
}

TEST_F(Loading, ShuffledReadsEveryWindowOnceAnEpochAndShiftsTheGrid) {
  const int64_t t = 16;
  for (const int64_t n : {17, 31, 33, 50, 1000, 16 * 257}) {
    const Loader loader(counting(n), {.sequence_length = t, .order = Order::kShuffled, .seed = 5});
    const int64_t windows = loader.windows_per_epoch();
    EXPECT_EQ(windows, std::max<int64_t>(1, (n - t) / t));
    std::set<int64_t> shifts;
    std::set<std::vector<int64_t>> orders;
    for (int64_t epoch = 0; epoch < 200; ++epoch) {
      std::vector<int64_t> order;
      for (int64_t k = 0; k < windows; ++k) {
        const int64_t start = loader.start(epoch * windows + k);
        ASSERT_GE(start, 0);
        ASSERT_LE(start + t + 1, n);
        shifts.insert(start % t);
        order.push_back(start / t);
      }
      ASSERT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), static_cast<size_t>(windows)) << n;
      orders.insert(order);
    }
    EXPECT_EQ(shifts.size(), static_cast<size_t>(std::min(t, n - windows * t))) << n;
    EXPECT_TRUE(windows < 50 || orders.size() == 200) << orders.size();
  }
}

TEST_F(Loading, PermuteIsABijectionAndLooksRandom) {
  for (int64_t n = 1; n <= 300; ++n) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t p = permute(i, n, 7, 3);
      ASSERT_TRUE(p >= 0 && p < n && seen.insert(p).second) << n << ", " << i;
    }
  }
  // Over many keys each value is as likely at each place: chi-squared with 80 degrees of freedom, 99.99%
  // below 137.
  constexpr int64_t kN = 9, kKeys = 9000;
  std::vector<int> counts(kN * kN);
  for (int64_t key = 0; key < kKeys; ++key)
    for (int64_t i = 0; i < kN; ++i)
      ++counts[static_cast<size_t>(i * kN + permute(i, kN, 1, static_cast<uint64_t>(key)))];
  double chi2 = 0;
  for (int c : counts) chi2 += std::pow(c - kKeys / 9.0, 2) / (kKeys / 9.0);
  EXPECT_LT(chi2, 137);
  EXPECT_NE(permute(0, 1 << 20, 1, 0), permute(0, 1 << 20, 2, 0));
  EXPECT_LT(permute(123456789012, int64_t{1} << 40, 1, 0), int64_t{1} << 40);
}

TEST_F(Loading, AnyPositionIsReachedWithoutTheOnesBefore) {
  const auto tokens = counting(5000);
  const LoaderConfig config{.sequence_length = 32, .order = Order::kShuffled, .seed = 9};
  const Loader whole(tokens, config);
  std::vector<std::vector<int32_t>> all;
  for (int64_t i = 0; i < 700; ++i) all.push_back(whole.sequence(i));
  for (int64_t i : {0, 1, 154, 155, 699})
    EXPECT_EQ(Loader(tokens, config).sequence(i), all[static_cast<size_t>(i)]);
  EXPECT_NE(Loader(tokens, {.sequence_length = 32, .order = Order::kShuffled, .seed = 10}).sequence(0),
            all[0]);
}

TEST_F(Loading, BatchesAreSequencesSplitIntoInputsAndTargets) {
  const Loader loader(counting(1000), {.sequence_length = 8, .order = Order::kShuffled, .seed = 2});
  std::vector<int64_t> inputs(24), targets(24);
  loader.batch(40, 3, inputs.data(), targets.data());
  for (int64_t row = 0; row < 3; ++row) {
    const auto s = loader.sequence(40 + row);
    for (int64_t j = 0; j < 8; ++j) {
      EXPECT_EQ(inputs[static_cast<size_t>(row * 8 + j)], s[static_cast<size_t>(j)]);
      EXPECT_EQ(targets[static_cast<size_t>(row * 8 + j)], s[static_cast<size_t>(j) + 1]);
    }
  }
}

TEST_F(Loading, DataThatCannotFeedAStepIsRefused) {
  const auto tokens = counting(64);
  EXPECT_NE(refusal([&] {
              Loader(tokens, {.sequence_length = 64});
            }).find("holds 64 tokens, but one step of 1 sequences of 64 takes 65"),
            std::string::npos);
  Loader(tokens, {.sequence_length = 63});
  EXPECT_NE(
      refusal([&] { Loader(tokens, {.sequence_length = 8, .sequences_per_step = 8}); }).find("takes 65"),
      std::string::npos);
  Loader(tokens, {.sequence_length = 8, .sequences_per_step = 7});
  EXPECT_NE(refusal([&] { Loader(tokens, {.sequence_length = 0}); }).find("sequence_length is 0"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              Loader(tokens, {.sequence_length = 8, .vocab_size = 64 - 1});
            }).find("token 63 is id 63"),
            std::string::npos);
  EXPECT_NE(refusal([] { parse_order("random"); }).find("order is 'random'"), std::string::npos);
}

}  // namespace suiren::data
