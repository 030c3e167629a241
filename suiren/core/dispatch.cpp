#include "suiren/core/dispatch.h"

#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string_view>

#include "suiren/base/log.h"
#include "suiren/core/backend.h"
#include "suiren/core/record.h"

namespace suiren {
namespace {

std::atomic<bool> strict_device{false};
std::atomic<DispatchObserver*> observer{nullptr};

// The ABI form of one call. Lives on the stack for the usual number of operands.
class CallForm {
 public:
  CallForm(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Specs& outputs)
      : inputs_(inputs.size()) {
    const size_t count = inputs.size() + outputs.size();
    if (count > kInline) many_.resize(count);
    tensors_ = count > kInline ? many_.data() : few_;
    for (size_t i = 0; i < inputs.size(); ++i) {
      set(i, inputs[i], op.mutates_input(i) ? SR_ROLE_INOUT : SR_ROLE_IN);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Shape& s = outputs[i].shape;
      strides_[i] = contiguous_strides(s);
      tensors_[inputs.size() + i] = {sizeof(sr_tensor),
                                     SR_ROLE_OUT,
                                     static_cast<uint16_t>(outputs[i].dtype.id()),
                                     static_cast<uint32_t>(s.rank()),
                                     0,
                                     s.data(),
                                     strides_[i].data(),
                                     nullptr,
                                     0,
                                     0,
                                     block_of(outputs[i].dtype)};
    }
    AttrValue values[kMaxAttrs];
    op.fill_attributes(attrs, values);
    for (int i = 0; i < op.attribute_count; ++i) {
      const AttrValue& a = values[i];
      const uint32_t kind = a.kind == AttrValue::kInt     ? SR_ATTR_I64
                            : a.kind == AttrValue::kFloat ? SR_ATTR_F64
                                                          : SR_ATTR_LIST;
      attrs_[i] = {sizeof(sr_attr), kind, a.i, a.f, a.list, static_cast<uint64_t>(a.size)};
    }
    form = {sizeof(sr_op),
            op.id(),
            1,
            static_cast<uint32_t>(count),
            tensors_,
            static_cast<uint32_t>(op.attribute_count),
            0,
            attrs_};
  }
  CallForm(const CallForm&) = delete;
  CallForm& operator=(const CallForm&) = delete;

  void set_output(size_t i, const Tensor& t) {
    tensors_[inputs_ + i].memory = t.storage()->memory();
    tensors_[inputs_ + i].version = t.storage()->version();
  }
  sr_op form;
  static constexpr int kMaxAttrs = 16;

