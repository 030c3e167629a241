// Every op against PyTorch in f64: values, gradients, second derivatives. A room's cases stand in its
// golden.json, those of the first rooms in tests/golden/ops/goldens.json (called by their public functions);
// tests/golden/ops/golden.py says what the keys mean.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/io/json.h"
#include "suiren/ops/ops.h"
#include "suiren/quant/block_format.h"
#include "tests/ops/attributes.h"

namespace suiren {
namespace {

using io::Json;
using Call = std::function<Tensors(const Json& attrs, const Tensors& in)>;

Shape shape_of(const Json& a) { return dims_of_json<Shape>(a.at("shape")); }
DType dtype_of_case(const Json& a) { return *DType::parse(a.at("dtype").get<std::string>()); }

Call unary(Tensor (*f)(const Tensor&)) {
  return [f](const Json&, const Tensors& in) { return Tensors{f(in[0])}; };
}
Call binary(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Json&, const Tensors& in) { return Tensors{f(in[0], in[1])}; };
}
Call reduction(Tensor (*f)(const Tensor&, const Dims&, bool)) {
  return [f](const Json& a, const Tensors& in) {
    return Tensors{f(in[0], dims_of_json<Dims>(a.at("axes")), a.at("keep"))};
  };
}
Call along(Tensor (*f)(const Tensor&, int64_t)) {
  return [f](const Json& a, const Tensors& in) { return Tensors{f(in[0], a.at("axis"))}; };
}
// An op that writes into its first `written` inputs; they are its results.
Call in_place(size_t written, std::function<void(const Json&, const Tensors&)> f) {
  return [written, f](const Json& a, const Tensors& in) {
    f(a, in);
    return Tensors(in.begin(), in.begin() + static_cast<int64_t>(written));
  };
}
template <class F>
Call one(F f) {
  return [f](const Json& a, const Tensors& in) { return Tensors{f(a, in)}; };
}

using Calls = std::map<std::string, Call>;
using A = const Json&;
using T = const Tensors&;

Calls views_and_copies() {
  return {
      {"reshape", one([](A a, T in) { return reshape(in[0], shape_of(a)); })},
      {"permute", one([](A a, T in) { return permute(in[0], dims_of_json<Dims>(a.at("order"))); })},
      {"slice",
       one([](A a, T in) { return slice(in[0], a.at("axis"), a.at("begin"), a.at("end"), a.at("step")); })},
      {"slice_backward", one([](A a, T in) {
         return slice_backward(in[0], shape_of(a), a.at("axis"), a.at("begin"), a.at("step"));
       })},
      {"broadcast_to", one([](A a, T in) { return broadcast_to(in[0], shape_of(a)); })},
      {"copy", unary(copy)},
      {"assign", in_place(1, [](A, T in) { assign(in[0], in[1]); })},
      {"accumulate", in_place(1, [](A, T in) { accumulate(in[0], in[1]); })},
      {"cast", one([](A a, T in) { return cast(in[0], dtype_of_case(a)); })},
      {"full", one([](A a, T) { return full(shape_of(a), a.at("value"), dtype_of_case(a)); })},
      {"arange",
       one([](A a, T) { return arange(a.at("begin"), a.at("end"), a.at("step"), dtype_of_case(a)); })},
      {"concat", one([](A a, T in) { return concat(in, a.at("axis")); })},
      {"uniform", one([](A a, T) {
         return uniform(shape_of(a), a.at("low"), a.at("high"), a.at("seed"), a.at("stream"), kF64);
       })},
      {"normal", one([](A a, T) {
         return normal(shape_of(a), a.at("mean"), a.at("std"), a.at("seed"), a.at("stream"), kF64);
       })},
      {"dropout", one([](A a, T in) { return dropout(in[0], a.at("p"), a.at("seed"), a.at("stream")); })},
      {"gather", one([](A a, T in) { return gather(in[0], a.at("axis"), in[1]); })},
      {"scatter_add", one([](A a, T in) { return scatter_add(in[0], a.at("axis"), in[1], in[2]); })},
      {"index_select", one([](A a, T in) { return index_select(in[0], a.at("axis"), in[1]); })},
  };
}

Calls elementwise() {
  return {
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"pow", binary(pow)},
      {"maximum", binary(maximum)},
      {"minimum", binary(minimum)},
      {"eq", binary(eq)},
      {"ne", binary(ne)},
      {"lt", binary(lt)},
      {"le", binary(le)},
      {"gt", binary(gt)},
      {"ge", binary(ge)},
      {"logical_and", binary(logical_and)},
      {"logical_or", binary(logical_or)},
      {"logical_not", unary(logical_not)},
      {"where", one([](A, T in) { return where(in[0], in[1], in[2]); })},
      {"clamp", one([](A a, T in) { return clamp(in[0], a.at("low"), a.at("high")); })},
      {"neg", unary(neg)},
      {"abs", unary(abs)},
      {"relu", unary(relu)},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"rsqrt", unary(rsqrt)},
      {"reciprocal", unary(reciprocal)},
      {"square", unary(square)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"silu", unary(silu)},
      {"gelu", unary(gelu)},
      {"erf", unary(erf)},
      {"sin", unary(sin)},
      {"cos", unary(cos)},
      {"sign", unary(sign)},
      {"floor", unary(floor)},
  };
}

