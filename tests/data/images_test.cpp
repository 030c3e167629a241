// IDX files of pictures, good and bad, and the batches made of them.

#include "suiren/data/images.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <set>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::data {
namespace {

std::string numbers(std::initializer_list<uint32_t> list) {
  std::string bytes;
  for (uint32_t v : list)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift);
  return bytes;
}

// `count` pictures of 2 x 3: pixel j of picture i is 10 i + j; label i % 4.
std::string pictures(uint32_t count) {
  std::string bytes = numbers({0x803, count, 2, 3});
  for (uint32_t i = 0; i < count; ++i)
    for (uint32_t j = 0; j < 6; ++j) bytes += static_cast<char>(10 * i + j);
  return bytes;
}
std::string classes(uint32_t count) {
  std::string bytes = numbers({0x801, count});
  for (uint32_t i = 0; i < count; ++i) bytes += static_cast<char>(i % 4);
  return bytes;
}

class ImagesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + fmt::format("suiren_images_{}/", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Images read(const std::string& images, const std::string& labels) {
    write_file(folder_ + "a-images-idx3-ubyte", images);
    write_file(folder_ + "a-labels-idx1-ubyte", labels);
    return idx_images(folder_ + "a");
  }
  std::string refusal(const std::string& images, const std::string& labels) {
    try {
      read(images, labels);
    } catch (const Error& e) {
      EXPECT_EQ(exit_code(e.code()), 2);
      return e.what();
    }
    return "accepted";
  }
  std::string folder_;
};

TEST_F(ImagesTest, ReadsPlainAndCompressedFiles) {
  const Images plain = read(pictures(5), classes(5));
  EXPECT_EQ(plain.count, 5);
  EXPECT_EQ(plain.height, 2);
  EXPECT_EQ(plain.width, 3);
  EXPECT_EQ(plain.pixels[6 * 4 + 5], 45);
  EXPECT_EQ(plain.labels, (std::vector<uint8_t>{0, 1, 2, 3, 0}));
  for (const auto& [name, text] :
       {std::pair{"b-images-idx3-ubyte.gz", pictures(5)}, {"b-labels-idx1-ubyte.gz", classes(5)}}) {
    gzFile file = gzopen((folder_ + name).c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
  }
  const Images packed = idx_images(folder_ + "b");
  EXPECT_EQ(packed.pixels, plain.pixels);
  EXPECT_EQ(packed.labels, plain.labels);
}

TEST_F(ImagesTest, BadFilesAreNamed) {
  EXPECT_NE(refusal(classes(5), classes(5))
                .find("a-images-idx3-ubyte: begins with 0x00000801, expected 0x00000803"),
            std::string::npos);
  EXPECT_NE(refusal(pictures(5), pictures(5)).find("a-labels-idx1-ubyte: begins with"), std::string::npos);
  EXPECT_NE(refusal(pictures(5), classes(4)).find("5 images and 4 labels"), std::string::npos);
  EXPECT_NE(refusal(pictures(5) + "x", classes(5)).find("1 bytes follow its 30 elements"), std::string::npos);
  EXPECT_NE(refusal("", classes(5)).find("at byte 0, 4 bytes are wanted"), std::string::npos);
  const std::string whole = pictures(5);
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_NE(refusal(whole.substr(0, n), classes(5)).find("cut short or damaged"), std::string::npos) << n;
  // Extents whose product overflows, or that no file could hold.
  EXPECT_NE(refusal(numbers({0x803, 0xffffffff, 0xffffffff, 0xffffffff}), classes(5)).find("out of range"),
            std::string::npos);
  EXPECT_NE(refusal(numbers({0x803, 0xffffffff, 0xffff, 1}), classes(5)).find("cut short"),
            std::string::npos);
  EXPECT_THROW(idx_images(folder_ + "nothing"), Error);
}

TEST_F(ImagesTest, BatchesHoldEveryPictureOnceInTheOrderOfTheSeed) {
  const Images images = read(pictures(11), classes(11));
  const auto order = [&](std::optional<Shuffle> shuffle) {
    std::vector<int> seen;
    for (const auto& [image, label] : batches(images, 4, shuffle)) {
      const auto pixels = image.to_vector<float>();
      const auto labels = label.to_vector<int64_t>();
      EXPECT_EQ(image.shape(), (Shape{label.dim(0), 1, 2, 3}));
      for (size_t i = 0; i < labels.size(); ++i) {
        seen.push_back(static_cast<int>(pixels[6 * i] * 255 / 10 + 0.5f));
        EXPECT_EQ(labels[i], seen.back() % 4);
        EXPECT_FLOAT_EQ(pixels[6 * i + 5], static_cast<float>(10 * seen.back() + 5) / 255);
      }
    }
    return seen;
  };
  std::vector<int> sorted(11);
  for (int i = 0; i < 11; ++i) sorted[static_cast<size_t>(i)] = i;
  EXPECT_EQ(order({}), sorted);
  const auto first = order(Shuffle{1, 0});
  EXPECT_NE(first, sorted);
  EXPECT_EQ(first, order(Shuffle{1, 0}));
  EXPECT_NE(first, order(Shuffle{1, 1}));
  EXPECT_NE(first, order(Shuffle{2, 0}));
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 11u);
  EXPECT_EQ(batches(images, 4)[2].label.dim(0), 3);
  EXPECT_THROW(batches(images, 0), Error);
  EXPECT_THROW(batches(images, 4)[3], Error);
}

TEST_F(ImagesTest, AugmentationMirrorsAndMoves) {
  const Images images = read(pictures(20), classes(20));
  const auto rows = [&](const Augment& a) {
    return batches(images, 20, Shuffle{1, 0}, a)[0].image.to_vector<float>();
  };
  const auto plain = rows({}), flipped = rows({.flip = true}), moved = rows({.shift = 1});
  int mirrored = 0, same = 0;
  for (size_t i = 0; i < plain.size(); i += 3) {
    if (flipped[i] == plain[i + 2] && flipped[i + 1] == plain[i + 1] && flipped[i + 2] == plain[i])
      ++mirrored;
    else
      same += flipped[i] == plain[i] && flipped[i + 2] == plain[i + 2];
  }
  EXPECT_EQ(mirrored + same, 40);
  EXPECT_GT(mirrored, 8);
  EXPECT_GT(same, 8);
  int matched = 0;
  for (size_t picture = 0; picture < 20; ++picture)
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) {
        bool all = true;
        for (int y = 0; y < 2; ++y)
          for (int x = 0; x < 3; ++x) {
            const bool inside = y + dy >= 0 && y + dy < 2 && x + dx >= 0 && x + dx < 3;
            const float want = inside ? plain[picture * 6 + static_cast<size_t>((y + dy) * 3 + x + dx)] : 0;
            all = all && moved[picture * 6 + static_cast<size_t>(y * 3 + x)] == want;
          }
        matched += all;
      }
  EXPECT_EQ(matched, 20);  // each is one of the nine moves, and no two moves look the same
  EXPECT_NE(moved, plain);
}

}  // namespace
}  // namespace suiren::data
