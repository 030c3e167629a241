#pragma once
// Tensors widened on the host: what references and tests compute on. Plain values.

#include <vector>

#include "suiren/core/tensor.h"

namespace suiren {

/// A tensor in row-major order with every element widened: what references compute on.
/// Wide holds every f64 and every i64 exactly on the machines that have an 80-bit or 128-bit long double.
using Wide = long double;
struct HostArray {
  DType dtype;
  Shape shape;
  std::vector<Wide> v;
  std::vector<uint8_t> blocks =
      {};  ///< of a block format: the bytes that stand for v, when it has been rounded
  int64_t numel() const { return static_cast<int64_t>(v.size()); }
  int64_t dim(int i) const { return shape.dim(i); }
  Wide& operator[](int64_t i) { return v[static_cast<size_t>(i)]; }
  Wide operator[](int64_t i) const { return v[static_cast<size_t>(i)]; }
};
HostArray to_host_array(const Tensor& t);
/// Rounds `a` once to its dtype. Floats saturate to infinity; integers wrap; block formats are quantized
/// (suiren/quant/quantize.h) unless `a` has their bytes.
Tensor from_host_array(const HostArray& a, const Device& device);

}  // namespace suiren
