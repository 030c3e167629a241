#pragma once
// Tensor: the one array type. A value handle on shared storage, with strides, and an optional gradient node.
// Handles may be copied between threads; two threads may read one tensor, but not write it.

#include <atomic>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "suiren/base/dtype.h"
#include "suiren/base/shape.h"

struct sr_memory_s;

namespace suiren {

class DeviceContext;
class Node;

/// A device by name: "cpu", "cuda:1", or the path of a plug-in. Cheap to copy; compares by identity.
class Device {
 public:
  Device();  ///< the CPU
  explicit Device(
      const std::string& name);  ///< opens it on first use; Error{kNotFound} lists the names there are
  DeviceContext& context() const { return *context_; }
  const std::string& name() const;
  bool is_cpu() const;
  bool operator==(const Device& o) const { return context_ == o.context_; }

 private:
  DeviceContext* context_;
};

/// What infer sees of a tensor.
struct TensorSpec {
  DType dtype;
  Shape shape;
  Device device;
  int64_t dim(int i) const { return shape.dim(i); }
  int rank() const { return shape.rank(); }
  bool operator==(const TensorSpec&) const = default;
};

/// Bytes on a device, shared by tensors and their views.
class Storage {
 public:
  Storage(const Device& device, int64_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  const Device& device() const { return device_; }
  sr_memory_s* memory() const { return memory_; }
  /// Address in this process, or null when the chip's memory cannot be reached.
  void* pointer() const { return pointer_; }
  int64_t bytes() const { return bytes_; }
  /// Unique over the process; changes whenever an op writes here.
  uint64_t version() const { return version_; }
  void bump_version();
  /// A weight: its bytes stay for many calls, so that chips may keep packed copies of it.
  bool stable() const { return stable_; }
  void set_stable(bool stable) { stable_ = stable; }

 private:
  Device device_;
  sr_memory_s* memory_ = nullptr;
  void* pointer_ = nullptr;
  int64_t bytes_, capacity_ = 0;
  uint64_t version_;
  bool stable_ = false;
};

class Tensor {
 public:
  Tensor() = default;  ///< undefined: no storage
  /// Uninitialized memory.
  static Tensor empty(const Shape& shape, DType dtype, const Device& device = {});
  static Tensor empty(const TensorSpec& spec) { return empty(spec.shape, spec.dtype, spec.device); }
  static Tensor zeros(const TensorSpec& spec);
  /// A copy of `values`, row-major. Throws Error{kShape} unless their count is shape.numel().
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, const Device& device = {});
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, const Device& device = {}) {
    return from(std::span<const T>(values), shape, device);
  }
  /// A copy of `bytes` read as row-major elements of `dtype`.
  static Tensor from_bytes(std::span<const uint8_t> bytes, const Shape& shape, DType dtype,
                           const Device& device = {});

  bool defined() const { return impl_ != nullptr; }
  DType dtype() const { return impl_->dtype; }
  const Shape& shape() const { return impl_->shape; }
  const Strides& strides() const { return impl_->strides; }
  int64_t offset() const { return impl_->offset; }  ///< elements from the start of the storage
  int rank() const { return impl_->shape.rank(); }
  int64_t dim(int i) const { return impl_->shape.dim(i); }
  int64_t numel() const { return impl_->shape.numel(); }
  int64_t bytes() const { return dtype().bytes(numel()); }
  const Device& device() const { return impl_->storage->device(); }
  TensorSpec spec() const { return {dtype(), shape(), device()}; }
  bool is_contiguous() const { return suiren::is_contiguous(shape(), strides()); }
  const std::shared_ptr<Storage>& storage() const { return impl_->storage; }

  /// The same storage under another shape: launches nothing and is not recorded. Differentiable views are
  /// the functions of ops/view.
  Tensor alias(const Shape& shape, const Strides& strides, int64_t offset) const;
  /// The same bytes as elements of another dtype, such as blocks as the bytes that ops on plain elements
  /// move; launches nothing and is not recorded. Error{kShape} unless they are row-major and as many bytes.
  Tensor reinterpret(const Shape& shape, DType dtype) const;

  /// Address of the first element (waits for the device). Only for host-addressable devices and the right T;
  /// Error otherwise.
  template <class T>
  T* data() const {
    return static_cast<T*>(host_pointer(dtype_of<T>));
  }
  /// All elements in row-major order, copied to the host (waits for the device).
  template <class T>
  std::vector<T> to_vector() const;
  /// The bytes in row-major order, copied to the host (waits for the device).
  std::vector<uint8_t> to_bytes() const;
  /// The only element, as a double (bool: 0 or 1). Throws Error{kShape} unless numel() is 1.
  double item() const;
  /// A copy on another device; itself when it is there already. Not recorded.
  Tensor to(const Device& device) const;

  // Gradients (suiren/core/autograd.h).
  bool requires_grad() const { return impl_ && impl_->node != nullptr; }
  /// Makes this handle's tensor a leaf of the tape, or a plain tensor again. Only floating dtypes.
  Tensor& set_requires_grad(bool on = true);
  /// Every handle to this tensor holds what `other` holds from now on: how a parameter takes the format in
  /// which its file has it.
  void become(const Tensor& other) { *impl_ = *other.impl_; }
  /// The same storage without its history.
  Tensor detach() const;
  const std::shared_ptr<Node>& node() const { return impl_->node; }
  int node_output() const { return impl_->node_output; }
  void set_node(std::shared_ptr<Node> node, int output);

 private:
  struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape;
    Strides strides;
    int64_t offset = 0;
    std::shared_ptr<Node> node;
    int node_output = 0;
    DType dtype;
  };
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  void* host_pointer(DType dtype) const;
  std::shared_ptr<Impl> impl_;
};

template <class T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape, const Device& device) {
  return from_bytes({reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()}, shape,
                    dtype_of<T>, device);
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  SR_CHECK_AS(kShape, dtype() == dtype_of<T>, "a tensor of {} cannot be read as {}", dtype(), dtype_of<T>);
  const std::vector<uint8_t> bytes = to_bytes();
  std::vector<T> out(static_cast<size_t>(numel()));
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace suiren
