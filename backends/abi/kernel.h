#pragma once
// A header-only C++ face of the chip ABI: what a kernel sees. It knows nothing else of suiren.

#include <cstdint>

#include "backends/abi/suiren_backend.h"

namespace suiren::abi {

/// One operand: dims and strides in elements.
class Operand {
 public:
  Operand(const sr_tensor& t, void* base) : t_(t), base_(base) {}
  uint16_t dtype() const { return t_.dtype; }
  int rank() const { return static_cast<int>(t_.rank); }
  int64_t dim(int i) const { return t_.dims[i < 0 ? i + rank() : i]; }
  int64_t stride(int i) const { return t_.strides[i < 0 ? i + rank() : i]; }
  const int64_t* dims() const { return t_.dims; }
  const int64_t* strides() const { return t_.strides; }
  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < rank(); ++i) n *= dim(i);
    return n;
  }
  /// Row-major without gaps; extents of 1 do not matter.
  bool contiguous() const {
    int64_t step = 1;
    bool gaps = false;
    for (int i = rank() - 1; i >= 0; --i) {
      gaps = gaps || (dim(i) != 1 && stride(i) != step);
      step *= dim(i);
    }
    return !gaps || step == 0;  // nothing at all has no gaps
  }
  /// Every row of the last dimension lies without gaps.
  bool rows_contiguous() const { return rank() == 0 || dim(-1) <= 1 || stride(-1) == 1; }
  bool stable() const { return (t_.flags & SR_TENSOR_STABLE) != 0; }
  uint64_t version() const { return t_.version; }
  bool is_block() const { return t_.dtype >= SR_BLOCK_FIRST; }
  sr_memory memory() const { return t_.memory; }
  uint64_t byte_offset() const { return t_.offset; }
  /// Address of the first element (null while op_query asks about outputs that do not exist yet).
  template <class T>
  T* data() const {
    return base_ ? reinterpret_cast<T*>(static_cast<char*>(base_) + t_.offset) : nullptr;
  }

 private:
  const sr_tensor& t_;
  void* base_;
};

/// One call. `pointer` turns a memory handle into an address; chips without addresses pass their own.
class Call {
 public:
  Call(const sr_op& op, void* (*pointer)(sr_memory)) : op_(op), pointer_(pointer) {
    while (inputs_ < static_cast<int>(op.tensor_count) && op.tensors[inputs_].role != SR_ROLE_OUT) ++inputs_;
  }
  int inputs() const { return inputs_; }
  int outputs() const { return static_cast<int>(op_.tensor_count) - inputs_; }
  Operand in(int i) const { return operand(i); }
  Operand out(int i) const { return operand(inputs_ + i); }
  int64_t attr_i64(int i) const { return op_.attrs[i].i64; }
  double attr_f64(int i) const { return op_.attrs[i].f64; }
  const int64_t* attr_list(int i) const { return op_.attrs[i].list; }
  int attr_list_size(int i) const { return static_cast<int>(op_.attrs[i].list_size); }
  const sr_op& form() const { return op_; }

 private:
  Operand operand(int i) const {
    const sr_tensor& t = op_.tensors[i];
    return {t, t.memory ? pointer_(t.memory) : nullptr};
  }
  const sr_op& op_;
  void* (*pointer_)(sr_memory);
  int inputs_ = 0;
};

/// Why a kernel declines; null when it takes the call.
using Reason = const char*;

/// One kernel of a chip. Higher priority is asked first. Kernels never validate: the op did.
struct Kernel {
  const char* op;
  const char* name;
  int priority = 0;
  Reason (*accepts)(const Call&) = nullptr;          ///< null: takes every call
  uint64_t (*scratch_bytes)(const Call&) = nullptr;  ///< null: none
  void (*launch)(const Call&, void* scratch) = nullptr;
  bool takes_blocks = false;  ///< inputs in block formats; other kernels never see one
};

}  // namespace suiren::abi
