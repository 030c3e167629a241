#pragma once
// What an op is tested with, on any chip: values drawn for its samples, laid out in memory in every way, and
// what its definition says the results are. The op suite and the conformance kit share it; nothing here knows
// a particular op. Plain functions; use them from one thread.

#include <cstdint>
#include <string>
#include <vector>

#include "suiren/core/op.h"

namespace suiren::conform {

/// |got - expected| <= loosen * (relative * |expected| + absolute * sqrt(terms summed into one element)).
struct Tolerance {
  double relative, absolute;
};
/// The one table of tolerances. Integers and bool are exact.
Tolerance tolerance(DType d);

/// Where the elements of an input lie. Places between them are poisoned (NaN, or 77 for integers).
enum class Layout {
  kContiguous,
  kShifted,         ///< row-major from an odd element on: no alignment
  kTransposed,      ///< dimensions in reverse order in memory
  kSliced,          ///< every second element of every dimension, from the second on
  kBroadcastFirst,  ///< stride 0 along the first dimension longer than 1
  kBroadcastLast,   ///< stride 0 along the last dimension longer than 1
};
inline constexpr Layout kLayouts[] = {Layout::kContiguous, Layout::kShifted,        Layout::kTransposed,
                                      Layout::kSliced,     Layout::kBroadcastFirst, Layout::kBroadcastLast};
const char* layout_name(Layout layout);

/// The dtypes on which a sample is run.
std::vector<DType> dtypes_of(const OpInfo& op, const Sample& s);
/// True when the sample has an input whose dtype varies.
bool has_real_input(const Sample& s);
/// Values for the inputs, already rounded to `dtype` (or to `index_dtype`, for indices).
std::vector<HostArray> draw(const Sample& s, DType dtype, uint64_t seed, DType index_dtype = kI64);
/// The same call on larger extents, up to about `most` elements: every extent that is equal in the sample
/// stays equal. Only those that the op's infer accepts.
std::vector<Sample> scaled(const OpInfo& op, const Sample& s, DType dtype, int64_t most);

/// Why the op's definition says nothing about NaN, infinities and the like among its inputs; null when it
/// does.
const char* special_values_undefined(const OpInfo& op);
/// A third of the elements replaced by NaN, infinities, signed zeros and denormals (which bf16 products may
/// read as zero: these get none).
HostArray with_special_values(const OpInfo& op, HostArray a, uint64_t seed);

/// True when `layout` differs from kContiguous for this shape.
bool applies(Layout layout, const Shape& shape);
/// `values` as a tensor laid out so. Broadcast layouts change `values`: they repeat along the dimension.
Tensor place(HostArray& values, Layout layout, const Device& device = {});
Tensors place_all(std::vector<HostArray>& values, Layout layout = Layout::kContiguous,
                  const Device& device = {});
/// The storage of t from its first byte on, as one row of elements.
Tensor whole_storage(const Tensor& t);

/// run_op, and then the inputs that it wrote into, in order, before its outputs.
Tensors call(const OpInfo& op, const void* attrs, const Tensors& inputs);
/// The same list, from the op's definition: reference, or decomposition in f64.
std::vector<HostArray> expected(const OpInfo& op, const void* attrs, const std::vector<HostArray>& inputs);

/// "" or the first differences, in words. Counts elements into *compared.
std::string difference(const Tensor& got, const HostArray& want, Tolerance t, int64_t* compared);
/// As above for the results of a call on `inputs`; the tolerance is the coarser of that of `dtype` and of
/// each output.
std::string differences(const Tensors& got, const std::vector<HostArray>& want, DType dtype, double loosen,
                        const std::vector<HostArray>& inputs, bool repeated, int64_t* compared);
/// What a chip may be off that keeps sums in `accumulation`: a rounding or two of the result, and the errors
/// of as many sums as there are terms.
Tolerance tolerance(const HostArray& output, const std::vector<HostArray>& inputs, DType accumulation,
                    double loosen, bool repeated);
/// How many terms are summed into one element of `output`, about: the extents of the inputs that it has not.
int64_t reduced_elements(const std::vector<HostArray>& inputs, const HostArray& output);

/// "op(attributes) on f32 [2, 3], i64 [4]".
std::string describe(const OpInfo& op, const Sample& s, DType dtype);

}  // namespace suiren::conform