 private:
  void set(size_t i, const Tensor& t, uint16_t role) {
    tensors_[i] = {sizeof(sr_tensor),
                   role,
                   static_cast<uint16_t>(t.dtype().id()),
                   static_cast<uint32_t>(t.rank()),
                   t.storage()->stable() ? SR_TENSOR_STABLE : 0u,
                   t.shape().data(),
                   t.strides().data(),
                   t.storage()->memory(),
                   static_cast<uint64_t>(t.dtype().bytes(t.offset())),
                   t.storage()->version(),
                   block_of(t.dtype())};
  }
  static constexpr size_t kInline = 12;
  size_t inputs_;
  sr_tensor few_[kInline];
  std::vector<sr_tensor> many_;
  sr_tensor* tensors_;
  Strides strides_[8];
  sr_attr attrs_[kMaxAttrs];
};

bool tracing() {
  static const bool on = [] {
    const char* t = std::getenv("SUIREN_TRACE");
    return t && std::string_view(t).find("dispatch") != std::string_view::npos;
  }();
  return on;
}

struct Ledger {
  std::mutex mutex;
  std::map<std::string, Fallback> rows;
  std::set<std::string> warned;
};
Ledger& ledger() {
  static auto* l = new Ledger;
  return *l;
}

void note_fallback(const OpInfo& op, std::span<const Tensor> inputs, const Device& device, const char* reason,
                   const char* where, int64_t bytes, double ms) {
  auto& l = ledger();
  const std::string shapes = shapes_of(inputs);
  std::lock_guard lock(l.mutex);
  Fallback& row = l.rows[device.name() + op.name + shapes + where];
  row = {device.name(),
         op.name,
         shapes,
         reason ? reason : "no kernel",
         where,
         row.count + 1,
         row.bytes + bytes,
         row.milliseconds + ms};
  if (l.warned.insert(device.name() + op.name + where).second)
    warn("{} has no kernel for {} ({}): {}; ran on the {} in {:.2f} ms. Shown once; the ledger counts on",
         device.name(), op.name, shapes, row.reason, row.where == "cpu" ? "CPU by copy" : "reference", ms);
}

Tensor row_major(const Tensor& t) {
  static const OpInfo& copy = find_op("copy");
  const NoAttrs none;
  const Tensor in[] = {t};
  return run_op(copy, &none, in)[0];
}

Tensors allocate(const Specs& specs) {
  Tensors out;
  out.reserve(specs.size());
  for (const TensorSpec& s : specs) out.push_back(Tensor::empty(s));
  return out;
}

Tensors run_native(CallForm& call, const sr_support& support, const OpInfo& op, const Specs& specs,
                   DeviceContext& device, std::span<const Tensor> inputs) {
  Tensors outputs = allocate(specs);
  for (size_t i = 0; i < outputs.size(); ++i) call.set_output(i, outputs[i]);
  Tensor workspace;
  if (support.workspace > 0)
    workspace = Tensor::empty({static_cast<int64_t>(support.workspace)}, kU8,
                              specs.empty() ? inputs[0].device() : specs[0].device);
  const sr_memory scratch = workspace.defined() ? workspace.storage()->memory() : nullptr;
  const sr_status status = device.run(support.plan, call.form, scratch);
  // Values, such as an index out of range, are seen by the kernel alone; they are bad input all the same.
  SR_CHECK(status != SR_ERROR_INVALID, "{}", device.backend().last_error());
  device.check(status, op.name);
  return outputs;
}

// Results of a composite or reference that stand for mutated inputs are written back; the others are outputs.
void write_back(const Tensor& to, const Tensor& from) {
  static const OpInfo& assign = find_op("assign");
  const NoAttrs none;
  const Tensor in[] = {to, from};
  run_op(assign, &none, in);
}

Tensors settle(const OpInfo& op, std::span<const Tensor> inputs, Tensors results) {
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) write_back(inputs[i], results[next++]);
  results.erase(results.begin(), results.begin() + static_cast<int64_t>(next));
  return results;
}

Tensors run_reference(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Specs& specs,
                      const Device& device) {
  std::vector<HostArray> in, out;
  for (const Tensor& t : inputs) in.push_back(to_host_array(t));
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) out.push_back(in[i]);
  for (const TensorSpec& s : specs)
    out.push_back({s.dtype, s.shape, std::vector<Wide>(static_cast<size_t>(s.shape.numel()))});
  op.reference(attrs, in, out);
  Tensors results;
  for (const HostArray& a : out) results.push_back(from_host_array(a, device));
  return settle(op, inputs, std::move(results));
}

// assign without a kernel, with which other ops are settled: the whole storage goes to the host and back.
void assign_by_copy(const Tensor& to, const Tensor& from, int64_t* bytes) {
  const Tensor whole = to.alias({to.storage()->bytes() / to.dtype().size()}, {1}, 0);
  const Tensor host = Tensor::from_bytes(whole.to_bytes(), whole.shape(), whole.dtype());
  write_back(host.alias(to.shape(), to.strides(), to.offset()), from.to(Device()));
  const std::vector<uint8_t> result = host.to_bytes();
  to.device().context().write(to.storage()->memory(), 0, result.data(), static_cast<int64_t>(result.size()));
  *bytes += 2 * static_cast<int64_t>(result.size()) + from.bytes();
}

Tensors run_on_cpu(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Device& device,
                   int64_t* bytes) {
  if (std::string_view(op.name) == "assign") {
    assign_by_copy(inputs[0], inputs[1], bytes);
    return {};
  }
  Tensors on_cpu;
  for (const Tensor& t : inputs) {
    on_cpu.push_back(t.to(Device()));
    *bytes += t.bytes();
  }
  Tensors results, outputs = run_op(op, attrs, on_cpu);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (op.mutates_input(i)) results.push_back(on_cpu[i].to(device));
  for (const Tensor& t : outputs) results.push_back(t.to(device));
  for (const Tensor& t : results) *bytes += t.bytes();
  return settle(op, inputs, std::move(results));
}

