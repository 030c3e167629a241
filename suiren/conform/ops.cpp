// Every op that a chip calls its own: dtype x shape x layout x edge values against the definition, in
// long double. The tolerance follows from the number of terms and the accumulation that the chip declared.

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <set>

#include "suiren/conform/call.h"

namespace suiren::conform {
namespace {

constexpr int64_t kLarger = 3000, kLarge = 400000;  // elements of scaled samples
constexpr int kRepeats = 8;                         // of the largest call, to catch what happens rarely

// Signed errors of results in a narrow type, in units of their last place, away from zero. Rounding to
// nearest is right on average; cutting off is not.
struct Bias {
  double sum = 0;
  int64_t count = 0;
  void add(const Tensor& got, const HostArray& want) {
    const int digits = want.dtype == kBF16 ? 8 : 11;
    const HostArray g = to_host_array(got);
    for (int64_t i = 0; i < g.numel(); ++i) {
      const Wide e = want[i], size = std::fabs(e);
      if (!std::isfinite(g[i]) || !(size > 0x1p-10L && size < 0x1p10L)) continue;
      const double ulp = std::ldexp(1.0, std::ilogb(e) + 1 - digits);
      const double error = static_cast<double>((g[i] - e) * (e < 0 ? -1 : 1)) / ulp;
      if (error != 0) sum += error, ++count;
    }
  }
};

// What one op went through.
struct Examined {
  int64_t calls = 0, elements = 0, declined = 0;
  std::string reason;
  std::map<DType::Id, Bias> bias;
  std::set<std::string> dtypes;
};

struct Case {
  const OpInfo& op;
  const Sample& sample;
  DType dtype;
  Layout layout = Layout::kContiguous;
  uint32_t mask = ~0u;
  const char* note = "";
  std::string text() const {
    return fmt::format("{}{}{}", describe(op, sample, dtype),
                       layout == Layout::kContiguous
                           ? ""
                           : fmt::format(", {} (inputs {:x})", layout_name(layout), mask & 0xff),
                       note);
  }
};

// Denormals that an op only moves, or whose sign it turns: they must arrive. Reductions are let go: the
// square of one is zero.
std::string flushed(const HostArray& got, const HostArray& want, const std::vector<HostArray>& values) {
  const Wide least = want.dtype == kF64   ? Wide{0x1p-1022}
                     : want.dtype == kF16 ? Wide{0x1p-14}
                                          : Wide{0x1p-126};
  std::set<Wide> given;
  for (const HostArray& a : values)
    for (const Wide x : a.v)
      if (a.dtype == want.dtype && x != 0 && std::fabs(x) < least) given.insert(std::fabs(x));
  for (int64_t i = 0; i < want.numel(); ++i)
    if (want.numel() >= values[0].numel() && given.count(std::fabs(want[i])) && got[i] == 0)
      return fmt::format("\n  element {}: the denormal {:.3g} became zero", i, static_cast<double>(want[i]));
  return "";
}

std::string judge(const Case& k, const Answer& answer, const Tensors& got, const std::vector<HostArray>& want,
                  const std::vector<HostArray>& values, bool repeated, Examined& seen) {
  if (got.size() != want.size()) return fmt::format("{} results, expected {}", got.size(), want.size());
  std::string text;
  for (size_t i = 0; i < got.size(); ++i) {
    const Tolerance t =
        tolerance(want[i], values, static_cast<DType::Id>(answer.accumulation), k.sample.loosen, repeated);
    std::string d = difference(got[i], want[i], t, &seen.elements);
    if (d.empty() && *k.note) d = flushed(to_host_array(got[i]), want[i], values);
    if (!d.empty()) text += fmt::format("\n  result {}: {}", i, d);
  }
  return text;
}

// One call. False when the chip declines it.
bool examine(Chip& c, const Case& k, std::vector<HostArray> values, Examined& seen, int repeats = 0) {
  Tensors inputs;
  bool repeated = false;
  const bool broadcast = k.layout == Layout::kBroadcastFirst || k.layout == Layout::kBroadcastLast;
  for (size_t i = 0; i < values.size(); ++i) {
    const bool use =
        has_bit(k.mask, i) && applies(k.layout, values[i].shape) && !(broadcast && k.op.mutates_input(i));
    repeated = repeated || (use && broadcast);
    inputs.push_back(place(values[i], use ? k.layout : Layout::kContiguous));
  }
  Call call(c, k.op, k.sample.attrs.get(), inputs);
  if (call.answer().level != SR_SUPPORT_NATIVE) {
    ++seen.declined, seen.reason = call.answer().reason;
    return false;
  }
  const uint32_t accumulation = call.answer().accumulation;
  require(accumulation < DType::kCount, "{}: declares accumulation {}, which is no dtype", k.text(),
          accumulation);
  ++seen.calls, seen.dtypes.insert(std::string(k.dtype.name()));
  try {
    call.run();
    const Tensors got = call.results();
    const auto want = expected(k.op, k.sample.attrs.get(), values);
    const std::string text = judge(k, call.answer(), got, want, values, repeated, seen);
    require(text.empty(), "{}: {}", k.text(), text);
    call.check_surroundings();
    for (size_t i = 0; i < got.size(); ++i)
      if (!*k.note && (want[i].dtype == kBF16 || want[i].dtype == kF16))
        seen.bias[want[i].dtype.id()].add(got[i], want[i]);
    std::vector<Bytes> first;
    for (const Tensor& t : got) first.push_back(t.to_bytes());
    for (int again = 0; again < repeats; ++again) {
      call.run();
      const Tensors more = call.results();
      for (size_t i = 0; i < more.size(); ++i) {
        if (more[i].to_bytes() == first[i]) {
          seen.elements += more[i].numel();
          continue;
        }
        const std::string wrong = judge(k, call.answer(), more, want, values, repeated, seen);
        require(false, "{}: {}", k.text(), wrong.empty() ? "the same call gave other bits" : wrong);
      }
    }
  } catch (const Failed& f) {
    throw Failed{f.why.find(k.op.name) == 0 ? f.why : k.text() + ": " + f.why};
  }
  return true;
}

void examine_layouts(Chip& c, Case k, const std::vector<HostArray>& values, Examined& seen) {
  const size_t alone = values.size() > 1 ? std::min<size_t>(values.size(), 31) : 0;  // strided one at a time
  for (const Layout layout : kLayouts) {
    if (layout == Layout::kContiguous) continue;
    for (size_t n = 0; n <= alone; ++n) {
      k.layout = layout, k.mask = n == 0 ? ~0u : 1u << (n - 1);
      bool any = false;
      for (size_t i = 0; i < values.size(); ++i)
        any = any || (has_bit(k.mask, i) && applies(layout, values[i].shape));
      if (any) examine(c, k, values, seen);
    }
  }
}

void examine_special(Chip& c, Case k, std::vector<HostArray> values, uint64_t seed, Examined& seen) {
  if (!k.dtype.is_floating() || !has_real_input(k.sample) || special_values_undefined(k.op)) return;
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].dtype.is_floating()) values[i] = with_special_values(k.op, values[i], seed + i);
  k.note = " with NaN, infinities, zeros and denormals";
  examine(c, k, values, seen);
}

