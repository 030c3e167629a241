#include "suiren/io/dlpack.h"

#include <cstddef>
#include <memory>

#include "suiren/io/reader.h"

namespace suiren::io {
namespace {

static_assert(sizeof(DLTensor) == 48 && offsetof(DLTensor, shape) == 24 &&
              offsetof(DLTensor, byte_offset) == 40);
constexpr int32_t kHost = 1;
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBoolean = 6 };

DLDataType type_of(DType d) {
  const auto bits = static_cast<uint8_t>(8 * d.size());
  const Code code = d == kBool        ? kBoolean
                    : d == kBF16      ? kBfloat
                    : d == kU8        ? kUInt
                    : d.is_floating() ? kFloat
                                      : kInt;
  return {code, bits, 1};
}

DType dtype_of_dlpack(const DLDataType& type) {
  for (int i = 0; i < DType::kCount; ++i) {
    const DType d = static_cast<DType::Id>(i);
    const DLDataType known = type_of(d);
    if (known.code == type.code && known.bits == type.bits && type.lanes == 1) return d;
  }
  fail(ErrorCode::kUnsupported, "from_dlpack: type code {} with {} bits in {} lanes has no dtype", type.code,
       type.bits, type.lanes);
}

// What a consumer holds: the tensor, and the arrays that DLTensor points to.
struct Held {
  Tensor tensor;
  Shape shape;
  Strides strides;
  DLManagedTensor managed;
};

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& t) {
  char* start = static_cast<char*>(t.storage()->pointer());
  SR_CHECK_AS(kUnsupported, start || t.numel() == 0,
              "to_dlpack: {} is not in host memory; move the tensor with to(Device())", t.device().name());
  SR_CHECK_AS(kUnsupported, !t.dtype().is_block(), "to_dlpack: DLPack has no {}; take dequantize_blocks()",
              t.dtype());
  auto held = std::make_unique<Held>(Held{t, t.shape(), t.strides(), {}});
  const DLTensor view{start,
                      {kHost, 0},
                      t.rank(),
                      type_of(t.dtype()),
                      &held->shape[0],
                      &held->strides[0],
                      static_cast<uint64_t>(t.offset() * t.dtype().size())};
  held->managed.dl_tensor = view;
  held->managed.manager_ctx = held.get();
  held->managed.deleter = [](DLManagedTensor* self) { delete static_cast<Held*>(self->manager_ctx); };
  return &held.release()->managed;
}

Tensor from_dlpack(DLManagedTensor* managed, const Device& device) {
  const auto release = [](DLManagedTensor* m) {
    if (m->deleter) m->deleter(m);
  };
  const std::unique_ptr<DLManagedTensor, decltype(release)> owner(managed, release);
  const DLTensor& from = managed->dl_tensor;
  SR_CHECK_AS(kUnsupported, from.device.device_type == kHost,
              "from_dlpack: device type {}, only 1 (CPU) is taken", from.device.device_type);
  SR_CHECK(from.ndim >= 0 && from.ndim <= kMaxRank, "from_dlpack: {} dimensions, {} are possible", from.ndim,
           kMaxRank);
  const DType dtype = dtype_of_dlpack(from.dtype);
  Shape shape;
  for (int i = 0; i < from.ndim; ++i) shape.push_back(from.shape[i]);
  const int64_t n = checked_numel({shape.begin(), shape.end()}, "from_dlpack"), size = dtype.size();
  checked_mul(n, size, "from_dlpack");
  std::vector<uint8_t> bytes(static_cast<size_t>(n * size));
  const char* start = static_cast<const char*>(from.data) + from.byte_offset;
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i, at = from.strides ? 0 : i;
    for (int d = from.ndim - 1; from.strides && d >= 0; --d) {
      at += rest % shape[d] * from.strides[d];
      rest /= shape[d];
    }
    std::memcpy(&bytes[static_cast<size_t>(i * size)], start + at * size, static_cast<size_t>(size));
  }
  return Tensor::from_bytes(bytes, shape, dtype, device);
}

}  // namespace suiren::io
