#pragma once
// A buffer that grows and is never read before it is written: what a kernel keeps per thread between calls.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>

namespace suiren::cpu {

template <class T>
class Scratch {
 public:
  /// At least `count` elements, aligned to 64 bytes; what was there before may be gone.
  T* get(int64_t count) {
    if (count > capacity_) {
      data_.reset();
      capacity_ = 0;
      data_.reset(
          static_cast<T*>(::operator new[](static_cast<size_t>(count) * sizeof(T), std::align_val_t{64})));
      capacity_ = count;
    }
    return data_.get();
  }
  T* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  int64_t capacity_ = 0;
};

}  // namespace suiren::cpu
