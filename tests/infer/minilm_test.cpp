// all-MiniLM-L6-v2 as it was published, beside transformers in float32
// (tests/golden/embedding/make_minilm.py).

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/infer/embedder.h"
#include "suiren/io/arrays.h"
#include "tests/models/fetched.h"
#include "tests/models/support.h"

namespace suiren::infer {
namespace {

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

TEST(MiniLm, VectorsAreThoseOfTransformers) {
  const std::string folder = models::fetched("minilm");
  if (folder.empty()) GTEST_SKIP() << "all-MiniLM-L6-v2 is not here: tools/fetch_models minilm";
  const Embedder model = Embedder::load(folder);
  const auto golden = models::golden("embedding/minilm/texts.json");
  const auto rows = golden["texts"].size(), width = static_cast<size_t>(model.dimensions());
  ASSERT_EQ(width, 384u);
  EXPECT_EQ(model.max_tokens(), 512);
  const std::vector<float> want =
      io::load_npy("tests/golden/embedding/minilm/vectors.npy").to_vector<float>();
  ASSERT_EQ(want.size(), rows * width);
  std::vector<Embedder::Text> texts;
  int cut = 0;
  for (size_t i = 0; i < rows; ++i) {
    texts.push_back(model.encode(golden["texts"][i].get<std::string>()));
    EXPECT_EQ(texts[i].ids, golden["ids"][i].get<std::vector<int64_t>>()) << golden["texts"][i];
    cut += texts[i].cut > 0;
  }
  EXPECT_EQ(cut, 2);
  const std::vector<float> got = model.embed(texts);
  ASSERT_EQ(got.size(), want.size());
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(got[i]) - want[i]);
    worst = std::max(worst, difference);
    ASSERT_LT(difference, 2e-6) << golden["texts"][i / width] << " element " << i % width;
  }
  RecordProperty("largest_difference", fmt::format("{:.2e}", worst));
  // What the vectors are for: a paraphrase is nearer than another sense of the same word.
  const auto of = [&](size_t i) { return std::span(got).subspan(i * width, width); };
  EXPECT_GT(dot(of(0), of(1)), dot(of(0), of(2)) + 0.2);
  EXPECT_GT(dot(of(4), of(5)), dot(of(2), of(3)) + 0.2);
}

}  // namespace
}  // namespace suiren::infer