// `recorded` comes in as "the caller wants a graph" and goes out as "the parts were recorded already".
Tensors fall_back(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Specs& specs,
                  const Device& device, const char* reason, bool* recorded) {
  if (op.kind == OpKind::kComposite) {
    *recorded = *recorded && !op.has_vjp && !op.no_gradient;
    const GradMode mode(*recorded);
    return settle(op, inputs, op.decompose(attrs, inputs));
  }
  *recorded = false;
  SR_CHECK_AS(kUnsupported, !strict_device.load(),
              "{} cannot run {} on {}: {} (--strict-device forbids the fallback)", device.name(), op.name,
              shapes_of(inputs), reason ? reason : "no kernel");
  device.context().synchronize();  // what was queued before is not this fallback's time
  const auto start = std::chrono::steady_clock::now();
  int64_t bytes = 0;
  const bool host = device.is_cpu();
  Tensors out =
      host ? run_reference(op, attrs, inputs, specs, device) : run_on_cpu(op, attrs, inputs, device, &bytes);
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  note_fallback(op, inputs, device, reason, host ? "reference" : "cpu", bytes, ms);
  return out;
}

// The inputs as a chip wants them that asked for contiguous ones: copies of those that are strided or, when
// none is, of those that begin inside their storage. None when nothing is left to change. To the graph a copy
// is the tensor itself: the parts of an op that the chip declines all the same lead back to the caller's
// inputs.
std::optional<Tensors> repacked(const OpInfo& op, std::span<const Tensor> inputs) {
  if (std::string_view(op.name) == "copy") return std::nullopt;  // the copies would be made by this very op
  for (const bool strided : {true, false}) {
    Tensors packed(inputs.begin(), inputs.end());
    bool changed = false;
    for (size_t i = 0; i < packed.size(); ++i)
      if ((strided ? !packed[i].is_contiguous() : packed[i].offset() != 0) && !op.mutates_input(i)) {
        packed[i] = row_major(packed[i]);
        if (inputs[i].requires_grad()) packed[i].set_node(inputs[i].node(), inputs[i].node_output());
        changed = true;
      }
    if (changed) return packed;
  }
  return std::nullopt;
}

Tensors launch(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Specs& specs,
               const Device& device, bool* recorded) {
  DeviceContext& context = device.context();
  CallForm call(op, attrs, inputs, specs);
  sr_support support{};
  support.struct_size = sizeof support;
  context.check(context.backend().op_query(context.device(), &call.form, &support), op.name);
  if (tracing())
    info("dispatch {} ({}) on {}: {}", op.name, shapes_of(inputs), device.name(),
         support.level == SR_SUPPORT_NATIVE
             ? support.reason
             : fmt::format("declined: {}", support.reason ? support.reason : "no kernel").c_str());
  if (support.level == SR_SUPPORT_NATIVE) [[likely]] {
    *recorded = false;
    return run_native(call, support, op, specs, context, inputs);
  }
  if (support.level == SR_SUPPORT_NEEDS_CONTIGUOUS)
    if (const auto packed = repacked(op, inputs)) return launch(op, attrs, *packed, specs, device, recorded);
  return fall_back(op, attrs, inputs, specs, device, support.reason, recorded);
}

// Keeps what the gradient rule will ask for, and makes the outputs know where they came from.
void record(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, Tensors& outputs) {
  auto node = std::make_shared<Node>();
  node->op = &op;
  node->attrs = op.copy_attrs(attrs);
  const size_t n = inputs.size();
  node->edges.reserve(n);
  node->in_specs.reserve(n);
  node->inputs.resize(n);
  for (size_t i = 0; i < n; ++i) {
    node->edges.push_back(inputs[i].node() ? Edge{inputs[i].node(), inputs[i].node_output()} : Edge{});
    node->in_specs.push_back(inputs[i].spec());
    if (!op.no_gradient && (!op.has_vjp || op.saves_input(i))) node->inputs[i] = save(inputs[i]);
  }
  node->outputs.resize(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    node->out_specs.push_back(outputs[i].spec());
    if (op.saves_output(i)) node->outputs[i] = save(outputs[i]);
  }
  if (op.no_gradient) {
    node->inputs.clear();
    node->custom = [&op](std::span<const Tensor>) -> Grads {
      throw Error(ErrorCode::kUnsupported, fmt::format("has no gradient: {}", op.no_gradient), op.name);
    };
  } else if (!op.has_vjp) {  // a composite that ran as one kernel: its gradient is that of its parts
    node->custom = [&op, n = node.get()](std::span<const Tensor> grads) {
      Tensors in;
      for (const SavedTensor& s : n->inputs) in.push_back(unsave(s, {}, op.name));
      return replay_gradients([&](const Tensors& t) { return op.decompose(n->attrs.get(), t); }, in, n->edges,
                              grads);
    };
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].dtype().is_floating()) outputs[i].set_node(node, static_cast<int>(i));
}

