#include "suiren/conform/compare.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/conform/harness.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/core/host_array.h"
#include "suiren/io/json.h"
#include "suiren/io/safetensors.h"

namespace suiren::conform {
namespace {

using io::Json;

// First and one past the last element of its storage that t touches.
std::pair<int64_t, int64_t> extent(const Tensor& t) {
  int64_t low = t.offset(), high = t.offset();
  for (int i = 0; i < t.rank(); ++i) (t.strides()[i] < 0 ? low : high) += (t.shape()[i] - 1) * t.strides()[i];
  return {low, high + 1};
}

// The part of its storage that t lies in, as one row.
Tensor row_under(const Tensor& t) {
  const auto [low, high] = extent(t);
  return t.alias({high - low}, {1}, low);
}

// The same values with the same strides, in memory of its own on `device`.
Tensor relocated(const Tensor& t, const Device& device) {
  if (t.numel() == 0) return Tensor::empty(t.shape(), t.dtype(), device);
  const Tensor row = row_under(t);
  const Tensor there = Tensor::from_bytes(row.to_bytes(), row.shape(), row.dtype(), device);
  there.storage()->set_stable(t.storage()->stable());
  return there.alias(t.shape(), t.strides(), t.offset() - extent(t).first);
}

Tensors relocated(std::span<const Tensor> tensors, const Device& device) {
  Tensors out;
  for (const Tensor& t : tensors) out.push_back(relocated(t, device));
  return out;
}

// What a call leaves: its outputs, then the inputs that it wrote into.
Tensors results_of(const OpInfo& op, Tensors outputs, std::span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) outputs.push_back(inputs[i]);
  return outputs;
}

std::string result_name(const OpInfo& op, size_t result, size_t outputs) {
  if (result < outputs) return fmt::format("output {}", result);
  for (size_t i = 0, left = result - outputs;; ++i)
    if (op.mutates_input(i) && left-- == 0) return fmt::format("input {} after the call", i);
}

double root_mean_square(const HostArray& a) {
  Wide sum = 0;
  int64_t n = 0;
  for (const Wide x : a.v)
    if (std::isfinite(x)) sum += x * x, ++n;
  return n ? std::sqrt(static_cast<double>(sum / static_cast<Wide>(n))) : 0;
}

// The size of the values in a call, and how many terms may be summed on the way to one element of `output`:
// inside a fused op, as many as the longest extent has.
struct Size {
  double values, terms;
};
Size size_of(const std::vector<HostArray>& inputs, const HostArray& output) {
  Size s{root_mean_square(output), static_cast<double>(reduced_elements(inputs, output))};
  for (const HostArray& a : inputs) {
    if (a.dtype.is_floating()) s.values = std::max(s.values, root_mean_square(a));
    for (const int64_t d : a.shape) s.terms = std::max(s.terms, static_cast<double>(d));
  }
  return s;
}

bool same(Wide a, Wide b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// One result of a call against the expected one; *share: its largest error as a share of what is allowed.
OpDifference judge(const HostArray& got, const HostArray& want, Tolerance t, Size size, double* share) {
  OpDifference d;
  d.elements = want.numel();
  *share = 0;
  for (int64_t i = 0; i < want.numel(); ++i) {
    if (same(got[i], want[i])) continue;
    const double allowed = t.relative * std::fabs(static_cast<double>(want[i])) +
                           t.absolute * std::sqrt(size.terms) * size.values;
    const double error = std::fabs(static_cast<double>(got[i] - want[i]));
    const double part = std::isfinite(error) && allowed > 0 ? error / allowed : HUGE_VAL;
    if (part > 1) ++d.different;
    if (part <= *share) continue;
    *share = part;
    d.element = i, d.expected = static_cast<double>(want[i]), d.got = static_cast<double>(got[i]);
    d.allowed = allowed;
  }
  return d;
}

// Compares what a call left on two devices, and counts it in *to.
void compare_call(const OpInfo& op, const void* attrs, const Tensors& inputs, const Tensors& want,
                  const Tensors& got, size_t outputs, Comparison* to) {
  ++to->calls;
  Tolerance t{0, 0};
  std::vector<HostArray> values;
  for (const Tensor& x : inputs) values.push_back(to_host_array(x));
  for (const Tensors* list : {&inputs, &want})
    for (const Tensor& x : *list)
      if (const Tolerance own = tolerance(x.dtype()); own.relative > t.relative) t = own;
  for (size_t i = 0; i < want.size() && !to->difference; ++i) {
    const HostArray expected = to_host_array(want[i]);
    double share = 0;
    const bool exact = !want[i].dtype().is_floating();
    OpDifference d = judge(to_host_array(got[i]), expected, exact ? Tolerance{0, 0} : t,
                           size_of(values, expected), &share);
    if (share <= 1) {
      if (share > to->closest) to->closest = share, to->closest_op = op.name;
      continue;
    }
    d.call = to->calls;
    d.op = op.name;
    d.attributes = describe_attributes(op, attrs);
    for (const Tensor& x : inputs)
      d.inputs += fmt::format("{}{} {}", d.inputs.empty() ? "" : ", ", x.dtype(), x.shape());
    d.result = result_name(op, i, outputs);
    to->difference = d;
  }
}

Json attribute_json(const AttrValue& a) {
  if (a.kind == AttrValue::kInt) return {{"name", a.name}, {"int", a.i}};
  if (a.kind == AttrValue::kFloat) return {{"name", a.name}, {"float", fmt::format("{:a}", a.f)}};  // exact
  return {{"name", a.name}, {"list", std::vector<int64_t>(a.list, a.list + a.size)}};
}

void save_call(const std::string& folder, const OpInfo& op, const void* attrs, const Tensors& inputs,
               const Tensors& want, size_t outputs, const std::string& from) {
  Json call{{"op", op.name},
            {"results_of", from},
            {"outputs", outputs},
            {"attributes", Json::array()},
            {"inputs", Json::array()}};
  for (const AttrValue& a : op.attributes(attrs)) call["attributes"].push_back(attribute_json(a));
  io::TensorEntries entries;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& t = inputs[i];
    const bool empty = t.numel() == 0;
    call["inputs"].push_back({{"shape", std::vector<int64_t>(t.shape().begin(), t.shape().end())},
                              {"strides", std::vector<int64_t>(t.strides().begin(), t.strides().end())},
                              {"offset", empty ? 0 : t.offset() - extent(t).first},
                              {"stable", t.storage()->stable()}});
    entries.add(fmt::format("input.{}", i), empty ? t : row_under(t));
  }
  for (size_t i = 0; i < want.size(); ++i) entries.add(fmt::format("result.{}", i), want[i]);
  make_directories(folder);
  io::write_safetensors(folder + "/tensors.safetensors", entries.list());
  write_file(folder + "/call.json", call.dump(1) + "\n");
}

class Comparer : public DispatchObserver {
 public:
  Comparer(const Device& other, std::string save_to) : other_(other), save_to_(std::move(save_to)) {
    set_dispatch_observer(this);
  }
  ~Comparer() override { set_dispatch_observer(nullptr); }
  Tensors around(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
                 FunctionRef<Tensors()> run) override {
    if (busy_ || result.difference) return run();
    const Tensors before = relocated(inputs, Device());  // the op may write into its inputs
    Tensors outputs = run();                             // its parts come here first
    if (result.difference) return outputs;
    busy_ = true;
    const Tensors there = relocated(before, other_);
    const Tensors got = results_of(op, run_op(op, attrs, there, other_), there);
    const Tensors want = results_of(op, outputs, inputs);
    compare_call(op, attrs, before, want, got, outputs.size(), &result);
    if (result.difference)
      save_call(save_to_, op, attrs, before, want, outputs.size(),
                want.empty() ? "" : want[0].device().name());
    busy_ = false;
    return outputs;
  }
  Comparison result;

