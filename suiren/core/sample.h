#pragma once
// Samples: the inputs on which an op is tested, documented and conformance-checked. Plain values.

#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "suiren/base/dtype.h"
#include "suiren/base/shape.h"

namespace suiren {

/// One input of a sample: a shape and what values to draw. The suite varies dtype and layout.
struct SampleInput {
  enum Kind {
    kReal,    ///< the op's own dtype (varied over OpInfo::dtypes), values in [low, high]
    kIndex,   ///< i64 in [low, high)
    kBool,    ///< true and false
    kBlocks,  ///< values in [low, high] in the block format `blocks`
  };
  Shape shape;
  Kind kind = kReal;
  double low = -2, high = 2;
  bool distinct =
      false;  ///< no two values closer than (high - low) / (2 * numel): for max, sort and their kind
  bool differentiable = true;  ///< false: gradients are not checked for this input
  DType blocks = kQ8_0;        ///< of kBlocks
  /// Of the tensor: `real` is the dtype in which the op is called, `index` that of ids.
  DType dtype(DType real, DType index = kI64) const {
    return kind == kReal ? real : kind == kIndex ? index : kind == kBlocks ? blocks : ::suiren::kBool;
  }
};

inline SampleInput real(Shape s, double low = -2, double high = 2) {
  return {s, SampleInput::kReal, low, high};
}
inline SampleInput distinct(Shape s, double low = -2, double high = 2) {
  return {s, SampleInput::kReal, low, high, true};
}
inline SampleInput constant(Shape s, double low = -2, double high = 2) {
  return {s, SampleInput::kReal, low, high, false, false};
}
inline SampleInput index(Shape s, double low, double high) {
  return {s, SampleInput::kIndex, low, high, false, false};
}
inline SampleInput in_blocks(DType format, Shape s, double low = -2, double high = 2) {
  return {s, SampleInput::kBlocks, low, high, false, false, format};
}
inline SampleInput boolean(Shape s) { return {s, SampleInput::kBool, 0, 2, false, false}; }

/// One call of an op. With `error`, the call must throw an Error whose message contains it.
struct Sample {
  std::shared_ptr<const void> attrs;
  std::vector<SampleInput> inputs;
  std::string error;
  double loosen = 1;     ///< multiplies the suite's tolerance; say why in a comment beside it
  bool gradient = true;  ///< false: this sample is at a point where the op has no derivative
  int only_dtype = -1;   ///< DType::Id, for samples that fit one dtype
};
using Samples = std::vector<Sample>;

template <class A>
Sample sample(const A& attrs, std::vector<SampleInput> inputs) {
  Sample s;
  s.attrs = std::make_shared<A>(attrs);
  s.inputs = std::move(inputs);
  return s;
}
template <class A>
Sample bad(const A& attrs, std::vector<SampleInput> inputs, std::string error) {
  Sample s = sample(attrs, std::move(inputs));
  s.error = std::move(error);
  return s;
}

}  // namespace suiren
