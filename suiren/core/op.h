#pragma once
// How an op is defined: once, as a struct with static members. op.h turns that struct into an OpInfo that
// dispatch, the tape, the op suite, the documents and every chip share. See docs/adding-an-op.md.
//
//   struct RmsNorm {
//     static constexpr OpName name = "rms_norm";
//     struct Attrs { double eps; };
//     static constexpr auto fields = std::tuple{field("eps", &Attrs::eps)};
//     static constexpr DTypes dtypes = kFloating;
//     static Specs infer(const Attrs&, const TensorSpec& x, const TensorSpec& weight);
//     static Tensor decompose(const Attrs&, const Tensor& x, const Tensor& weight);  // or reference; a view
//                                                                                    // has both it and view
//     static Grads vjp(const Attrs&, const Vjp& c);  // optional with decompose; or  no_gradient = "why"
//     static Samples samples();
//   };

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "suiren/core/host_array.h"
#include "suiren/core/sample.h"
#include "suiren/core/tensor.h"

namespace suiren {

using OpName = const char*;
using Specs = std::vector<TensorSpec>;
using Tensors = std::vector<Tensor>;
using Grads = std::vector<Tensor>;  ///< one for each input; an undefined one means zero

/// The floating or other dtypes that an op takes: for documents and the suite; infer is what checks. Block
/// formats, of which one bit tells, go no further than to ops that take some.
struct DTypes {
  uint32_t mask;
  constexpr bool has(DType d) const { return d.is_block() ? takes_blocks() : mask >> d.id() & 1; }
  constexpr bool takes_blocks() const { return mask >> 31; }
  constexpr DTypes and_blocks() const { return {mask | 1u << 31}; }
};
inline constexpr DTypes kFloating{0b0000001111}, kIntegers{0b0111110000}, kNumbers{0b0111111111},
    kAnyType{0b1111111111}, kBoolOnly{0b1000000000};

/// One attribute: its name and where it lives. Kinds: int64_t, double, bool, DType, Dims (and Shape).
template <class A, class T>
struct Field {
  const char* name;
  T A::*member;
};
template <class A, class T>
constexpr Field<A, T> field(const char* name, T A::*member) {
  return {name, member};
}

/// Attributes of an op that has none.
struct NoAttrs {};

/// An attribute in a form that needs no type: for the ABI, printing and documents.
struct AttrValue {
  enum Kind { kInt, kFloat, kList } kind;
  const char* name;
  int64_t i = 0;
  double f = 0;
  const int64_t* list = nullptr;
  int size = 0;
};

/// What a gradient rule sees: gradients of the outputs, and the saved inputs and outputs.
/// A gradient is never undefined here: an output that nobody used gets zeros.
class Vjp {
 public:
  Vjp(class Node& node, std::span<const Tensor> grads, const class GradientSums* sums = nullptr)
      : node_(node), grads_(grads), sums_(sums) {}
  const Tensor& grad(int output = 0) const { return grads_[static_cast<size_t>(output)]; }
  Tensor in(int i) const;   ///< Error{kInternal} unless `saved_inputs` has bit i
  Tensor out(int i) const;  ///< Error{kInternal} unless `saved_outputs` has bit i
  const TensorSpec& in_spec(int i) const;
  int inputs() const;
  bool needs(int i) const;  ///< false: the gradient of input i would be thrown away
  /// Where the gradient of input i is summed over backward passes, in the shape of that input, when the rule
  /// may add to it in place and return none; its dtype may be wider. Undefined: return the gradient.
  Tensor sum(int i) const;

