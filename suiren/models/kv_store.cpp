#include "suiren/models/kv_store.h"

#include "suiren/ops/cast/cast.h"
#include "suiren/ops/quantized_linear/quantized_linear.h"

namespace suiren::models {

Tensor as_stored(const Tensor& x, DType dtype) {
  return dtype.is_block() ? quantize_blocks(cast(x, kF32), dtype) : cast(x, dtype);
}

Tensor as_computed(const Tensor& stored, DType dtype) {
  return cast(stored.dtype().is_block() ? dequantize_blocks(stored) : stored, dtype);
}

}  // namespace suiren::models
