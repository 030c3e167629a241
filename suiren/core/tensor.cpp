#include "suiren/core/tensor.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/core/host_array.h"

namespace suiren {
namespace {

DeviceContext* open_device(const std::string& name) {
  static std::mutex mutex;
  static auto* opened = new std::unordered_map<std::string, DeviceContext*>;  // devices outlive every tensor
  std::lock_guard lock(mutex);
  auto& slot = (*opened)[name];
  if (!slot) {
    const auto colon = name.rfind(':');
    std::string kind = name;
    uint32_t index = 0;
    if (colon != std::string::npos && colon + 1 < name.size() &&
        name.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
      kind = name.substr(0, colon);
      index = static_cast<uint32_t>(std::strtoul(name.c_str() + colon + 1, nullptr, 10));
    }
    const sr_backend& backend = find_backend(kind);
    const std::string full = std::string(backend.kind) + ":" + std::to_string(index);
    auto& canonical = (*opened)[full];
    if (!canonical) canonical = new DeviceContext(&backend, index);
    return (*opened)[name] = canonical;
  }
  return slot;
}

DeviceContext* cpu_device() {
  static DeviceContext* cpu = open_device("cpu");
  return cpu;
}

std::atomic<uint64_t> next_version{1};

// Copies strided elements of `size` bytes into row-major order.
void gather(const uint8_t* from, const Shape& shape, const Strides& strides, int64_t size, uint8_t*& to,
            int dim) {
  if (dim == shape.rank()) {
    std::memcpy(to, from, static_cast<size_t>(size));
    to += size;
    return;
  }
  for (int64_t i = 0; i < shape[dim]; ++i)
    gather(from + i * strides[dim] * size, shape, strides, size, to, dim + 1);
}

// Lowest and one past the highest element that (shape, strides, offset) touches.
std::pair<int64_t, int64_t> extent(const Tensor& t) {
  int64_t low = t.offset(), high = t.offset();
  for (int i = 0; i < t.rank(); ++i) (t.strides()[i] < 0 ? low : high) += (t.shape()[i] - 1) * t.strides()[i];
  return {low, high + 1};
}

}  // namespace

Device::Device() : context_(cpu_device()) {}
Device::Device(const std::string& name) : context_(open_device(name)) {}
const std::string& Device::name() const { return context_->name(); }
bool Device::is_cpu() const { return context_ == cpu_device(); }

Storage::Storage(const Device& device, int64_t bytes)
    : device_(device), bytes_(bytes), version_(next_version++) {
  memory_ = device_.context().allocate(bytes, &capacity_);
  pointer_ = device_.context().pointer(memory_);
}
Storage::~Storage() { device_.context().release(memory_, capacity_, !stable_); }
void Storage::bump_version() { version_ = next_version++; }

Tensor Tensor::empty(const Shape& shape, DType dtype, const Device& device) {
  int64_t bytes = dtype.block_bytes(), most = bytes;  // strides of an empty tensor count too
  for (int64_t d : shape) {
    SR_CHECK_AS(kShape, d >= 0, "shape {} has a negative extent", shape);
    SR_CHECK_AS(kShape, !__builtin_mul_overflow(most, std::max<int64_t>(d, 1), &most),
                "a tensor of shape {} exceeds 2^63 bytes", shape);
    bytes *= d;
  }
  if (dtype.is_block()) {
    SR_CHECK_AS(kShape, shape.rank() > 0 && shape.dim(-1) % dtype.block_elements() == 0,
                "shape {} has no rows that are a multiple of {} elements, which {} needs", shape,
                dtype.block_elements(), dtype);
    bytes /= dtype.block_elements();
  }
  auto impl = std::make_shared<Impl>();
  impl->storage = std::make_shared<Storage>(device, bytes);
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::zeros(const TensorSpec& spec) {
  const int64_t bytes = spec.dtype.bytes(spec.shape.numel());
  Tensor t = empty(spec);
  if (void* p = t.storage()->pointer()) {
    spec.device.context().synchronize();  // the memory may have been in use until now
    std::memset(p, 0, static_cast<size_t>(bytes));
    return t;
  }
  return from_bytes(std::vector<uint8_t>(static_cast<size_t>(bytes)), spec.shape, spec.dtype, spec.device);
}

Tensor Tensor::from_bytes(std::span<const uint8_t> bytes, const Shape& shape, DType dtype,
                          const Device& device) {
  Tensor t = empty(shape, dtype, device);
  SR_CHECK_AS(kShape, static_cast<int64_t>(bytes.size()) == t.bytes(),
              "{} bytes given for a tensor {} of {}, which takes {}", bytes.size(), shape, dtype, t.bytes());
  if (bytes.empty()) return t;
  device.context().write(t.storage()->memory(), 0, bytes.data(), t.bytes());
  return t;
}

Tensor Tensor::alias(const Shape& shape, const Strides& strides, int64_t offset) const {
  auto impl = std::make_shared<Impl>();
  impl->storage = impl_->storage;
  impl->shape = shape;
  impl->strides = strides;
  impl->offset = offset;
  impl->dtype = impl_->dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::reinterpret(const Shape& shape, DType as) const {
  const int64_t elements = as.block_elements(), size = as.block_bytes(), first = dtype().bytes(offset());
  const bool rows = elements == 1 || (shape.rank() > 0 && shape.dim(-1) % elements == 0);
  SR_CHECK_AS(kShape, is_contiguous() && rows && first % size == 0 && as.bytes(shape.numel()) == bytes(),
              "a tensor {} of {} does not hold the bytes of one {} of {}", this->shape(), dtype(), shape, as);
  Tensor t = alias(shape, contiguous_strides(shape), first / size * elements);
  t.impl_->dtype = as;
  return t;
}

void* Tensor::host_pointer(DType wanted) const {
  SR_CHECK_AS(kShape, dtype() == wanted, "a tensor of {} cannot be read as {}", dtype(), wanted);
  auto* base = static_cast<uint8_t*>(impl_->storage->pointer());
  SR_CHECK_AS(kUnsupported, base,
              "the memory of {} cannot be reached from the host; copy the tensor with to(Device())",
              device().name());
  device().context().synchronize();
  return base + dtype().bytes(impl_->offset);
}

std::vector<uint8_t> Tensor::to_bytes() const {
  std::vector<uint8_t> out(static_cast<size_t>(bytes()));
  if (out.empty()) return out;
  auto& c = device().context();
  if (dtype().is_block()) {
    SR_CHECK_AS(kInternal, is_contiguous(), "blocks of {} lie with gaps", dtype());
    c.read(out.data(), storage()->memory(), dtype().bytes(offset()), bytes());
    return out;
  }
  const int64_t size = dtype().size();
  const auto [low, high] = extent(*this);
  const auto fetch = [&](void* to, int64_t first, int64_t count) {
    c.read(to, storage()->memory(), first * size, count * size);
  };
  if (is_contiguous()) {
    fetch(out.data(), low, numel());
    return out;
  }
  std::vector<uint8_t> span;
  const auto* base = static_cast<const uint8_t*>(storage()->pointer());
  if (base) {
    c.synchronize();
    base += low * size;
  } else {
    span.resize(static_cast<size_t>((high - low) * size));
    fetch(span.data(), low, high - low);
    base = span.data();
  }
  uint8_t* to = out.data();
  gather(base + (offset() - low) * size, shape(), strides(), size, to, 0);
  return out;
}

double Tensor::item() const {
  SR_CHECK_AS(kShape, defined() && numel() == 1, "item() needs one element, the tensor has shape {}",
              shape());
  return static_cast<double>(to_host_array(*this)[0]);
}

Tensor Tensor::to(const Device& device) const {
  return device == this->device() ? *this : from_bytes(to_bytes(), shape(), dtype(), device);
}

Tensor& Tensor::set_requires_grad(bool on) {
  SR_CHECK_AS(kShape, !on || dtype().is_floating(), "only floating tensors have gradients, this one is {}",
              dtype());
  if (!on) {
    impl_->node = nullptr;
  } else if (!impl_->node) {
    impl_->node = std::make_shared<Node>();
    impl_->node->out_specs = {spec()};
    impl_->node_output = 0;
  }
  return *this;
}

Tensor Tensor::detach() const { return alias(shape(), strides(), offset()); }

void Tensor::set_node(std::shared_ptr<Node> node, int output) {
  impl_->node = std::move(node);
  impl_->node_output = output;
}

}  // namespace suiren
