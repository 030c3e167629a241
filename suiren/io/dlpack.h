#pragma once
// DLPack: tensors in and out of other frameworks without a common library (dmlc/dlpack, version 0.8, the
// unversioned DLManagedTensor that every consumer takes). The structs repeat the published layout.

#include <cstdint>

#include "suiren/core/tensor.h"

namespace suiren::io {

struct DLDevice {
  int32_t device_type;  ///< 1: CPU
  int32_t device_id;
};
struct DLDataType {
  uint8_t code;  ///< 0 int, 1 uint, 2 float, 4 bfloat, 6 bool
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  ///< elements; null: row-major
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};

/// The same memory, strides kept; it lives until the deleter is called. Throws Error{kUnsupported} unless the
/// tensor lies in host memory.
DLManagedTensor* to_dlpack(const Tensor& t);
/// A copy of the elements; the deleter of `managed` is called, also when this throws. Throws
/// Error{kUnsupported} for devices other than the CPU and for types that tensors have not, {kInvalid} for a
/// wrong shape.
Tensor from_dlpack(DLManagedTensor* managed, const Device& device = {});

}  // namespace suiren::io
