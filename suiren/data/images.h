#pragma once
// Sets of small labelled pictures in the IDX format of MNIST, and batches of them as tensors. Plain values;
// one Batches belongs to one thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "suiren/core/tensor.h"

namespace suiren::data {

/// Pictures of one size, a byte for each pixel, rows from the top, and a class for each picture.
struct Images {
  int64_t count = 0, height = 0, width = 0;
  std::vector<uint8_t> pixels;  ///< [count, height, width]
  std::vector<uint8_t> labels;  ///< [count]
};

/// Reads PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte, or the same with .gz. Throws Error{kNotFound}
/// when a file is missing and Error{kInvalid} naming the file and what is wrong when it is no IDX file of
/// bytes, is cut short or too long, or the two do not hold the same number.
Images idx_images(const std::string& prefix);

/// An order of the pictures: a permutation that is a function of both numbers.
struct Shuffle {
  uint64_t seed = 0;
  int64_t epoch = 0;
};
/// Changes that keep the class, drawn for each picture and epoch: a mirror image, and a move by up to `shift`
/// pixels each way with black coming in.
struct Augment {
  bool flip = false;
  int64_t shift = 0;
};

struct Batch {
  Tensor image;  ///< f32 [size, 1, height, width], 0 black to 1 white
  Tensor label;  ///< i64 [size]
};

/// The batches of one pass, for a range-based for; the last one may be smaller.
class Batches {
 public:
  Batches(const Images& images, int64_t size, std::optional<Shuffle> shuffle, const Augment& augment);
  int64_t count() const;
  Batch operator[](int64_t index) const;

  class Iterator {
   public:
    Iterator(const Batches& all, int64_t at) : all_(&all), at_(at) {}
    Batch operator*() const { return (*all_)[at_]; }
    Iterator& operator++() { return ++at_, *this; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Batches* all_;
    int64_t at_;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, count()}; }

 private:
  void fill(int64_t picture, float* to) const;
  const Images* images_;
  int64_t size_;
  std::optional<Shuffle> shuffle_;
  Augment augment_;
  std::vector<int64_t> order_;
};

/// `images` must outlive the result. In their own order without a Shuffle. Throws Error{kInvalid} unless size
/// is at least 1.
Batches batches(const Images& images, int64_t size, std::optional<Shuffle> shuffle = {},
                const Augment& augment = {});

}  // namespace suiren::data
