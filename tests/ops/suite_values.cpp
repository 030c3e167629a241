// Values of every op: samples x dtype x layout against the definition; special values; bad inputs; threads.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "suiren/base/cpu.h"
#include "suiren/base/log.h"
#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/random/random.h"
#include "tests/ops/suite.h"

namespace suiren::suite {
namespace {

constexpr int kMostReports = 12;  // differences shown for one op
// SUIREN_SUITE=short, for emulated CPUs and instrumented builds: the samples as they stand, none larger.
const bool kShort = std::getenv("SUIREN_SUITE") && std::string_view(std::getenv("SUIREN_SUITE")) == "short";
// Elements of scaled samples.
const int64_t kLarger = kShort ? 0 : 3000, kLarge = kShort ? 0 : 40000;
constexpr int64_t kManyThreads = 600000;

class OpSuite : public testing::TestWithParam<const OpInfo*> {
 protected:
  const OpInfo& op() const { return *GetParam(); }
  void report(const std::string& what, const std::string& text) {
    if (text.empty() || ++reports_ > kMostReports) return;
    ADD_FAILURE() << what << text;
  }
  int reports_ = 0;
};
using OpValues = OpSuite;
using OpSpecialValues = OpSuite;
using OpErrors = OpSuite;
using OpThreads = OpSuite;
using OpChip = OpSuite;

std::string name_of(const testing::TestParamInfo<const OpInfo*>& info) { return info.param->name; }
INSTANTIATE_TEST_SUITE_P(Suite, OpValues, testing::ValuesIn(all_ops()), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, OpSpecialValues, testing::ValuesIn(all_ops()), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, OpErrors, testing::ValuesIn(all_ops()), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, OpThreads, testing::ValuesIn(all_ops()), name_of);
INSTANTIATE_TEST_SUITE_P(Suite, OpChip, testing::ValuesIn(all_ops()), name_of);

// Bytes of every storage, to see later that nothing was written where it should not be.
std::vector<std::vector<uint8_t>> storages(const Tensors& inputs) {
  std::vector<std::vector<uint8_t>> all;
  for (const Tensor& t : inputs) all.push_back(whole_storage(t).to_bytes());
  return all;
}

// "" or which input's storage changed outside of what the op may write.
std::string stray_writes(const OpInfo& op, const Tensors& inputs,
                         const std::vector<std::vector<uint8_t>>& before) {
  for (size_t n = 0; n < inputs.size(); ++n) {
    const Tensor& t = inputs[n];
    std::vector<uint8_t> after = whole_storage(t).to_bytes(), allowed = before[n];
    if (op.mutates_input(n)) {
      const Tensor mine = whole_storage(t);
      const auto size = static_cast<size_t>(t.dtype().size());
      std::function<void(int, int64_t)> walk = [&](int d, int64_t at) {
        if (d == t.rank()) {
          const auto byte = static_cast<size_t>(at) * size;
          std::copy_n(after.begin() + static_cast<int64_t>(byte), size,
                      allowed.begin() + static_cast<int64_t>(byte));
          return;
        }
        for (int64_t i = 0; i < t.dim(d); ++i) walk(d + 1, at + i * t.strides()[d]);
      };
      walk(0, t.offset());
    }
    if (after != allowed)
      return fmt::format("\n  wrote outside of its results, into the storage of input {}", n);
  }
  return "";
}

// Runs one call with the inputs in `mask` laid out as `layout`. Returns elements compared.
int64_t check_call(const OpInfo& op, const Sample& s, DType dtype, std::vector<HostArray> values,
                   Layout layout, uint32_t mask, const std::vector<HostArray>* known, std::string* text) {
  Tensors inputs;
  bool repeated = false;
  for (size_t i = 0; i < values.size(); ++i) {
    bool use = (mask >> i & 1) && applies(layout, values[i].shape);
    const bool broadcast = layout == Layout::kBroadcastFirst || layout == Layout::kBroadcastLast;
    if (broadcast && (op.mutates_input(i))) use = false;
    repeated = repeated || (use && broadcast);
    inputs.push_back(place(values[i], use ? layout : Layout::kContiguous));
  }
  const std::vector<HostArray> want = known && !repeated ? *known : expected(op, s.attrs.get(), values);
  const auto before = storages(inputs);
  int64_t compared = 0;
  const Tensors got = call(op, s.attrs.get(), inputs);
  *text =
      differences(got, want, dtype, s.loosen, values, repeated, &compared) + stray_writes(op, inputs, before);
  ++totals().cases;
  totals().elements += compared;
  return compared;
}

bool empty_call(const Sample& s, const std::vector<HostArray>& want) {
  for (const SampleInput& in : s.inputs)
    if (in.shape.numel() == 0) return true;
  for (const HostArray& a : want)
    if (a.numel() == 0) return true;
  return false;
}

std::vector<uint32_t> masks(const Sample& s) {
  std::vector<uint32_t> list{~0u};
  for (size_t i = 0; i < s.inputs.size() && s.inputs.size() > 1; ++i) list.push_back(1u << i);
  return list;
}

// All layouts of one sample on one dtype.
void check_sample(const OpInfo& op, const Sample& s, DType dtype, DType index_dtype, uint64_t seed,
                  bool larger, bool every_layout,
                  const std::function<void(const std::string&, const std::string&)>& report,
                  int64_t* nonempty) {
  const std::string what = describe(op, s, dtype);
  const std::vector<HostArray> values = draw(s, dtype, seed, index_dtype);
  const std::vector<HostArray> want = expected(op, s.attrs.get(), values);
  std::string text;
  const int64_t compared = check_call(op, s, dtype, values, Layout::kContiguous, ~0u, &want, &text);
  report(what, text);
  if (empty_call(s, want))
    EXPECT_GE(compared, 0);
  else
    EXPECT_GT(compared, 0) << what << " compared nothing and is no empty sample";
  if (compared > 0 && !empty_call(s, want)) ++*nonempty;
  if (!every_layout) return;
  for (Layout layout : kLayouts)
    for (uint32_t mask : masks(s)) {
      bool any = false;
      for (size_t i = 0; i < values.size(); ++i)
        any = any || ((mask >> i & 1) && applies(layout, values[i].shape));
      // All inputs constant along a long dimension would be sums of one term many times over.
      const bool broadcast = layout == Layout::kBroadcastFirst || layout == Layout::kBroadcastLast;
      if (!any || (larger && broadcast && mask == ~0u && values.size() > 1)) continue;
      check_call(op, s, dtype, values, layout, mask, &want, &text);
      report(fmt::format("{}, {} (inputs {:x})", what, layout_name(layout), mask & 0xff), text);
    }
}

TEST_P(OpValues, EqualTheDefinition) {
  int64_t nonempty = 0;
  uint64_t seed = 1;
  const auto show = [&](const std::string& what, const std::string& text) { report(what, text); };
  for (const Sample& s : op().samples()) {
    if (!s.error.empty()) continue;
    const auto dtypes = dtypes_of(op(), s);
    ASSERT_FALSE(dtypes.empty()) << op().name << " has a sample without a dtype";
    for (DType d : dtypes) {
      check_sample(op(), s, d, kI64, ++seed, false, true, show, &nonempty);
      for (const Sample& larger : scaled(op(), s, d, kLarger))
        check_sample(op(), larger, d, kI64, ++seed, true, d == kF32, show, &nonempty);
      if (d != kF32) continue;
      for (const Sample& large : scaled(op(), s, d, kLarge))  // beyond every block of a kernel
        check_sample(op(), large, d, kI64, ++seed, true, false, show, &nonempty);
    }
  }
  EXPECT_GT(nonempty, 0) << op().name << " has no sample that compares an element";
  EXPECT_LE(reports_, kMostReports) << "further differences are not shown";
}

// Nothing and next to nothing are where loops go wrong: each op has a sample of both.
TEST_P(OpValues, HaveAnEmptyAndASmallestSample) {
  bool empty = false, smallest = false;
  for (const Sample& s : op().samples()) {
    if (!s.error.empty()) continue;
    std::vector<HostArray> values = draw(s, dtypes_of(op(), s)[0], 1);
    const auto want = expected(op(), s.attrs.get(), values);
    empty = empty || empty_call(s, want);
    values.insert(values.end(), want.begin(), want.end());
    int64_t few = 4;  // pairs, for rope; four gates, for lstm
    for (const HostArray& a : values) few = std::max(few, a.dtype.block_elements());
    smallest = smallest || std::all_of(values.begin(), values.end(), [&](const HostArray& a) {
                 return a.numel() >= 1 && a.numel() <= few;
               });
  }
  EXPECT_TRUE(empty);
  EXPECT_TRUE(smallest);
}

// Where an op takes indices of i32 as well as i64, both mean the same.
TEST_P(OpValues, TakeIndicesOfBothWidths) {
  int64_t nonempty = 0;
  for (const Sample& s : op().samples()) {
    const bool indices = std::any_of(s.inputs.begin(), s.inputs.end(),
                                     [](const SampleInput& i) { return i.kind == SampleInput::kIndex; });
    if (!s.error.empty() || !indices) continue;
    const DType d = dtypes_of(op(), s)[0];
    Specs specs;
    for (const HostArray& a : draw(s, d, 1, kI32)) specs.push_back({a.dtype, a.shape, Device()});
    try {
      op().infer(s.attrs.get(), specs);
    } catch (const Error&) {
      continue;  // documented: i64 only
    }
    check_sample(
        op(), s, d, kI32, 7, false, true,
        [&](const std::string& what, const std::string& text) { report(what, text); }, &nonempty);
  }
}

// ---- NaN, infinities, signed zeros, denormals -----------------------------------------------------------

TEST_P(OpSpecialValues, FallInTheClassesOfTheDefinition) {
  if (special_values_undefined(op())) return;
  uint64_t seed = 100;
  for (const Sample& s : op().samples()) {
    if (!s.error.empty() || !has_real_input(s)) continue;
    for (DType d : dtypes_of(op(), s)) {
      if (!d.is_floating()) continue;
      std::vector<Sample> calls = scaled(op(), s, d, kLarger);
      calls.push_back(s);
      for (const Sample& c : calls) {
        std::vector<HostArray> values = draw(c, d, ++seed);
        for (size_t i = 0; i < values.size(); ++i)
          if (values[i].dtype.is_floating()) values[i] = with_special_values(op(), values[i], seed + i);
        std::string text;
        totals().special += check_call(op(), c, d, values, Layout::kContiguous, ~0u, nullptr, &text);
        report(describe(op(), c, d) + " with NaN, infinities, zeros and denormals", text);
      }
    }
  }
}

// No thread flushes subnormal numbers to zero.
TEST(Denormals, SurviveOnEveryThread) {
  const int before = thread_count();
  set_thread_count(4);
  const NoAttrs none;
  for (DType d : {kF32, kF64}) {
    const Wide tiny = d == kF32 ? 0x1p-140L : 0x1p-1060L;
    HostArray x{d, {200000}, std::vector<Wide>(200000)};
    for (int64_t i = 0; i < x.numel(); ++i) x[i] = tiny * static_cast<Wide>(i % 31 + 1);
    HostArray zero = x, one = x, half = x;
    std::fill(zero.v.begin(), zero.v.end(), 0);
    std::fill(one.v.begin(), one.v.end(), 1);
    std::fill(half.v.begin(), half.v.end(), 0.5L);
    const Tensor t = from_host_array(x, Device());
    const auto binary = [&](const char* op, const HostArray& b) {
      const Tensor in[] = {t, from_host_array(b, Device())};
      return to_host_array(run_op(find_op(op), &none, in)[0]).v;
    };
    EXPECT_EQ(binary("add", zero), x.v) << d.name();
    EXPECT_EQ(binary("mul", one), x.v) << d.name();
    EXPECT_EQ(binary("maximum", zero), x.v) << d.name();
    EXPECT_EQ(binary("div", half)[3], 8 * tiny) << d.name();
    EXPECT_EQ(to_host_array(run_op(find_op("abs"), &none, {&t, 1})[0]).v, x.v) << d.name();
    EXPECT_EQ(to_host_array(run_op(find_op("relu"), &none, {&t, 1})[0]).v, x.v) << d.name();
  }
  set_thread_count(before);
}

// ---- Bad inputs -------------------------------------------------------------------------------------------

TEST_P(OpErrors, BadSamplesGiveTheStatedError) {
  for (const Sample& s : op().samples()) {
    if (s.error.empty()) continue;
    const DType d = dtypes_of(op(), s)[0];
    std::vector<HostArray> values = draw(s, d, 3);
    try {
      run_op(op(), s.attrs.get(), place_all(values));
      ADD_FAILURE() << describe(op(), s, d) << " was accepted, expected: " << s.error;
    } catch (const Error& e) {
      ++totals().errors;
      const std::string what = e.what();
      EXPECT_NE(what.find(s.error), std::string::npos) << what << "\nexpected: " << s.error;
      EXPECT_EQ(what.rfind(fmt::format("[{}] ", op().name), 0), 0u) << what;
      EXPECT_EQ(exit_code(e.code()), 2) << what;
    }
  }
}

TEST_P(OpErrors, OtherDtypesAreRefused) {
  for (const Sample& s : op().samples()) {
    if (!s.error.empty() || !has_real_input(s) || s.only_dtype >= 0) continue;
    for (int i = 0; i < DType::kCount; ++i) {
      const DType d = static_cast<DType::Id>(i);
      if (op().dtypes.has(d)) continue;
      std::vector<HostArray> values = draw(s, d, 3);
      try {
        run_op(op(), s.attrs.get(), place_all(values));
        ADD_FAILURE() << describe(op(), s, d) << " was accepted, though the op does not list that dtype";
      } catch (const Error& e) {
        ++totals().refused;
        EXPECT_EQ(std::string(e.what()).rfind(fmt::format("[{}] ", op().name), 0), 0u) << e.what();
        EXPECT_EQ(exit_code(e.code()), 2) << e.what();
      }
    }
    break;
  }
}

TEST_P(OpErrors, AWrongNumberOfInputsIsRefused) {
  if (op().inputs < 0) return;  // any number
  for (const Sample& s : op().samples()) {
    if (!s.error.empty()) continue;
    std::vector<HostArray> values = draw(s, dtypes_of(op(), s)[0], 3);
    Tensors inputs = place_all(values);
    inputs.push_back(Tensor::empty({2}, kF32));
    EXPECT_THROW(run_op(op(), s.attrs.get(), inputs), Error);
    return;
  }
}

// ---- Threads ----------------------------------------------------------------------------------------------

// Large inputs made of a small drawn block, over and over: enough for bits to differ, and quick.
std::vector<HostArray> draw_tiled(const Sample& s, DType dtype) {
  constexpr int64_t kTile = 4093;
  Sample small = s;
  for (SampleInput& in : small.inputs)
    if (in.kind != SampleInput::kBlocks) in.shape = {std::min(kTile, in.shape.numel())};
  std::vector<HostArray> values = draw(small, dtype, 5);
  for (size_t n = 0; n < values.size(); ++n) {
    HostArray& a = values[n];
    if (a.dtype.is_block()) continue;
    a.shape = s.inputs[n].shape;
    std::vector<Wide> tiled(static_cast<size_t>(a.shape.numel()));
    for (size_t i = 0; i < tiled.size(); ++i) tiled[i] = a.v[i % kTile];
    a.v = std::move(tiled);
  }
  return values;
}

void check_threads(const OpInfo& op, const Sample& s, DType d,
                   const std::function<void(const std::string&, const std::string&)>& report) {
  std::vector<HostArray> values = draw_tiled(s, d);
  Tensors inputs = place_all(values);
  std::vector<std::vector<uint8_t>> one;
  for (int threads : {1, 2, 3, 4, 8}) {
    if (op.mutates && threads > 1) inputs = place_all(values);
    set_thread_count(threads);
    std::vector<std::vector<uint8_t>> bytes;
    for (const Tensor& t : call(op, s.attrs.get(), inputs)) bytes.push_back(t.to_bytes());
    if (threads == 1)
      one = bytes;
    else if (bytes != one)
      report(describe(op, s, d), fmt::format(": other bits with {} threads", threads));
    ++totals().threads;
  }
}

TEST_P(OpThreads, DoNotChangeABit) {
  if (op().kind == OpKind::kView) return;  // it launches nothing
  const int before = thread_count();
  const auto show = [&](const std::string& what, const std::string& text) { report(what, text); };
  std::map<int, int> runs;  // by dtype
  for (const Sample& s : op().samples()) {
    if (!s.error.empty()) continue;
    for (DType d : dtypes_of(op(), s)) {
      const bool stated = s.only_dtype >= 0 || !has_real_input(s);
      const int most = d == kF32 || stated ? 3 : d == kBF16 || d == kI32 ? 1 : 0;
      const std::vector<Sample> larger = scaled(op(), s, d, kManyThreads);
      if ((larger.empty() && !s.inputs.empty()) || runs[d.id()]++ >= most) continue;
      check_threads(op(), s, d, show);
      if (larger.empty()) continue;
      check_threads(op(), larger.back(), d, show);
      if (larger.size() > 1) check_threads(op(), larger.front(), d, show);
    }
  }
  set_thread_count(before);
}

// Ops without inputs take their extents from attributes, which samples keep small.
TEST(Threads, DoNotChangeWhatIsMadeFromNothing) {
  const int before = thread_count();
  const Shape shape{3, 333333};
  const auto bytes = [&](int threads) {
    set_thread_count(threads);
    std::vector<std::vector<uint8_t>> all;
    for (DType d : {kF32, kF64, kBF16}) {
      all.push_back(uniform(shape, -1, 1, 7, 3, d).to_bytes());
      all.push_back(normal(shape, 0, 2, 7, 4, d).to_bytes());
      all.push_back(arange(0, 999999, 1, d).to_bytes());
      all.push_back(full(shape, 0.1, d).to_bytes());
    }
    return all;
  };
  const auto one = bytes(1);
  for (int threads : {2, 3, 4, 8}) EXPECT_TRUE(bytes(threads) == one) << threads << " threads";
  set_thread_count(before);
}

// ---- Another chip -----------------------------------------------------------------------------------------

// A chip that can do next to nothing runs every op, by parts or on the CPU.
TEST_P(OpChip, RunsEveryOp) {
  const Device chip(SUIREN_TEST_CHIP);
  int64_t compared = 0;
  for (const Sample& s : op().samples()) {
    // The chip's neg is broken on purpose, and random numbers and constants name a device of their own.
    if (!s.error.empty() || s.inputs.empty() || std::string_view(op().name) == "neg") continue;
    const auto dtypes = dtypes_of(op(), s);
    const DType d = std::find(dtypes.begin(), dtypes.end(), kF32) != dtypes.end() ? kF32 : dtypes[0];
    for (Layout layout : {Layout::kContiguous, Layout::kSliced}) {
      std::vector<HostArray> values = draw(s, d, 9);
      const std::vector<HostArray> want = expected(op(), s.attrs.get(), values);
      Tensors inputs;
      for (HostArray& a : values)
        inputs.push_back(place(a, applies(layout, a.shape) ? layout : Layout::kContiguous, chip));
      const Tensors got = call(op(), s.attrs.get(), inputs);
      for (const Tensor& t : got) EXPECT_EQ(t.device(), chip) << describe(op(), s, d);
      report(describe(op(), s, d) + " on a chip",
             differences(got, want, d, s.loosen, values, false, &compared));
    }
  }
  totals().chip += compared;
}

// ---- The whole --------------------------------------------------------------------------------------------

class PrintTotals : public testing::Environment {
  void SetUp() override { set_log_level(LogLevel::kQuiet); }
  void TearDown() override {
    const Totals& t = totals();
    fmt::print(
        "op suite ({}): {} ops, {} calls, {} elements, {} gradients, {} second-order gradients, {} elements "
        "from special values, {} stated errors, {} refused dtypes, {} thread comparisons, {} elements on "
        "another "
        "chip\n",
        isa_name(isa()), all_ops().size(), t.cases, t.elements, t.gradients, t.second_order, t.special,
        t.errors, t.refused, t.threads, t.chip);
    std::set<std::string> slow;
    for (const Fallback& f : fallback_ledger())
      if (f.where == "reference") slow.insert(f.op);
    if (!slow.empty()) fmt::print("some calls ran on the reference alone: {}\n", fmt::join(slow, ", "));
  }
};
const auto* const kTotals = testing::AddGlobalTestEnvironment(new PrintTotals);

}  // namespace
}  // namespace suiren::suite
