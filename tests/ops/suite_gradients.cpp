// Gradients of every op, first and second order, against central differences in f64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "suiren/base/philox.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "tests/ops/suite.h"

namespace suiren::suite {
namespace {

class OpGradients : public testing::TestWithParam<const OpInfo*> {
 protected:
  const OpInfo& op() const { return *GetParam(); }
};
using OpNoGradient = OpGradients;

std::vector<const OpInfo*> ops_with_gradient(bool with) {
  std::vector<const OpInfo*> list;
  for (const OpInfo* op : all_ops())
    if ((op->no_gradient == nullptr) == with) list.push_back(op);
  return list;
}
const auto name_of = [](const auto& info) { return std::string(info.param->name); };
INSTANTIATE_TEST_SUITE_P(Suite, OpGradients, testing::ValuesIn(ops_with_gradient(true)), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, OpNoGradient, testing::ValuesIn(ops_with_gradient(false)), name_of);

// Ops whose second derivative is not offered, and why.
const std::map<std::string, const char*> kFirstOrderOnly{};

// Ops whose values are steps, with the test of the gradient that passes through them.
const std::map<std::string, const char*> kSteps{{"quantized_linear", "QuantizedLinear.PassesItsGradient"}};

constexpr double kStep = 5e-4, kRelative = 2e-7, kAbsolute = 2e-8;

HostArray weights(const Shape& shape, uint64_t seed, uint64_t stream) {
  HostArray w{kF64, shape, std::vector<Wide>(static_cast<size_t>(shape.numel()))};
  for (int64_t i = 0; i < w.numel(); ++i)
    w[i] = static_cast<float>(philox_uniform(seed, stream, static_cast<uint64_t>(i)) * 2 - 1);
  return w;
}

Wide dot(const HostArray& a, const HostArray& b) {
  Wide sum = 0;
  for (int64_t i = 0; i < a.numel(); ++i) sum += a[i] * b[i];
  return sum;
}

// The fourth-order central difference of f at values[input][element].
double central_difference(std::vector<HostArray>& values, size_t input, int64_t element,
                          const std::function<Wide(const std::vector<HostArray>&)>& f) {
  Wide& x = values[input][element];
  const Wide at = x;
  const auto shifted = [&](double by) {
    x = static_cast<double>(at + by);
    const Wide y = f(values);
    x = at;
    return y;
  };
  return static_cast<double>(
      (8 * (shifted(kStep) - shifted(-kStep)) - (shifted(2 * kStep) - shifted(-2 * kStep))) / (12 * kStep));
}

// All elements of a small input, some of a large one.
std::vector<int64_t> chosen(int64_t n, int64_t most, uint64_t seed) {
  std::vector<int64_t> list;
  for (int64_t i = 0; i < std::min(n, most); ++i)
    list.push_back(n <= most ? i
                             : static_cast<int64_t>(philox_uniform(seed, 9, static_cast<uint64_t>(i)) *
                                                    static_cast<double>(n)));
  return list;
}

std::vector<size_t> wanted_inputs(const Sample& s) {
  std::vector<size_t> list;
  for (size_t i = 0; i < s.inputs.size(); ++i)
    if (s.inputs[i].kind == SampleInput::kReal && s.inputs[i].differentiable) list.push_back(i);
  return list;
}

// One sample as a function of its differentiable inputs.
struct Problem {
  const OpInfo& op;
  const Sample& sample;
  std::vector<HostArray> values;      // all inputs, f64
  std::vector<HostArray> projection;  // one for each output, f64; empty for integer outputs
  std::vector<size_t> wanted;         // inputs that have gradients

  // All values are those of f32, so that the same problem can be run there.
  Problem(const OpInfo& op, const Sample& s, uint64_t seed)
      : op(op), sample(s), values(draw(s, kF32, seed)), wanted(wanted_inputs(s)) {
    for (HostArray& a : values)
      if (a.dtype == kF32) a.dtype = kF64;
    const auto out = expected(op, s.attrs.get(), values);
    for (size_t i = 0; i < out.size(); ++i)
      projection.push_back(out[i].dtype.is_floating() ? weights(out[i].shape, seed, 50 + i) : HostArray{});
  }

  // sum of output * projection, from the op's definition.
  Wide project(const std::vector<HostArray>& x) const {
    const auto out = expected(op, sample.attrs.get(), x);
    Wide sum = 0;
    for (size_t i = 0; i < out.size(); ++i)
      if (out[i].dtype.is_floating()) sum += dot(out[i], projection[i]);
    return sum;
  }

