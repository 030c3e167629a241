#include "suiren/conform/call.h"

#include <cstring>
#include <functional>

#include "suiren/core/backend.h"

namespace suiren::conform {
namespace {

constexpr size_t kGuard = 128;
constexpr uint8_t kMark = 0xc5;

Bytes guarded(Bytes bytes) {
  bytes.insert(bytes.end(), kGuard, kMark);
  return bytes;
}

Operand row_major(DType dtype, const Shape& shape) { return {dtype, shape, contiguous_strides(shape), 0}; }

}  // namespace

std::string Answer::text() const {
  static constexpr const char* kLevels[] = {"NO", "NATIVE", "NEEDS_CONTIGUOUS"};
  return fmt::format("{} ({}; workspace {}, accumulation {})", level < 3 ? kLevels[level] : "?", reason,
                     workspace, accumulation);
}

std::vector<Operand> specs_of(const Sample& s, DType dtype, DType index_dtype) {
  std::vector<Operand> list;
  for (const SampleInput& in : s.inputs) list.push_back(row_major(in.dtype(dtype, index_dtype), in.shape));
  return list;
}

Operand operand_of(const Tensor& t) { return {t.dtype(), t.shape(), t.strides(), t.offset()}; }

Question::Question(const OpInfo& op, const void* attrs, std::vector<Operand> inputs)
    : op_(op), attributes_(op.copy_attrs(attrs)), inputs_(std::move(inputs)) {
  Specs specs;
  for (const Operand& in : inputs_) specs.push_back({in.dtype, in.shape, Device()});
  for (const TensorSpec& s : op.infer(attrs, specs)) outputs_.push_back(row_major(s.dtype, s.shape));
}

void Question::fill(sr_op& op, std::vector<sr_tensor>& tensors, std::vector<sr_attr>& attrs) const {
  const auto add = [&](const Operand& o, uint16_t role) {
    tensors.push_back({sizeof(sr_tensor), role, static_cast<uint16_t>(o.dtype.id()),
                       static_cast<uint32_t>(o.shape.rank()), 0, o.shape.data(), o.strides.data(), nullptr,
                       static_cast<uint64_t>(o.dtype.bytes(o.offset)), version_, block_of(o.dtype)});
  };
  for (size_t i = 0; i < inputs_.size(); ++i)
    add(inputs_[i], static_cast<uint16_t>(op_.mutates_input(i) ? SR_ROLE_INOUT : SR_ROLE_IN));
  for (const Operand& o : outputs_) add(o, SR_ROLE_OUT);
  for (const AttrValue& a : op_.attributes(attributes_.get())) {
    const uint32_t kind = a.kind == AttrValue::kInt     ? SR_ATTR_I64
                          : a.kind == AttrValue::kFloat ? SR_ATTR_F64
                                                        : SR_ATTR_LIST;
    attrs.push_back({sizeof(sr_attr), kind, a.i, a.f, a.list, static_cast<uint64_t>(a.size)});
  }
  op = {sizeof(sr_op),
        op_.id(),
        1,
        static_cast<uint32_t>(tensors.size()),
        tensors.data(),
        static_cast<uint32_t>(attrs.size()),
        0,
        attrs.data()};
}

Answer Question::ask(const Chip& c, const std::vector<sr_memory>& inputs) {
  sr_op op;
  std::vector<sr_tensor> tensors;
  std::vector<sr_attr> attrs;
  fill(op, tensors, attrs);
  for (size_t i = 0; i < inputs.size(); ++i) tensors[i].memory = inputs[i];
  sr_support support{};
  support.struct_size = sizeof support;
  const sr_status status = c.table.op_query(c.device, &op, &support);
  require(status == SR_OK || status == SR_ERROR_UNSUPPORTED, "op_query of {} failed with status {}: {}",
          op_.name, status, c.error());
  if (status != SR_OK) support.level = SR_SUPPORT_NO;
  return {support.level, support.accumulation, support.plan, support.workspace,
          support.reason ? support.reason : ""};
}

sr_status Question::run(const Chip& c, sr_stream stream, const Answer& answer,
                        const std::vector<sr_memory>& memory, sr_memory workspace) {
  sr_op op;
  std::vector<sr_tensor> tensors;
  std::vector<sr_attr> attrs;
  fill(op, tensors, attrs);
  // Copies of all that the descriptor points to, so that they can be spoiled once the call has returned.
  std::vector<std::vector<int64_t>> lists;
  const auto copied = [&](const int64_t* from, size_t count) -> const int64_t* {
    return lists.emplace_back(from, from + count).data();
  };
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].memory = memory[i];
    tensors[i].dims = copied(tensors[i].dims, tensors[i].rank);
    tensors[i].strides = copied(tensors[i].strides, tensors[i].rank);
  }
  for (sr_attr& a : attrs)
    if (a.kind == SR_ATTR_LIST) a.list = copied(a.list, a.list_size);
  const sr_status status = c.table.op_run(stream, answer.plan, &op, workspace);
  for (auto& list : lists) std::fill(list.begin(), list.end(), int64_t{-0x5555});
  for (sr_tensor& t : tensors) std::memset(static_cast<void*>(&t), 0xdb, sizeof t);
  for (sr_attr& a : attrs) std::memset(static_cast<void*>(&a), 0xdb, sizeof a);
  std::memset(static_cast<void*>(&op), 0xdb, sizeof op);
  if (op_.mutates) ++version_;
  return status;
}