 private:
  const Device other_;
  const std::string save_to_;
  bool busy_ = false;
};

std::shared_ptr<const void> read_attributes(const OpInfo& op, const Json& list, const std::string& name) {
  std::vector<AttrValue> values;
  std::vector<std::vector<int64_t>> lists(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const Json& a = list[i];
    AttrValue v{AttrValue::kInt, ""};
    if (a.contains("float")) {
      v.kind = AttrValue::kFloat;
      v.f = std::strtod(io::json_string(a, "float", name).c_str(), nullptr);
    } else if (a.contains("list")) {
      lists[i] = io::json_ints(a, "list", name);
      v.kind = AttrValue::kList, v.list = lists[i].data(), v.size = static_cast<int>(lists[i].size());
    } else {
      v.i = io::json_int(a, "int", name);
    }
    values.push_back(v);
  }
  return op.make_attrs(values);
}

Tensor read_tensor(const io::SafeTensors& file, const std::string& name) {
  const io::TensorEntry& e = file.entry(name);
  return Tensor::from_bytes(e.bytes, Shape(std::span<const int64_t>(e.shape)), e.dtype);
}

}  // namespace

Comparison compare_devices(const std::function<void()>& forward, const Device& other,
                           const std::string& save_to) {
  const NoGrad off;
  Comparer comparer(other, save_to);
  forward();
  return comparer.result;
}

Comparison replay_call(const std::string& folder, const Device& device) {
  const NoGrad off;
  const std::string name = folder + "/call.json";
  const Json call = io::read_json(name);
  const io::SafeTensors file = io::SafeTensors::open(folder + "/tensors.safetensors");
  const OpInfo& op = find_op(io::json_string(call, "op", name));
  const auto attrs = read_attributes(op, io::json_member(call, "attributes", name), name);
  Tensors inputs, want;
  for (const Json& j : io::json_member(call, "inputs", name)) {
    const Tensor row = read_tensor(file, fmt::format("input.{}", inputs.size()));
    row.storage()->set_stable(io::json_bool(j, "stable", name));
    const auto shape = io::json_sizes(j, "shape", name), strides = io::json_ints(j, "strides", name);
    const Tensor t = row.alias(Shape(std::span<const int64_t>(shape)),
                               Strides(std::span<const int64_t>(strides)), io::json_int(j, "offset", name));
    SR_CHECK(shape.size() == strides.size() &&
                 (t.numel() == 0 || (extent(t).first >= 0 && extent(t).second <= row.numel())),
             "{}: input {} reaches outside its {} saved elements", name, inputs.size(), row.numel());
    inputs.push_back(t);
  }
  while (file.contains(fmt::format("result.{}", want.size())))
    want.push_back(read_tensor(file, fmt::format("result.{}", want.size())));
  const Tensors there = relocated(inputs, device);
  const Tensors outputs = run_op(op, attrs.get(), there, device);
  const Tensors got = results_of(op, outputs, there);
  SR_CHECK(got.size() == want.size(), "{} holds {} results, {} gives {}", folder, want.size(), op.name,
           got.size());
  Comparison result;
  compare_call(op, attrs.get(), inputs, want, got, outputs.size(), &result);
  return result;
}

}  // namespace suiren::conform
