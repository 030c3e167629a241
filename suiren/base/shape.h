#pragma once
// Shapes and strides: small inline arrays of up to 8 extents. Value types; safe to copy between threads.

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <span>

#include "suiren/base/error.h"

namespace suiren {

inline constexpr int kMaxRank = 8;

/// Up to kMaxRank 64-bit numbers, stored inline. Shape counts elements; Strides counts elements too (not
/// bytes).
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> d) : Dims(std::span<const int64_t>(d.begin(), d.size())) {}
  explicit Dims(std::span<const int64_t> d) {
    for (int64_t x : d) push_back(x);
  }
  int rank() const { return rank_; }
  int size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int i) const { return d_[i]; }
  int64_t& operator[](int i) { return d_[i]; }
  /// The i-th entry; a negative i counts from the end, as in dim(-1).
  int64_t dim(int i) const {
    const int j = i < 0 ? i + rank_ : i;
    SR_CHECK_AS(kShape, j >= 0 && j < rank_, "dimension {} is out of range for rank {}", i, rank_);
    return d_[j];
  }
  void push_back(int64_t x) {
    SR_CHECK_AS(kShape, rank_ < kMaxRank, "a tensor has at most {} dimensions", kMaxRank);
    d_[rank_++] = x;
  }
  void insert(int i, int64_t x) {
    push_back(0);
    for (int j = rank_ - 1; j > i; --j) d_[j] = d_[j - 1];
    d_[i] = x;
  }
  void erase(int i) {
    for (int j = i; j + 1 < rank_; ++j) d_[j] = d_[j + 1];
    --rank_;
  }
  const int64_t* begin() const { return d_; }
  const int64_t* end() const { return d_ + rank_; }
  const int64_t* data() const { return d_; }
  bool operator==(const Dims& o) const {
    if (rank_ != o.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if (d_[i] != o.d_[i]) return false;
    return true;
  }

 protected:
  int64_t d_[kMaxRank] = {};
  int rank_ = 0;
};

/// Extents of a tensor, outermost first. [] is a scalar with one element.
class Shape : public Dims {
 public:
  using Dims::Dims;
  /// Number of elements: the product of the extents; 1 for a scalar.
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t d : *this) n *= d;
    return n;
  }
};

/// Elements between neighbours along each dimension; 0 repeats (broadcast), negative runs backwards.
class Strides : public Dims {
 public:
  using Dims::Dims;
};

/// Row-major strides of `shape`.
Strides contiguous_strides(const Shape& shape);
/// True when (shape, strides) walks memory in row-major order without gaps; extents of 1 do not matter.
bool is_contiguous(const Shape& shape, const Strides& strides);
/// NumPy broadcasting of two shapes; throws Error{kShape} naming both when they do not fit.
Shape broadcast(const Shape& a, const Shape& b);
/// `axis` in [0, rank); a negative axis counts from the end. Throws Error{kShape} when out of range.
int normalize_axis(int64_t axis, int rank);

}  // namespace suiren

template <>
struct fmt::formatter<suiren::Dims> : fmt::formatter<std::string_view> {
  auto format(const suiren::Dims& d, format_context& c) const {
    return fmt::format_to(c.out(), "[{}]", fmt::join(d.begin(), d.end(), ", "));
  }
};
template <>
struct fmt::formatter<suiren::Shape> : fmt::formatter<suiren::Dims> {};
template <>
struct fmt::formatter<suiren::Strides> : fmt::formatter<suiren::Dims> {};
