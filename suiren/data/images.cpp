#include "suiren/data/images.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/data/input_stream.h"
#include "suiren/io/reader.h"

namespace suiren::data {
namespace {

// Streams of random numbers of one epoch.
constexpr uint64_t kOrder = 0, kFlip = 1, kShift = 2, kStreams = 3;
uint64_t stream(const Shuffle& s, uint64_t kind) { return static_cast<uint64_t>(s.epoch) * kStreams + kind; }

// IDX numbers are big-endian.
uint32_t big_endian(io::Reader& r) { return __builtin_bswap32(r.u32()); }

// An IDX file of bytes with `dims` dimensions: its extents, and its elements.
struct Idx {
  std::vector<int64_t> extents;
  std::vector<uint8_t> bytes;
};
Idx read_idx(const std::string& prefix, const std::string& suffix, uint32_t dims) {
  std::string path = prefix + suffix;
  if (!std::filesystem::exists(path) && std::filesystem::exists(path + ".gz")) path += ".gz";
  const std::string text = read_all(path);
  io::Reader r({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, path);
  const uint32_t magic = big_endian(r), expected = 0x800 + dims;
  SR_CHECK(magic == expected,
           "{}: begins with {:#010x}, expected {:#010x}: an IDX file of bytes with {} dimensions", path,
           magic, expected, dims);
  Idx idx;
  for (uint32_t d = 0; d < dims; ++d) idx.extents.push_back(big_endian(r));
  const auto size = static_cast<uint64_t>(io::checked_numel(idx.extents, path));
  const auto bytes = r.bytes(size);
  SR_CHECK(r.remaining() == 0, "{}: {} bytes follow its {} elements", path, r.remaining(), size);
  idx.bytes.assign(bytes.begin(), bytes.end());
  return idx;
}

}  // namespace

Images idx_images(const std::string& prefix) {
  Idx images = read_idx(prefix, "-images-idx3-ubyte", 3), labels = read_idx(prefix, "-labels-idx1-ubyte", 1);
  SR_CHECK(images.extents[0] == labels.extents[0], "{}: {} images and {} labels, expected as many", prefix,
           images.extents[0], labels.extents[0]);
  return {images.extents[0], images.extents[1], images.extents[2], std::move(images.bytes),
          std::move(labels.bytes)};
}

Batches::Batches(const Images& images, int64_t size, std::optional<Shuffle> shuffle, const Augment& augment)
    : images_(&images),
      size_(size),
      shuffle_(shuffle),
      augment_(augment),
      order_(static_cast<size_t>(images.count)) {
  SR_CHECK(size >= 1, "a batch of {} images, expected at least 1", size);
  SR_CHECK(augment.shift >= 0, "a shift of {} pixels, expected at least 0", augment.shift);
  std::iota(order_.begin(), order_.end(), 0);
  if (!shuffle) return;
  for (int64_t i = images.count - 1; i > 0; --i) {  // Fisher and Yates
    const double u = philox_uniform(shuffle->seed, stream(*shuffle, kOrder), static_cast<uint64_t>(i));
    std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(u * static_cast<double>(i + 1))]);
  }
}

int64_t Batches::count() const { return (images_->count + size_ - 1) / size_; }

// One picture in [0, 1], changed as augment_ says.
void Batches::fill(int64_t picture, float* to) const {
  const int64_t H = images_->height, W = images_->width;
  const uint8_t* from = images_->pixels.data() + picture * H * W;
  const Shuffle epoch = shuffle_.value_or(Shuffle{});
  const auto draw = [&](uint64_t kind, int64_t index) {
    return philox_uniform(epoch.seed, stream(epoch, kind), static_cast<uint64_t>(index));
  };
  const bool flip = augment_.flip && draw(kFlip, picture) < 0.5;
  int64_t move[2] = {0, 0};
  for (int64_t d = 0; d < 2 && augment_.shift > 0; ++d)
    move[d] =
        static_cast<int64_t>(draw(kShift, 2 * picture + d) * static_cast<double>(2 * augment_.shift + 1)) -
        augment_.shift;
  for (int64_t y = 0; y < H; ++y)
    for (int64_t x = 0; x < W; ++x) {
      const int64_t row = y + move[0], column = (flip ? W - 1 - x : x) + move[1];
      const bool inside = row >= 0 && row < H && column >= 0 && column < W;
      to[y * W + x] = inside ? static_cast<float>(from[row * W + column]) / 255 : 0;
    }
}

Batch Batches::operator[](int64_t index) const {
  SR_CHECK(index >= 0 && index < count(), "batch {} of {}", index, count());
  const int64_t first = index * size_, n = std::min(size_, images_->count - first);
  const int64_t H = images_->height, W = images_->width;
  std::vector<int64_t> labels(static_cast<size_t>(n));
  std::vector<float> pixels(static_cast<size_t>(n * H * W));
  parallel_for(n, 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t picture = order_[static_cast<size_t>(first + i)];
      labels[static_cast<size_t>(i)] = images_->labels[static_cast<size_t>(picture)];
      fill(picture, pixels.data() + i * H * W);
    }
  });
  return {Tensor::from(pixels, {n, 1, H, W}), Tensor::from(labels, {n})};
}

Batches batches(const Images& images, int64_t size, std::optional<Shuffle> shuffle, const Augment& augment) {
  return Batches(images, size, shuffle, augment);
}

}  // namespace suiren::data
