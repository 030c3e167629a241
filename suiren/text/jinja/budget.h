#pragma once
// What one rendering may cost. For one thread.

#include <cstdint>

#include "suiren/base/error.h"

namespace suiren::text::jinja {

/// Steps that are left. Evaluating a node is one; so are 16 bytes of text or one item of a list that is made,
/// so that steps bound time and memory at once.
class Budget {
 public:
  explicit Budget(int64_t steps) : left_(steps), limit_(steps) {}
  void spend(int64_t steps) {
    if (steps > left_) [[unlikely]]
      exhausted();
    left_ -= steps;
  }
  /// Before text of so many bytes is made, or read through.
  void spend_bytes(uint64_t bytes) { spend(static_cast<int64_t>(bytes / 16)); }
  /// Text of `count` times `bytes`, neither negative.
  void spend_product(uint64_t count, uint64_t bytes) {
    uint64_t product = 0;
    if (__builtin_mul_overflow(count, bytes, &product)) exhausted();
    spend_bytes(product);
  }
  /// Counts how deep a value is being printed: namespaces may hold one another in a circle.
  class Nesting {
   public:
    explicit Nesting(Budget& budget) : depth_(budget.depth_) {
      SR_CHECK(depth_ < kMaxDepth, "a value that is nested deeper than {} cannot be printed", kMaxDepth);
      ++depth_;
    }
    ~Nesting() { --depth_; }
    Nesting(const Nesting&) = delete;

   private:
    int& depth_;
  };

 private:
  [[noreturn]] void exhausted() const {
    fail(ErrorCode::kInvalid, "the template takes more than the {} steps that are allowed", limit_);
  }
  static constexpr int kMaxDepth = 500;
  int64_t left_, limit_;
  int depth_ = 0;
};

}  // namespace suiren::text::jinja