namespace {

std::vector<Operand> operands(const Tensors& inputs) {
  std::vector<Operand> list;
  for (const Tensor& t : inputs) list.push_back(operand_of(t));
  return list;
}

}  // namespace

Call::Call(Chip& c, const OpInfo& op, const void* attrs, const Tensors& inputs)
    : chip_(c), op_(op), inputs_(inputs), question_(op, attrs, operands(inputs)) {
  for (const Tensor& t : inputs) before_.push_back(guarded(whole_storage(t).to_bytes()));
  for (const Bytes& b : before_) memory_.push_back(c.with(b));
  answer_ = ask();
  if (answer_.level != SR_SUPPORT_NATIVE) return;
  for (const Operand& o : question_.outputs())
    memory_.emplace_back(c, static_cast<uint64_t>(o.dtype.bytes(o.shape.numel())) + kGuard);
  if (answer_.workspace > 0) workspace_.emplace_back(c, answer_.workspace + kGuard);
}

Answer Call::ask() {
  std::vector<sr_memory> handles;
  for (size_t i = 0; i < before_.size(); ++i) handles.push_back(memory_[i].handle());
  return question_.ask(chip_, handles);
}

void Call::run() {
  for (size_t i = 0; i < before_.size(); ++i)
    if (op_.mutates_input(i)) chip_.upload(memory_[i], before_[i]);
  for (size_t i = before_.size(); i < memory_.size(); ++i)
    chip_.upload(memory_[i], Bytes(memory_[i].bytes(), kMark));
  for (const Memory& w : workspace_) chip_.upload(chip_.stream, w, w.bytes() - kGuard, Bytes(kGuard, kMark));
  std::vector<sr_memory> handles;
  for (const Memory& m : memory_) handles.push_back(m.handle());
  const sr_status status = question_.run(chip_, chip_.stream, answer_, handles,
                                         workspace_.empty() ? nullptr : workspace_[0].handle());
  require(status == SR_OK, "claimed NATIVE, but op_run failed with status {}: {}", status, chip_.error());
}

Tensors Call::results() {
  Tensors all;
  for (size_t i = 0; i < before_.size(); ++i) {
    if (!op_.mutates_input(i)) continue;
    Bytes bytes = chip_.download(memory_[i]);
    bytes.resize(bytes.size() - kGuard);
    const Tensor& t = inputs_[i];
    const Tensor whole = Tensor::from_bytes(bytes, whole_storage(t).shape(), t.dtype());
    all.push_back(whole.alias(t.shape(), t.strides(), t.offset()));
  }
  for (size_t i = 0; i < question_.outputs().size(); ++i) {
    const Operand& o = question_.outputs()[i];
    const Bytes bytes = chip_.download(chip_.stream, memory_[before_.size() + i], 0,
                                       static_cast<uint64_t>(o.dtype.bytes(o.shape.numel())));
    all.push_back(Tensor::from_bytes(bytes, o.shape, o.dtype));
  }
  return all;
}

void Call::check_surroundings() {
  const auto marks = [&](const Memory& m, const std::string& what) {
    const Bytes guard = chip_.download(chip_.stream, m, m.bytes() - kGuard, kGuard);
    for (size_t i = 0; i < kGuard; ++i)
      require(guard[i] == kMark, "wrote {} bytes behind the end of {}", i + 1, what);
  };
  for (size_t i = 0; i < before_.size(); ++i) {
    marks(memory_[i], fmt::format("input {}", i));
    if (op_.mutates_input(i)) continue;
    require(chip_.download(memory_[i]) == before_[i], "changed input {}", i);
  }
  for (size_t i = before_.size(); i < memory_.size(); ++i)
    marks(memory_[i], fmt::format("output {}", i - before_.size()));
  for (const Memory& w : workspace_) marks(w, "the workspace");
}

}  // namespace suiren::conform