// Two calls with a plan each, both asked for before either runs: a plan is its call's own.
void examine_plans(Chip& c, const OpInfo& op, const std::vector<const Sample*>& samples, DType dtype) {
  if (samples.size() < 2 || op.mutates) return;
  struct Planned {
    const Sample& sample;
    std::vector<HostArray> values;
    Call call;
    Planned(Chip& c, const OpInfo& op, const Sample& s, DType dtype)
        : sample(s), values(draw(s, dtype, 71)), call(c, op, s.attrs.get(), place_all(values)) {}
  };
  Planned a(c, op, *samples.front(), dtype), b(c, op, *samples.back(), dtype);
  for (Planned* first : {&a, &b}) {
    Planned& other = first == &a ? b : a;
    if (other.call.ask().level != SR_SUPPORT_NATIVE) return;
    first->call.run();
    int64_t compared = 0;
    const Sample& s = first->sample;
    const std::string text = differences(first->call.results(), expected(op, s.attrs.get(), first->values),
                                         dtype, 4 * s.loosen, first->values, false, &compared);
    require(text.empty(),
            "{}: wrong once another call had been asked about, so a plan is not its call's own: {}",
            describe(op, s, dtype), text);
  }
}

// The sample with most results, up to `limit`.
Sample largest(const OpInfo& op, const std::vector<const Sample*>& samples, DType dtype, int64_t limit) {
  Sample best;
  int64_t most = 0;
  for (const Sample* s : samples)
    for (const Sample& l : scaled(op, *s, dtype, limit)) {
      int64_t n = 0;
      const Question question(op, l.attrs.get(), specs_of(l, dtype));
      for (const Operand& o : question.outputs()) n += o.shape.numel();
      if (n <= most || n > limit) continue;
      most = n, best = l;
    }
  return best;
}