Calls reductions() {
  return {
      {"sum", reduction(sum)},
      {"mean", reduction(mean)},
      {"max", reduction(max)},
      {"min", reduction(min)},
      {"argmax", along(argmax)},
      {"sum_squares", unary(sum_squares)},
      {"cumsum", one([](A a, T in) { return cumsum(in[0], a.at("axis"), a.at("reverse")); })},
      {"softmax", along(softmax)},
      {"log_softmax", along(log_softmax)},
      {"logsumexp", one([](A a, T in) { return logsumexp(in[0], a.at("axis"), a.at("keep")); })},
  };
}

// The mask and the sinks stand after the first `given` inputs.
AttentionOptions attention_options(A a, T in, size_t given) {
  AttentionOptions o{a.at("scale").get<double>(), a.at("causal").get<bool>(), a.value("window", int64_t{0}),
                     a.value("softcap", 0.0)};
  if (a.value("mask", false)) o.mask = in[given++];
  if (a.value("sinks", false)) o.sinks = in[given];
  return o;
}

Calls layers() {
  return {
      {"matmul", binary(matmul)},
      {"matmul_sum", binary(matmul_sum)},
      {"embedding", binary(embedding)},
      {"embedding_backward", one([](A a, T in) { return embedding_backward(in[0], in[1], a.at("rows")); })},
      {"rms_norm", one([](A a, T in) { return rms_norm(in[0], in[1], a.at("eps")); })},
      {"rms_norm_backward", [](A a, T in) { return rms_norm_backward(in[0], in[1], in[2], a.at("eps")); }},
      {"rope", one([](A a, T in) { return rope(in[0], in[1], in[2], a.value("interleaved", false)); })},
      {"swiglu", binary(swiglu)},
      {"swiglu_backward", [](A, T in) { return swiglu_backward(in[0], in[1], in[2]); }},
      {"attention", [](A a, T in) { return attention(in[0], in[1], in[2], attention_options(a, in, 3)); }},
      {"attention_backward",
       [](A a, T in) {
         return attention_backward(in[0], in[1], in[2], in[3], in[4], in[5], in[6],
                                   attention_options(a, in, 7));
       }},
      {"cross_entropy", [](A, T in) { return cross_entropy_with_lse(in[0], in[1]); }},
      {"cross_entropy_backward",
       one([](A, T in) { return cross_entropy_backward(in[0], in[1], in[2], in[3], in[4]); })},
      {"adamw", in_place(3,
                         [](A a, T in) {
                           adamw(in[0], in[1], in[2], in[3],
                                 {a.at("lr"), a.at("beta1"), a.at("beta2"), a.at("eps"), a.at("weight_decay"),
                                  a.at("step"), a.at("grad_scale")});
                         })},
      {"sgd", in_place(2,
                       [](A a, T in) {
                         sgd(in[0], in[1], in[2],
                             {a.at("lr"), a.at("momentum"), a.at("weight_decay"), a.at("nesterov"),
                              a.at("grad_scale")});
                       })},
  };
}

const Calls& calls() {
  static const Calls all = [] {
    Calls c = views_and_copies();
    c.merge(elementwise());
    c.merge(reductions());
    c.merge(layers());
    return c;
  }();
  return all;
}

// All cases, by op.
const std::map<std::string, std::vector<Json>>& goldens() {
  static const auto all = [] {
    std::map<std::string, std::vector<Json>> by_op;
    const auto add = [&](const std::string& path) {
      const Json file = io::read_json(path);
      for (const Json& c : file.at("cases")) by_op[c["op"].get<std::string>()].push_back(c);
    };
    add("tests/golden/ops/goldens.json");
    for (const auto& room : std::filesystem::directory_iterator("suiren/ops"))
      if (const auto path = room.path() / "golden.json"; std::filesystem::exists(path)) add(path.string());
    return by_op;
  }();
  return all;
}

// Runs a case: by the op's public function where the table above has one, else by its attributes.
Tensors run(const OpInfo& op, const Json& c, const Tensors& inputs) {
  if (const auto it = calls().find(op.name); it != calls().end()) return it->second(c["attrs"], inputs);
  const auto attrs = attributes_of_json(op, c["attrs"]);
  const Tensors outputs = run_op(op, attrs.get(), inputs);
  Tensors all;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) all.push_back(inputs[i]);
  all.insert(all.end(), outputs.begin(), outputs.end());
  return all;
}

Tensor tensor(const Json& packed);

HostArray host(const Json& packed) {
  if (!DType::parse(packed[0].get<std::string>())) return to_host_array(tensor(packed));  // blocks
  HostArray a{*DType::parse(packed[0].get<std::string>()), dims_of_json<Shape>(packed[1]), {}};
  for (const Json& x : packed[2]) a.v.push_back(a.dtype.is_floating() ? x.get<double>() : x.get<int64_t>());
  return a;
}
Tensor tensor(const Json& packed) {
  const auto name = packed[0].get<std::string>();
  if (DType::parse(name)) return from_host_array(host(packed), Device());
  return Tensor::from_bytes(packed[2].get<std::vector<uint8_t>>(), dims_of_json<Shape>(packed[1]),
                            *quant::BlockFormat::parse(name)->dtype());
}

