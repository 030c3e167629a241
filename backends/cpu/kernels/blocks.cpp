// Block formats: products with weights, rows by number, all of their numbers, and numbers into blocks.

#include <cstring>

#include "backends/cpu/blocks/product.h"
#include "backends/cpu/indexed.h"
#include "backends/cpu/stage.h"
#include "suiren/base/threads.h"
#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"

namespace suiren::cpu {
namespace {

// Inputs x [..., K], weight [N, K].
void product(const Call& c, void*) {
  const Operand x = c.in(0), weight = c.in(1), y = c.out(0);
  if (y.numel() == 0) return;
  const int64_t K = weight.dim(1);
  block_product({x.data<float>(), y.numel() / weight.dim(0), K, K, weight.data<uint8_t>(),
                 dtype_of_operand(weight.dtype()), weight.dim(0), y.data<float>()});
}

// Row `from` of a weight [..., D] as floats.
struct Rows {
  quant::BlockFormat format;
  int64_t width, bytes;
  const uint8_t* data;
  explicit Rows(const Operand& weight)
      : format(*quant::BlockFormat::of(dtype_of_operand(weight.dtype()))),
        width(weight.dim(-1)),
        bytes(format.bytes(width)),
        data(weight.data<uint8_t>()) {}
  void decode(int64_t row, float* to) const {
    quant::dequantize(format, {data + row * bytes, static_cast<size_t>(bytes)},
                      {to, static_cast<size_t>(width)});
  }
};

void dequantize(const Call& c, void*) {
  const Operand weight = c.in(0);
  if (weight.numel() == 0) return;
  const Rows rows(weight);
  float* const y = c.out(0).data<float>();
  parallel_for(weight.numel() / rows.width, 1 + kGrainCheap / rows.width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) rows.decode(i, y + i * rows.width);
  });
}

void quantize(const Call& c, void*) {
  const Operand x = c.in(0), y = c.out(0);
  if (x.numel() == 0) return;
  const quant::BlockFormat format = *quant::BlockFormat::of(dtype_of_operand(y.dtype()));
  const int64_t width = x.dim(-1), bytes = format.bytes(width);
  const float* const from = x.data<float>();
  uint8_t* const to = y.data<uint8_t>();
  parallel_for(x.numel() / width, 1 + kGrainMath / width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      quant::quantize(format, {from + i * width, static_cast<size_t>(width)}, {},
                      {to + i * bytes, static_cast<size_t>(bytes)});
  });
}

// Inputs weight [V, D], ids [...].
void embedding(const Call& c, void*) {
  const Rows rows(c.in(0));
  const Indices id(c.in(1));
  const int64_t V = c.in(0).dim(0);
  float* const y = c.out(0).data<float>();
  parallel_for(
      c.in(1).numel(), 1 + kGrainCheap / std::max<int64_t>(rows.width, 1), [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          SR_CHECK(id[p] >= 0 && id[p] < V, "id {} at position {} is out of range for {} rows", id[p], p, V);
          rows.decode(id[p], y + p * rows.width);
        }
      });
}

Reason accepts_embedding(const Call& c) {
  return c.in(0).is_block() ? row_major_inputs(c) : "the weight is not in blocks";
}

constexpr Kernel kKernels[] = {
    {"quantized_linear", "blocks", 10, row_major_inputs, nullptr, product, true},
    {"dequantize_blocks", "blocks", 10, row_major_inputs, nullptr, dequantize, true},
    {"quantize_blocks", "blocks", 10, row_major_inputs, nullptr, quantize, true},
    {"embedding", "rows of blocks", 20, accepts_embedding, nullptr, embedding, true},
};

}  // namespace

KernelList kernels_blocks() { return kKernels; }

}  // namespace suiren::cpu
