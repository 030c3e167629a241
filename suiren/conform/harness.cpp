#include "suiren/conform/harness.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string_view>

#include "suiren/base/philox.h"
#include "suiren/core/dispatch.h"

namespace suiren::conform {

Tolerance tolerance(DType d) {
  switch (d.id()) {
    case DType::kF64:
      return {1e-12, 1e-12};
    case DType::kF32:
      return {3e-6, 2e-6};
    case DType::kBF16:
      return {0x1p-8, 0x1p-9};
    case DType::kF16:
      return {0x1p-10, 0x1p-11};
    default:
      return {0, 0};
  }
}

const char* layout_name(Layout layout) {
  static constexpr const char* kNames[] = {"contiguous", "shifted",         "transposed",
                                           "sliced",     "broadcast first", "broadcast last"};
  return kNames[static_cast<int>(layout)];
}

bool has_real_input(const Sample& s) {
  return std::any_of(s.inputs.begin(), s.inputs.end(),
                     [](const SampleInput& i) { return i.kind == SampleInput::kReal; });
}

std::vector<DType> dtypes_of(const OpInfo& op, const Sample& s) {
  std::vector<DType> list;
  for (int i = 0; i < DType::kCount; ++i) {
    const DType d = static_cast<DType::Id>(i);
    if (s.only_dtype >= 0 ? s.only_dtype == i : op.dtypes.has(d)) list.push_back(d);
  }
  if (!has_real_input(s) && list.size() > 1) list.resize(1);  // the attributes say which dtype it is
  return list;
}

namespace {

// A permutation of [0, n) that depends on the seed alone.
std::vector<int64_t> shuffled(int64_t n, uint64_t seed, uint64_t stream) {
  std::vector<int64_t> p(static_cast<size_t>(n));
  std::iota(p.begin(), p.end(), 0);
  for (int64_t i = n - 1; i > 0; --i) {
    const auto j = static_cast<int64_t>(philox_uniform(seed, stream, static_cast<uint64_t>(i)) *
                                        static_cast<double>(i + 1));
    std::swap(p[static_cast<size_t>(i)], p[static_cast<size_t>(j)]);
  }
  return p;
}

double draw_real(const SampleInput& in, DType dtype, double u) {
  if (dtype.is_floating() || dtype.is_block()) return in.low + u * (in.high - in.low);
  if (dtype == kBool) return u < 0.5 ? 0 : 1;
  const double low = dtype == kU8 ? std::max(0.0, std::ceil(in.low)) : std::ceil(in.low);
  const double high = std::max(low, std::floor(in.high));
  return std::min(high, low + std::floor(u * (high - low + 1)));
}

HostArray rounded(const HostArray& a) { return to_host_array(from_host_array(a, Device())); }

}  // namespace

std::vector<HostArray> draw(const Sample& s, DType dtype, uint64_t seed, DType index_dtype) {
  std::vector<HostArray> arrays;
  for (size_t n = 0; n < s.inputs.size(); ++n) {
    const SampleInput& in = s.inputs[n];
    const DType d = in.dtype(dtype, index_dtype);
    const int64_t count = in.shape.numel();
    HostArray a{d, in.shape, std::vector<Wide>(static_cast<size_t>(count))};
    const auto order = in.distinct ? shuffled(count, seed, 1000 + n) : std::vector<int64_t>{};
    for (int64_t i = 0; i < count; ++i) {
      double u = philox_uniform(seed, n, static_cast<uint64_t>(i));
      if (in.distinct)
        u = (static_cast<double>(order[static_cast<size_t>(i)]) + 0.25 + 0.5 * u) /
            static_cast<double>(count);
      if (in.kind == SampleInput::kIndex)
        a[i] = std::floor(in.low + u * (in.high - in.low));
      else
        a[i] = draw_real(in, d, u);
    }
    arrays.push_back(rounded(a));
  }
  return arrays;
}

const char* special_values_undefined(const OpInfo& op) {
  static const std::map<std::string_view, const char*> reasons{
      {"attention", "a masked key is skipped, whatever it holds"},
      {"attention_backward", "a masked key is skipped, whatever it holds"},
      {"cholesky", "an error, or the order of elimination"},
      {"triangular_solve", "an error, or the order of elimination"},
      {"solve", "an error, or the order of elimination"},
      {"inverse", "an error, or the order of elimination"},
      {"det", "the order of elimination"},
      {"rfft", "a NaN or an infinity reaches every bin"},
      {"irfft", "a NaN or an infinity reaches every element"},
      {"slogdet", "the order of elimination"},
      {"multinomial", "a weight that is not finite is an error"},
      {"quantize_blocks", "a number that is not finite is an error"},
      {"prod", "f64 underflows where the definition does not, and infinity times 0 is NaN"},
      {"cumprod", "f64 underflows where the definition does not, and infinity times 0 is NaN"},
      {"scan", "f64 underflows where the definition does not, and infinity times 0 is NaN"},
      {"ctc_loss", "it takes logarithms of probabilities; a label that no path reaches is skipped"},
      {"ctc_loss_backward", "it takes logarithms of probabilities; a label that no path reaches is skipped"}};
  const auto it = reasons.find(op.name);
  return it == reasons.end() ? nullptr : it->second;
}

HostArray with_special_values(const OpInfo& op, HostArray a, uint64_t seed) {
  const Wide inf = std::numeric_limits<Wide>::infinity();
  // Units for bf16 products read denormals as zero, and infinity times zero is NaN.
  const std::string_view name = op.name;
  const bool normal = a.dtype == kBF16 &&
                      (name == "matmul" || name == "matmul_sum" || name.starts_with("linear_cross_entropy"));
  const Wide tiny = normal            ? Wide{0x1p-60}
                    : a.dtype == kF64 ? Wide{0x1p-1070}
                    : a.dtype == kF16 ? Wide{0x1p-23}
                                      : Wide{0x1p-132};
  const Wide specials[] = {std::numeric_limits<Wide>::quiet_NaN(), inf, -inf, 0.0L, -0.0L, tiny, -tiny};
  for (int64_t i = 0; i < a.numel(); ++i) {
    const auto pick = static_cast<size_t>(philox_uniform(seed, 77, static_cast<uint64_t>(i)) * 21);
    if (pick < std::size(specials)) a[i] = specials[pick];
  }
  return a;
}

namespace {

bool accepted(const OpInfo& op, const Sample& s, DType dtype, int64_t most) {
  Specs specs;
  for (const SampleInput& in : s.inputs) specs.push_back({in.dtype(dtype), in.shape, Device()});
  try {
    for (const TensorSpec& out : op.infer(s.attrs.get(), specs))
      if (out.shape.numel() > 2 * most) return false;
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The sample with the extents in `which` multiplied by k; none when it would be too much work.
bool scale(Sample& s, const std::set<int64_t>& which, int64_t k, int64_t most) {
  double work = 1;
  for (int64_t e : which) work *= static_cast<double>(e * k);
  if (work > 30.0 * static_cast<double>(most)) return false;
  for (SampleInput& in : s.inputs) {
    for (int i = 0; i < in.shape.rank(); ++i)
      if (which.count(in.shape[i])) in.shape[i] *= k;
    if (in.shape.numel() > most) return false;
  }
  return true;
}

}  // namespace

std::vector<Sample> scaled(const OpInfo& op, const Sample& s, DType dtype, int64_t most) {
  std::set<int64_t> extents;
  for (const SampleInput& in : s.inputs)
    for (int64_t d : in.shape) {
      if (d == 0) return {};
      if (d > 1) extents.insert(d);
    }
  std::vector<std::set<int64_t>> choices;
  for (int64_t e : extents) choices.push_back({e});
  if (extents.size() > 1) choices.push_back(extents);
  std::vector<Sample> list;
  for (const auto& which : choices)
    for (int64_t k : {100003, 50021, 25013, 10007, 7001, 3001, 1031, 331, 131, 37, 17, 7, 5, 3}) {
      Sample larger = s;
      if (!scale(larger, which, k, most) || !accepted(op, larger, dtype, most)) continue;
      list.push_back(std::move(larger));
      break;
    }
  return list;
}

namespace {

int broadcast_dim(Layout layout, const Shape& shape) {
  for (int j = 0; j < shape.rank(); ++j) {
    const int i = layout == Layout::kBroadcastFirst ? j : shape.rank() - 1 - j;
    if (shape[i] > 1) return i;
  }
  return -1;
}

// Calls f(index in row-major order, offset in elements) for every element.
template <class F>
void walk(const Shape& shape, const Strides& strides, int64_t offset, F f) {
  const int64_t n = shape.numel();
  for (int64_t i = 0; i < n; ++i) {
    int64_t rest = i, at = offset;
    for (int d = shape.rank() - 1; d >= 0; --d) {
      at += rest % shape[d] * strides[d];
      rest /= shape[d];
    }
    f(i, at);
  }
}

struct Place {
  Strides strides;
  int64_t offset = 0, elements = 0;
};

Place placing(Layout layout, const Shape& shape) {
  Place p{contiguous_strides(shape), 0, shape.numel()};
  const int rank = shape.rank();
  int64_t step = 1;
  if (layout == Layout::kShifted) {
    p.offset = 1, p.elements += 2;
  } else if (layout == Layout::kTransposed) {
    for (int d = 0; d < rank; ++d) p.strides[d] = step, step *= shape[d];
  } else if (layout == Layout::kSliced) {
    for (int d = rank - 1; d >= 0; --d) {
      p.strides[d] = 2 * step;
      p.offset += step;
      step *= 2 * shape[d] + 1;
    }
    p.elements = step;
  } else if (layout == Layout::kBroadcastFirst || layout == Layout::kBroadcastLast) {
    const int repeated = broadcast_dim(layout, shape);
    for (int d = rank - 1; d >= 0; --d) {
      p.strides[d] = d == repeated ? 0 : step;
      if (d != repeated) step *= shape[d];
    }
    p.elements = step;
  }
  return p;
}

}  // namespace

bool applies(Layout layout, const Shape& shape) {
  if (layout == Layout::kTransposed) {
    int longer = 0;
    for (int64_t d : shape) longer += d > 1;
    return longer > 1 || (shape.rank() > 1 && shape.numel() == 0);
  }
  if (layout == Layout::kBroadcastFirst) return shape.numel() > 1;
  if (layout == Layout::kBroadcastLast)
    return shape.numel() > 1 && broadcast_dim(layout, shape) != broadcast_dim(Layout::kBroadcastFirst, shape);
  if (layout == Layout::kSliced) return shape.rank() > 0 && shape.numel() > 0;
  return layout == Layout::kShifted;
}

Tensor place(HostArray& values, Layout layout, const Device& device) {
  if (values.dtype.is_block()) return from_host_array(values, device);  // blocks lie without gaps
  const Place p = placing(layout, values.shape);
  const Wide poison = values.dtype.is_floating() ? std::numeric_limits<Wide>::quiet_NaN() : 77;
  HostArray memory{values.dtype, {p.elements}, std::vector<Wide>(static_cast<size_t>(p.elements), poison)};
  std::vector<bool> seen(memory.v.size());
  walk(values.shape, p.strides, p.offset, [&](int64_t i, int64_t at) {
    if (seen[static_cast<size_t>(at)]) {
      values[i] = memory[at];
    } else {
      seen[static_cast<size_t>(at)] = true;
      memory[at] = values[i];
    }
  });
  return from_host_array(memory, device).alias(values.shape, p.strides, p.offset);
}

Tensors place_all(std::vector<HostArray>& values, Layout layout, const Device& device) {
  Tensors list;
  for (HostArray& a : values)
    list.push_back(place(a, applies(layout, a.shape) ? layout : Layout::kContiguous, device));
  return list;
}

Tensor whole_storage(const Tensor& t) {
  if (t.dtype().is_block()) return t;
  return t.alias({t.storage()->bytes() / t.dtype().size()}, {1}, 0);
}

Tensors call(const OpInfo& op, const void* attrs, const Tensors& inputs) {
  const Tensors outputs = run_op(op, attrs, inputs);
  Tensors all;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) all.push_back(inputs[i]);
  all.insert(all.end(), outputs.begin(), outputs.end());
  return all;
}

namespace {

// The parts of a composite in f64: their own references are tested as ops.
std::vector<HostArray> expected_composite(const OpInfo& op, const void* attrs,
                                          const std::vector<HostArray>& inputs) {
  Tensors wide;
  for (HostArray a : inputs) {
    if (a.dtype.is_floating() || a.dtype.is_block()) a.dtype = kF64;
    wide.push_back(from_host_array(a, Device()));
  }
  std::vector<HostArray> out;
  for (const Tensor& t : op.decompose(attrs, wide)) out.push_back(to_host_array(t));
  return out;
}

}  // namespace

std::vector<HostArray> expected(const OpInfo& op, const void* attrs, const std::vector<HostArray>& inputs) {
  Specs in;
  for (const HostArray& a : inputs) in.push_back({a.dtype, a.shape, Device()});
  const Specs specs = op.infer(attrs, in);
  std::vector<HostArray> out;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) out.push_back(inputs[i]);
  for (const TensorSpec& s : specs)
    out.push_back({s.dtype, s.shape, std::vector<Wide>(static_cast<size_t>(s.shape.numel()))});
  if (op.kind != OpKind::kComposite) {
    op.reference(attrs, inputs, out);
    return out;
  }
  std::vector<HostArray> parts = expected_composite(op, attrs, inputs);
  SR_CHECK_AS(kInternal, parts.size() == out.size(), "{} decomposes into {} results, infer says {}", op.name,
              parts.size(), out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    SR_CHECK_AS(kInternal, parts[i].shape == out[i].shape, "result {} of {} decomposes to {}, infer says {}",
                i, op.name, parts[i].shape, out[i].shape);
    out[i].v = std::move(parts[i].v);
  }
  return out;
}

std::string difference(const Tensor& got, const HostArray& want, Tolerance t, int64_t* compared) {
  if (got.dtype() != want.dtype || got.shape() != want.shape)
    return fmt::format("got {} {}, expected {} {}", got.dtype(), got.shape(), want.dtype, want.shape);
  const HostArray g = to_host_array(got), w = rounded(want);
  std::string text;
  int shown = 0;
  for (int64_t i = 0; i < g.numel(); ++i) {
    const Wide a = g[i], e = want[i], r = w[i];
    const bool whole = want.dtype.is_floating();
    bool same;
    if (std::isnan(r) || std::isnan(a))
      same = std::isnan(r) && std::isnan(a);
    else if (!whole || std::isinf(r) || std::isinf(a))
      same = a == r;
    else
      same = std::fabs(a - e) <= t.relative * std::fabs(e) + t.absolute;
    if (!same && ++shown <= 3)
      text += fmt::format("\n  element {}: got {:.9g}, expected {:.9g}", i, static_cast<double>(a),
                          static_cast<double>(whole ? e : r));
  }
  *compared += g.numel();
  if (shown > 3) text += fmt::format("\n  and {} more of {}", shown - 3, g.numel());
  return text;
}

int64_t reduced_elements(const std::vector<HostArray>& inputs, const HostArray& output) {
  int64_t most = 1, gone = 1;
  std::set<int64_t> known(output.shape.begin(), output.shape.end());
  for (const HostArray& a : inputs) {
    most = std::max(most, a.numel() / std::max<int64_t>(1, output.numel()));
    for (int64_t d : a.shape)
      if (d > 0 && known.insert(d).second) gone *= d;
  }
  return std::max(most, gone);
}

Tolerance tolerance(const HostArray& output, const std::vector<HostArray>& inputs, DType accumulation,
                    double loosen, bool repeated) {
  const auto terms = static_cast<double>(reduced_elements(inputs, output));
  const Tolerance once = tolerance(output.dtype), sums = tolerance(accumulation);
  if (!output.dtype.is_floating()) return {0, 0};
  return {loosen * std::max(once.relative, sums.relative),
          loosen * (once.absolute + sums.absolute * (repeated ? terms : std::sqrt(terms)))};
}

std::string differences(const Tensors& got, const std::vector<HostArray>& want, DType dtype, double loosen,
                        const std::vector<HostArray>& inputs, bool repeated, int64_t* compared) {
  if (got.size() != want.size()) return fmt::format("{} results, expected {}", got.size(), want.size());
  std::string text;
  for (size_t i = 0; i < got.size(); ++i) {
    const Tolerance a = tolerance(dtype), b = tolerance(want[i].dtype);
    const auto reduced = static_cast<double>(reduced_elements(inputs, want[i]));
    const double grown = repeated ? reduced : std::sqrt(reduced);
    const Tolerance t{loosen * std::max(a.relative, b.relative),
                      loosen * std::max(a.absolute, b.absolute) * grown};
    const std::string d = difference(got[i], want[i], t, compared);
    if (!d.empty()) text += fmt::format("\n  result {}: {}", i, d);
  }
  return text;
}

std::string describe(const OpInfo& op, const Sample& s, DType dtype) {
  std::string text = fmt::format("{}({}) on", op.name, describe_attributes(op, s.attrs.get()));
  for (const SampleInput& in : s.inputs)
    text += fmt::format(" {}{}", in.kind == SampleInput::kIndex ? "index" : in.dtype(dtype).name(), in.shape);
  return text;
}

}  // namespace suiren::conform