int64_t compared = 0;

// Integers and f32 (rounded once) are exact, f64 within a few roundings.
void expect_equal(const HostArray& got, const Json& packed, const std::string& what) {
  const HostArray want = host(packed);
  ASSERT_EQ(got.dtype, want.dtype) << what;
  ASSERT_EQ(got.shape, want.shape) << what;
  for (int64_t i = 0; i < want.numel(); ++i) {
    const Wide allowed = want.dtype == kF64 ? 2e-13L + 2e-13L * std::fabs(want[i]) : 0;
    EXPECT_LE(std::fabs(got[i] - want[i]), allowed)
        << what << ", element " << i << ": " << static_cast<double>(got[i]) << ", expected "
        << static_cast<double>(want[i]);
    ++compared;
  }
}

// The reference of a primitive, whatever kernel ran: its attributes stand in the recorded call.
void check_reference(const OpInfo& op, const Tensors& inputs, const Tensors& outputs, const Json& c) {
  if (op.kind == OpKind::kComposite || !outputs[0].requires_grad() || outputs[0].node()->op != &op) return;
  std::vector<HostArray> in, out;
  for (const Tensor& t : inputs) in.push_back(to_host_array(t));
  for (const Tensor& t : outputs)
    out.push_back({t.dtype(), t.shape(), std::vector<Wide>(static_cast<size_t>(t.numel()))});
  op.reference(outputs[0].node()->attrs.get(), in, out);
  for (size_t i = 0; i < out.size(); ++i)
    expect_equal(to_host_array(from_host_array(out[i], Device())), c["outputs"][i],
                 fmt::format("{}: reference, output {}", op.name, i));
}

void check_gradients(const Tensors& inputs, const Tensors& outputs, const Json& c) {
  Tensors wanted, live, g, w, grads;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (!c["input_grads"][i].is_null()) wanted.push_back(inputs[i]), places.push_back(i);
  ASSERT_FALSE(wanted.empty());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!c["g"][i].is_null()) live.push_back(outputs[i]), g.push_back(tensor(c["g"][i]));
  grads = gradients(live, wanted, g, {.create_graph = true});
  for (size_t i = 0; i < wanted.size(); ++i) {
    expect_equal(to_host_array(grads[i]), c["input_grads"][places[i]],
                 fmt::format("gradient of input {}", places[i]));
    w.push_back(tensor(c["w"][places[i]]));
  }
  const Tensors second = gradients(grads, wanted, w);
  for (size_t i = 0; i < wanted.size(); ++i)
    expect_equal(to_host_array(second[i]), c["second"][places[i]],
                 fmt::format("second derivative, input {}", places[i]));
}

class OpGolden : public testing::TestWithParam<std::string> {};

TEST_P(OpGolden, EqualsTorch) {
  const OpInfo& op = find_op(GetParam());
  int64_t cases = 0, with_gradient = 0;
  compared = 0;
  for (const Json& c : goldens().at(GetParam())) {
    SCOPED_TRACE(fmt::format("case {} of {}: {}", cases++, op.name, c["attrs"].dump()));
    const bool differentiable = c.contains("input_grads");
    EXPECT_FALSE(differentiable && op.no_gradient) << "torch has a gradient, the op says: " << op.no_gradient;
    Tensors inputs;
    for (size_t i = 0; i < c["inputs"].size(); ++i) {
      inputs.push_back(tensor(c["inputs"][i]));
      if (differentiable && !c["input_grads"][i].is_null()) inputs.back().set_requires_grad();
    }
    const Tensors outputs = run(op, c, inputs);
    ASSERT_EQ(outputs.size(), c["outputs"].size());
    for (size_t i = 0; i < outputs.size(); ++i)
      expect_equal(to_host_array(outputs[i]), c["outputs"][i], fmt::format("output {}", i));
    if (!differentiable) continue;
    check_reference(op, inputs, outputs, c);
    check_gradients(inputs, outputs, c);
    ++with_gradient;
  }
  EXPECT_GT(compared, 0);
  if (op.name == std::string_view("quantized_linear")) return;  // its values are steps; see its own test
  EXPECT_EQ(with_gradient > 0, op.no_gradient == nullptr)
      << "an op with a gradient has a case with gradients";
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const auto& [name, cases] : goldens()) list.push_back(name);
  return list;
}
INSTANTIATE_TEST_SUITE_P(Ops, OpGolden, testing::ValuesIn(names()), [](const auto& i) { return i.param; });

TEST(OpGoldens, CoverEveryOp) {
  std::vector<std::string> ops;
  for (const OpInfo* op : all_ops()) ops.push_back(op->name);
  EXPECT_EQ(names(), ops);
}

}  // namespace
}  // namespace suiren