  struct Run {
    Tensors wanted, projections, grads;
  };
  // The gradients by the tape; the projections are variables too when `twice`.
  Run differentiate(std::vector<HostArray> x, std::vector<HostArray> w, bool twice,
                    Layout layout = Layout::kContiguous, DType dtype = kF64) const {
    for (HostArray& a : x)
      if (a.dtype == kF64) a.dtype = dtype;
    Tensors inputs = place_all(x, layout);
    for (size_t i : wanted) inputs[i].set_requires_grad();
    Tensors outputs = call(op, sample.attrs.get(), inputs), floating;
    Run r;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].dtype().is_floating()) continue;
      w[i].dtype = outputs[i].dtype();
      Tensor p = place(w[i], applies(layout, w[i].shape) ? layout : Layout::kContiguous);
      if (twice) p.set_requires_grad();
      floating.push_back(outputs[i]);
      r.projections.push_back(p);
    }
    for (size_t i : wanted) r.wanted.push_back(inputs[i]);
    r.grads = gradients(floating, r.wanted, r.projections, {.create_graph = twice});
    return r;
  }
};

::testing::AssertionResult near(double got, double want, double loosen, const std::string& where) {
  if (std::fabs(got - want) <= loosen * (kRelative * std::fabs(want) + kAbsolute))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << where << ": got " << got << ", central difference " << want;
}

int64_t check_first_order(const Problem& p, uint64_t seed, const std::string& what) {
  int64_t checked = 0;
  const auto run = p.differentiate(p.values, p.projection, false);
  std::vector<HostArray> x = p.values;
  for (size_t n = 0; n < p.wanted.size(); ++n) {
    const HostArray g = to_host_array(run.grads[n]);
    for (int64_t i : chosen(g.numel(), 40, seed)) {
      const double want = central_difference(x, p.wanted[n], i, [&](const auto& v) { return p.project(v); });
      EXPECT_TRUE(near(static_cast<double>(g[i]), want, p.sample.loosen,
                       fmt::format("{}: gradient of input {}, element {}", what, p.wanted[n], i)));
      ++checked;
    }
  }
  // The same through inputs and output gradients that are no plain arrays.
  for (Layout layout : {Layout::kTransposed, Layout::kSliced}) {
    const auto other = p.differentiate(p.values, p.projection, false, layout);
    for (size_t n = 0; n < p.wanted.size(); ++n) {
      int64_t compared = 0;
      const double t = 1e-11 * p.sample.loosen;
      EXPECT_EQ(difference(other.grads[n], to_host_array(run.grads[n]), {t, t}, &compared), "")
          << what << ", gradient of input " << p.wanted[n] << ", " << layout_name(layout);
    }
  }
  return checked;
}

// <grad, v> differentiated by inputs and projections.
Tensors second_gradients(const Problem& p, const Problem::Run& run, const std::vector<HostArray>& v) {
  Tensors variables = run.wanted, reached, directions;
  variables.insert(variables.end(), run.projections.begin(), run.projections.end());
  for (size_t n = 0; n < run.grads.size(); ++n) {
    if (!run.grads[n].requires_grad()) continue;
    HostArray direction = v[n];
    direction.dtype = run.grads[n].dtype();
    reached.push_back(run.grads[n]);
    directions.push_back(from_host_array(direction, Device()));
  }
  EXPECT_EQ(p.wanted.size(), v.size());
  return gradients(reached, variables, directions);
}

std::string far_apart(const Tensors& narrow, const Tensors& wide, double loosen) {
  std::string text;
  for (size_t n = 0; n < wide.size(); ++n) {
    HostArray want = to_host_array(wide[n]);
    want.dtype = narrow[n].dtype();
    Wide largest = 1;
    for (Wide x : want.v) largest = std::max(largest, std::fabs(x));
    const double t = 2e-5 * loosen;
    int64_t compared = 0;
    const std::string d = difference(narrow[n], want, {t, t * static_cast<double>(largest)}, &compared);
    if (!d.empty()) text += fmt::format("\n variable {}: {}", n, d);
  }
  return text;
}

// The same gradients in f32: there the fused kernels run, and some are differentiated by replaying their
// parts.
void check_narrow(const Problem& p, const std::vector<HostArray>& v, bool twice, const std::string& what) {
  const auto wide = p.differentiate(p.values, p.projection, twice);
  const auto narrow = p.differentiate(p.values, p.projection, twice, Layout::kContiguous, kF32);
  EXPECT_EQ(far_apart(narrow.grads, wide.grads, p.sample.loosen), "") << what << " in f32";
  if (!twice) return;
  EXPECT_EQ(far_apart(second_gradients(p, narrow, v), second_gradients(p, wide, v), p.sample.loosen), "")
      << what << " in f32, second order";
}

