#pragma once
// Elements moved from one strided operand to another, and rows of bytes. Defined with the kernel of `copy`.

#include <initializer_list>
#include <span>

#include "backends/cpu/kernel_list.h"
#include "suiren/base/shape.h"

namespace suiren::cpu {

/// to = from, element by element; same shape and dtype, strides of any sign.
void move(const Operand& to, const Operand& from);

/// `count` runs of `bytes`: the i-th from `from + i * from_step` to `to + i * to_step`.
void move_runs(int64_t count, int64_t bytes, char* to, int64_t to_step, const char* from, int64_t from_step);

/// Zeros over `bytes` of memory.
void clear(char* to, int64_t bytes);

inline Shape shape_of(const Operand& x) {
  return Shape(std::span<const int64_t>(x.dims(), static_cast<size_t>(x.rank())));
}
inline Strides strides_of(const Operand& x) {
  return Strides(std::span<const int64_t>(x.strides(), static_cast<size_t>(x.rank())));
}

/// The memory of an operand under another shape and strides, `offset` elements from its first one.
class Restrided {
 public:
  Restrided(const Operand& x, const Shape& shape, const Strides& strides, int64_t offset);
  Operand operand() const { return {form_, base_}; }

 private:
  Shape shape_;
  Strides strides_;
  void* base_;
  sr_tensor form_;
};

}  // namespace suiren::cpu