 private:
  class Node& node_;
  std::span<const Tensor> grads_;
  const class GradientSums* sums_;
};

enum class OpKind { kPrimitive, kComposite, kView };

/// A view's place in its storage. A view op returns none when the strides do not allow it: x is copied first.
struct ViewOf {
  Shape shape;
  Strides strides;
  int64_t offset = 0;
};

/// Bit i of a mask over operands; the last bit stands for all that follow, of which there may be hundreds.
constexpr bool has_bit(uint32_t mask, size_t i) { return mask >> (i < 31 ? i : 31) & 1; }

/// An op with its types erased. One object for each op, for the life of the process.
struct OpInfo {
  OpName name;
  OpKind kind;
  DTypes dtypes;
  const char* no_gradient;  ///< the reason, or null when the op has a gradient
  bool has_vjp, has_decompose;
  uint32_t saved_inputs, saved_outputs;  ///< bit i: the tape keeps input (output) i for vjp
  uint32_t mutates;                      ///< bit i: the op writes into input i
  int inputs;                            ///< their number; -1: any
  const char* doc;                       ///< one line: the formula
  Specs (*infer)(const void* attrs, std::span<const TensorSpec>);
  std::optional<ViewOf> (*view)(const void* attrs, const Tensor&);
  Tensors (*decompose)(const void* attrs, std::span<const Tensor>);
  void (*reference)(const void* attrs, std::span<const HostArray>, std::span<HostArray>);
  Grads (*vjp)(const void* attrs, const Vjp&);
  std::vector<AttrValue> (*attributes)(const void* attrs);
  void (*fill_attributes)(const void* attrs, AttrValue* out);  ///< as above, without allocation
  int attribute_count;
  std::vector<const char*> (*attribute_names)();
  std::shared_ptr<const void> (*copy_attrs)(const void* attrs);
  /// The attributes from values in the order of attribute_names(): the inverse of `attributes`.
  std::shared_ptr<const void> (*make_attrs)(std::span<const AttrValue> values);
  Samples (*samples)();
  uint32_t id() const;  ///< interned name
  bool mutates_input(size_t i) const { return has_bit(mutates, i); }
  bool saves_input(size_t i) const { return has_bit(saved_inputs, i); }
  bool saves_output(size_t i) const { return has_bit(saved_outputs, i); }
};

/// The ops of one room, and all rooms (generated).
using OpList = std::vector<const OpInfo*>;
std::span<const OpList> all_rooms();
/// Every op, by name.
const std::vector<const OpInfo*>& all_ops();
/// By name; Error{kNotFound} suggests the nearest.
const OpInfo& find_op(const std::string& name);
/// "eps=1e-06, axis=-1".
std::string describe_attributes(const OpInfo& op, const void* attrs);

namespace detail {

template <class Op>
concept HasReference = requires {
  &Op::reference;
};
template <class Op>
concept HasDecompose = requires {
  &Op::decompose;
};
template <class Op>
concept HasView = requires {
  &Op::view;
};
template <class Op>
concept HasVjp = requires {
  &Op::vjp;
};
template <class Op>
concept HasNoGradient = requires {
  { Op::no_gradient } -> std::convertible_to<const char*>;
};

template <class F>
struct infer_traits;
template <class A, class... S>
struct infer_traits<Specs (*)(const A&, S...)> {
  static constexpr int inputs = sizeof...(S);
};
template <class A>
struct infer_traits<Specs (*)(const A&, std::span<const TensorSpec>)> {
  static constexpr int inputs = -1;
};

template <class Op>
constexpr uint32_t saved_inputs_of() {
  if constexpr (requires { Op::saved_inputs; })
    return Op::saved_inputs;
  else
    return ~0u;
}
template <class Op>
constexpr uint32_t saved_outputs_of() {
  if constexpr (requires { Op::saved_outputs; })
    return Op::saved_outputs;
  else
    return 0;
}
template <class Op>
constexpr uint32_t mutates_of() {
  if constexpr (requires { Op::mutates; })
    return Op::mutates;
  else
    return 0;
}

template <class T>
void to_value(const char* name, const T& x, AttrValue& out) {
  out.name = name;
  if constexpr (std::derived_from<T, Dims>) {
    out.kind = AttrValue::kList, out.list = x.data(), out.size = x.rank();
  } else if constexpr (std::same_as<T, double>) {
    out.kind = AttrValue::kFloat, out.f = x;
  } else if constexpr (std::same_as<T, DType>) {
    out.kind = AttrValue::kInt, out.i = x.id();
  } else {
    static_assert(std::same_as<T, int64_t> || std::same_as<T, bool>,
                  "an attribute is int64_t, double, bool, DType or Dims");
    out.kind = AttrValue::kInt, out.i = x;
  }
}

template <class T>
void from_value(const AttrValue& v, T& x) {
  if constexpr (std::derived_from<T, Dims>) {
    x = T();
    for (int i = 0; i < v.size; ++i) x.push_back(v.list[i]);
  } else if constexpr (std::same_as<T, double>) {
    x = v.kind == AttrValue::kFloat ? v.f : static_cast<double>(v.i);
  } else if constexpr (std::same_as<T, DType>) {
    x = static_cast<DType::Id>(v.i);
  } else {
    x = static_cast<T>(v.i);
  }
}

template <class Op, class T, size_t... I>
auto call_infer(const typename Op::Attrs& a, std::span<const T> in, std::index_sequence<I...>) {
  return Op::infer(a, in[I]...);
}
template <class Op, size_t... I>
auto call_decompose(const typename Op::Attrs& a, std::span<const Tensor> in, std::index_sequence<I...>) {
  return Op::decompose(a, in[I]...);
}
inline Tensors as_tensors(Tensor t) { return {std::move(t)}; }
inline Tensors as_tensors(Tensors t) { return t; }
[[noreturn]] void wrong_input_count(OpName name, int expected, size_t given);
[[noreturn]] void wrong_attribute_count(OpName name, int expected, size_t given);

template <class Op>
struct Erase {
  using Attrs = typename Op::Attrs;
  static constexpr int kInputs = infer_traits<decltype(&Op::infer)>::inputs;
  static const Attrs& get(const void* a) { return *static_cast<const Attrs*>(a); }
  static Specs infer(const void* a, std::span<const TensorSpec> in) {
    if constexpr (kInputs < 0) {
      return Op::infer(get(a), in);
    } else {
      if (in.size() != size_t{kInputs}) wrong_input_count(Op::name, kInputs, in.size());
      return call_infer<Op>(get(a), in, std::make_index_sequence<size_t(kInputs)>{});
    }
  }
  static std::optional<ViewOf> view(const void* a, const Tensor& x) {
    if constexpr (HasView<Op>)
      return Op::view(get(a), x);
    else
      return std::nullopt;
  }
  static Tensors decompose(const void* a, std::span<const Tensor> in) {
    if constexpr (!HasDecompose<Op>)
      return {};
    else if constexpr (kInputs < 0)
      return as_tensors(Op::decompose(get(a), in));
    else
      return as_tensors(call_decompose<Op>(get(a), in, std::make_index_sequence<size_t(kInputs)>{}));
  }
  static void reference(const void* a, std::span<const HostArray> in, std::span<HostArray> out) {
    if constexpr (HasReference<Op>) Op::reference(get(a), in, out);
  }
  static Grads vjp(const void* a, const Vjp& c) {
    if constexpr (HasVjp<Op>)
      return Op::vjp(get(a), c);
    else
      return {};
  }
  static constexpr int attribute_count() {
    return static_cast<int>(std::tuple_size_v<std::remove_cvref_t<decltype(Op::fields)>>);
  }
  static void fill(const void* a, AttrValue* out) {
    std::apply(
        [&](const auto&... f) {
          int i = 0;
          (to_value(f.name, get(a).*(f.member), out[i++]), ...);
        },
        Op::fields);
  }
  static std::vector<AttrValue> attributes(const void* a) {
    std::vector<AttrValue> out(static_cast<size_t>(attribute_count()));
    fill(a, out.data());
    return out;
  }
  static std::vector<const char*> attribute_names() {
    return std::apply([](const auto&... f) { return std::vector<const char*>{f.name...}; }, Op::fields);
  }
  static std::shared_ptr<const void> copy(const void* a) { return std::make_shared<Attrs>(get(a)); }
  static std::shared_ptr<const void> make(std::span<const AttrValue> values) {
    if (values.size() != size_t{attribute_count()})
      wrong_attribute_count(Op::name, attribute_count(), values.size());
    auto attrs = std::make_shared<Attrs>();
    std::apply(
        [&](const auto&... f) {
          size_t i = 0;
          (from_value(values[i++], (*attrs).*(f.member)), ...);
        },
        Op::fields);
    return attrs;
  }
};

}  // namespace detail

/// An op that states all that it owes: shapes, a meaning, a gradient or the reason for none, and samples.
template <class Op>
concept CompleteOp = requires {
  { Op::name } -> std::convertible_to<OpName>;
  { Op::doc } -> std::convertible_to<const char*>;
  { Op::dtypes } -> std::convertible_to<DTypes>;
  { Op::samples() } -> std::same_as<Samples>;
  typename Op::Attrs;
  Op::fields;
  &Op::infer;
}
&&(detail::HasReference<Op> + detail::HasDecompose<Op> == 1) &&
    (!detail::HasView<Op> || detail::HasReference<Op>)&&(
        detail::HasNoGradient<Op> ? !detail::HasVjp<Op> : (detail::HasVjp<Op> || detail::HasDecompose<Op>));

/// The one OpInfo of an op.
template <CompleteOp Op>
const OpInfo& op_info() {
  using E = detail::Erase<Op>;
  static const OpInfo info{
      .name = Op::name,
      .kind = detail::HasView<Op>        ? OpKind::kView
              : detail::HasDecompose<Op> ? OpKind::kComposite
                                         : OpKind::kPrimitive,
      .dtypes = Op::dtypes,
      .no_gradient =
          [] {
            if constexpr (detail::HasNoGradient<Op>)
              return Op::no_gradient;
            else
              return static_cast<const char*>(nullptr);
          }(),
      .has_vjp = detail::HasVjp<Op>,
      .has_decompose = detail::HasDecompose<Op>,
      .saved_inputs = detail::saved_inputs_of<Op>(),
      .saved_outputs = detail::saved_outputs_of<Op>(),
      .mutates = detail::mutates_of<Op>(),
      .inputs = E::kInputs,
      .doc = Op::doc,
      .infer = E::infer,
      .view = E::view,
      .decompose = E::decompose,
      .reference = E::reference,
      .vjp = E::vjp,
      .attributes = E::attributes,
      .fill_attributes = E::fill,
      .attribute_count = E::attribute_count(),
      .attribute_names = E::attribute_names,
      .copy_attrs = E::copy,
      .make_attrs = E::make,
      .samples = Op::samples,
  };
  return info;
}

}  // namespace suiren