// d<grad, v> / d(inputs and projections), again against central differences of the tape's first gradients.
int64_t check_second_order(const Problem& p, const std::vector<HostArray>& v, uint64_t seed,
                           const std::string& what) {
  int64_t checked = 0;
  const auto run = p.differentiate(p.values, p.projection, true);
  const Tensors second = second_gradients(p, run, v);
  std::vector<HostArray> all = p.values;
  all.insert(all.end(), p.projection.begin(), p.projection.end());
  const size_t inputs = p.values.size();
  const auto projected = [&](const std::vector<HostArray>& x) {
    const std::vector<HostArray> at(x.begin(), x.begin() + static_cast<int64_t>(inputs));
    const std::vector<HostArray> w(x.begin() + static_cast<int64_t>(inputs), x.end());
    const auto again = p.differentiate(at, w, false);
    Wide sum = 0;
    for (size_t n = 0; n < again.grads.size(); ++n) sum += dot(to_host_array(again.grads[n]), v[n]);
    return sum;
  };
  std::vector<size_t> places = p.wanted;
  for (size_t i = 0; i < p.projection.size(); ++i)
    if (!p.projection[i].v.empty() || p.projection[i].shape.rank() > 0) places.push_back(inputs + i);
  EXPECT_EQ(places.size(), second.size());
  for (size_t n = 0; n < std::min(places.size(), second.size()); ++n) {
    const HostArray g = to_host_array(second[n]);
    for (int64_t i : chosen(g.numel(), 12, seed + 1)) {
      const double want = central_difference(all, places[n], i, projected);
      EXPECT_TRUE(near(static_cast<double>(g[i]), want, 10 * p.sample.loosen,
                       fmt::format("{}: second order, variable {}, element {}", what, n, i)));
      ++checked;
    }
  }
  return checked;
}

bool differentiable(const OpInfo& op, const Sample& s) {
  const auto dtypes = dtypes_of(op, s);
  return s.error.empty() && s.gradient && !wanted_inputs(s).empty() &&
         std::find(dtypes.begin(), dtypes.end(), kF64) != dtypes.end();
}

TEST_P(OpGradients, EqualCentralDifferences) {
  if (const auto at = kSteps.find(op().name); at != kSteps.end()) GTEST_SKIP() << "see " << at->second;
  int64_t first = 0, second = 0;
  uint64_t seed = 11;
  const bool once = kFirstOrderOnly.count(op().name) > 0;
  for (const Sample& s : op().samples()) {
    ++seed;
    if (!differentiable(op(), s)) continue;
    const std::string what = describe(op(), s, kF64);
    const Problem p(op(), s, seed);
    first += check_first_order(p, seed, what);
    std::vector<HostArray> v;
    for (size_t n : p.wanted) v.push_back(weights(p.values[n].shape, seed, 300 + n));
    if (!once) second += check_second_order(p, v, seed, what);
    if (op().dtypes.has(kF32) && s.only_dtype < 0) check_narrow(p, v, !once, what);
  }
  EXPECT_GT(first, 0) << op().name << " claims a gradient and none was checked";
  if (!once) {
    EXPECT_GT(second, 0) << op().name << " claims a second derivative and none was checked";
  }
  totals().gradients += first;
  totals().second_order += second;
}

// What has no gradient says so instead of giving zeros.
TEST_P(OpNoGradient, IsRefusedWithTheReason) {
  EXPECT_GT(std::string(op().no_gradient).size(), 8u) << "a reason is a sentence";
  for (const Sample& s : op().samples()) {
    const auto dtypes = dtypes_of(op(), s);
    if (!s.error.empty() || op().mutates || !has_real_input(s) || !dtypes[0].is_floating()) continue;
    std::vector<HostArray> values = draw(s, dtypes[0], 5);
    Tensors inputs = place_all(values), wanted, floating, ones;
    for (Tensor& t : inputs)
      if (t.dtype().is_floating()) wanted.push_back(t.set_requires_grad());
    for (const Tensor& t : call(op(), s.attrs.get(), inputs)) {
      if (!t.dtype().is_floating()) continue;
      floating.push_back(t);
      ones.push_back(Tensor::zeros(t.spec()));
    }
    if (wanted.empty() || floating.empty()) continue;
    try {
      gradients(floating, wanted, ones);
      ADD_FAILURE() << describe(op(), s, dtypes[0]) << " gave gradients";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(op().no_gradient), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace suiren::suite