// In steps, since the definition of some ops takes the square of their extents.
void examine_large(Chip& c, const OpInfo& op, const std::vector<const Sample*>& samples, DType dtype,
                   Examined& seen) {
  for (const int64_t limit : {kLarge / 40, kLarge / 6, kLarge}) {
    // Eliminations and transforms: their definitions take the square of an extent, or its cube.
    if (limit > kLarge / 40 && special_values_undefined(op)) return;
    const Sample best = largest(op, samples, dtype, limit);
    if (best.inputs.empty()) return;
    const std::clock_t start = std::clock();
    examine(c, {op, best, dtype}, draw(best, dtype, 31), seen, kRepeats);
    if (static_cast<double>(std::clock() - start) > 0.4 * CLOCKS_PER_SEC) return;
  }
}

void examine_rounding(const OpInfo& op, const Examined& seen) {
  for (const auto& [dtype, b] : seen.bias) {
    const double mean = b.count ? b.sum / static_cast<double>(b.count) : 0;
    require(b.count < 400 || std::fabs(mean) < 0.2,
            "{}: results in {} lie {:.2f} units of the last place {} on average ({} elements): they are not "
            "rounded to nearest",
            op.name, DType(dtype), std::fabs(mean), mean < 0 ? "too near to zero" : "too far from zero",
            b.count);
  }
}

std::string examine_op(const Probe& p, const OpInfo& op) {
  Chip c(p.target);
  Examined seen;
  uint64_t seed = 1;
  const Samples all = op.samples();
  std::map<DType::Id, std::vector<const Sample*>> by_dtype;
  for (const Sample& s : all) {
    if (!s.error.empty()) continue;
    for (const DType d : dtypes_of(op, s)) {
      Case k{op, s, d};
      p.tick(k.text());
      const std::vector<HostArray> values = draw(s, d, ++seed);
      if (examine(c, k, values, seen)) by_dtype[d.id()].push_back(&s);
      const bool layouts = d == kF32 || !op.dtypes.has(kF32) || s.only_dtype >= 0;
      if (layouts || by_dtype[d.id()].size() == 1) examine_layouts(c, k, values, seen);
      examine_special(c, k, values, seed * 10, seen);
      if (by_dtype[d.id()].empty()) continue;
      for (const Sample& larger : scaled(op, s, d, kLarger)) {
        Case l{op, larger, d};
        p.tick(l.text());
        const std::vector<HostArray> more = draw(larger, d, ++seed);
        if (!examine(c, l, more, seen)) continue;
        examine_special(c, l, more, seed * 10, seen);
      }
    }
  }
  if (seen.calls == 0) skip("not native: {}", seen.reason.empty() ? "no reason given" : seen.reason);
  for (const auto& [dtype, samples] : by_dtype) {
    p.tick(fmt::format("{} on large {}", op.name, DType(dtype)));
    examine_plans(c, op, samples, dtype);
    if (dtype == kF32 || dtype == kBF16 || by_dtype.size() == 1) examine_large(c, op, samples, dtype, seen);
  }
  examine_rounding(op, seen);
  p.figure("calls", static_cast<double>(seen.calls));
  p.figure("elements", static_cast<double>(seen.elements));
  p.figure("declined", static_cast<double>(seen.declined));
  return fmt::format("{}: {} calls, {} elements", fmt::join(seen.dtypes, " "), seen.calls, seen.elements);
}

}  // namespace

std::vector<Check> op_checks() {
  std::vector<Check> list;
  for (const OpInfo* op : all_ops())
    if (op->kind != OpKind::kView)  // a view never crosses the border
      list.push_back({op->name, op->doc, op->name, [op](const Probe& p) { return examine_op(p, *op); }});
  return list;
}

}  // namespace suiren::conform