Device device_of(std::span<const Tensor> inputs, const Device& device) {
  if (inputs.empty()) return device;
  for (size_t i = 0; i < inputs.size(); ++i) {
    SR_CHECK_AS(kShape, inputs[i].defined(), "input {} is undefined", i);
    SR_CHECK_AS(kShape, inputs[i].device() == inputs[0].device(),
                "input {} is on {}, input 0 on {}; move one with to()", i, inputs[i].device().name(),
                inputs[0].device().name());
  }
  return inputs[0].device();
}

void check_mutations(const OpInfo& op, std::span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!op.mutates_input(i)) {
      SR_CHECK(!grad_enabled() || !inputs[i].requires_grad(),
               "input {} requires a gradient, which a write in place would lose; detach it or write under "
               "NoGrad",
               i);
      continue;
    }
    SR_CHECK(!grad_enabled() || !inputs[i].requires_grad(),
             "input {} requires a gradient, and writing into it would spoil that gradient; write under "
             "NoGrad or to a copy",
             i);
    if (inputs[i].numel() == 0) continue;
    for (int d = 0; d < inputs[i].rank(); ++d)
      SR_CHECK(inputs[i].strides()[d] != 0 || inputs[i].shape()[d] <= 1 || inputs[i].numel() == 0,
               "input {} is a broadcast view and cannot be written in place", i);
  }
}

Tensors run_checked(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
                    const Device& where) {
  const Device device = device_of(inputs, where);
  Specs in;
  in.reserve(inputs.size());
  bool wants_grad = false;
  for (const Tensor& t : inputs) {
    SR_CHECK_AS(kShape, !t.dtype().is_block() || op.dtypes.takes_blocks(),
                "an input is {}, whose elements stand in blocks; take dequantize_blocks() of it", t.dtype());
    in.push_back(t.spec());
    wants_grad = wants_grad || t.requires_grad();
  }
  Specs specs = op.infer(attrs, in);
  for (TensorSpec& s : specs) s.device = device;
  if (op.mutates) check_mutations(op, inputs);
  // An op without a gradient is recorded too: asking for it is an error, never a silent zero.
  const bool recording = wants_grad && grad_enabled();
  if (op.kind == OpKind::kView) {
    std::optional<ViewOf> v = op.view(attrs, inputs[0]);
    Tensor packed;
    if (!v) {
      packed = row_major(inputs[0].detach());
      v = op.view(attrs, packed);
    }
    const Tensor& x = packed.defined() ? packed : inputs[0];
    Tensors out{x.alias(v->shape, v->strides, v->offset)};
    if (recording) record(op, attrs, inputs, out);
    return out;
  }
  Tensors out;
  bool recorded = recording;
  {
    const NoGrad off;
    const auto run = [&] { return launch(op, attrs, inputs, specs, device, &recorded); };
    DispatchObserver* const seen_by = observer.load(std::memory_order_acquire);
    out = seen_by ? seen_by->around(op, attrs, inputs, run) : run();
  }
  for (size_t i = 0; op.mutates && i < inputs.size(); ++i)
    if (op.mutates_input(i)) inputs[i].storage()->bump_version();
  if (recording && !recorded) record(op, attrs, inputs, out);
  return out;
}

}  // namespace

Tensors run_op(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs, const Device& device) {
  try {
    return run_checked(op, attrs, inputs, device);
  } catch (const Error& e) {
    if (!e.op().empty() || e.code() == ErrorCode::kDevice) throw;
    throw Error(e.code(), e.message(), op.name);
  }
}

void set_dispatch_observer(DispatchObserver* to) { observer = to; }

void set_strict_device(bool strict) { strict_device = strict; }

std::string shapes_of(std::span<const Tensor> tensors) {
  std::string text;
  for (const Tensor& t : tensors)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", t.dtype(), t.shape());
  return text;
}

std::vector<Fallback> fallback_ledger() {
  auto& l = ledger();
  std::lock_guard lock(l.mutex);
  std::vector<Fallback> rows;
  for (const auto& [key, row] : l.rows) rows.push_back(row);
  return rows;
}

void reset_fallback_ledger() {
  auto& l = ledger();
  std::lock_guard lock(l.mutex);
  l.rows.clear();
}

}  // namespace suiren
