// The border itself: the entry, the table, struct sizes, unknown things, handles that are closed twice.

#include <cstddef>
#include <cstring>

#include "suiren/conform/call.h"
#include "suiren/conform/chip.h"
#include "suiren/conform/symbols.h"
#include "suiren/core/backend.h"

namespace suiren::conform {
namespace {

std::string one_symbol(const Probe& p) {
  if (!p.target.is_file)
    skip("{} was named by its kind; give the path of its .so to have its symbols read", p.target.name);
  const auto names = exported_symbols(p.target.name);
  require(names.size() == 1 && names[0] == "suiren_plugin_entry_v1",
          "exports {} symbols, expected suiren_plugin_entry_v1 alone: {}", names.size(),
          fmt::join(names, ", "));
  return "suiren_plugin_entry_v1 and no other";
}

std::string table(const Probe& p) {
  const sr_backend& b = table_of(p.target);
  require(&b == &table_of(p.target), "the entry returned another table when called again");
  require(b.struct_size >= offsetof(sr_backend, memory_pointer),
          "struct_size is {}, the required part of the table ends at {}", b.struct_size,
          offsetof(sr_backend, memory_pointer));
  require(b.device_count && b.device_open && b.device_close && b.device_info && b.mem_alloc && b.mem_free &&
              b.copy && b.stream_create && b.stream_destroy && b.stream_sync && b.op_query && b.op_run &&
              b.last_error,
          "a required function is NULL");
  const std::string kind = b.kind ? b.kind : "";
  require(!kind.empty() && kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == kind.npos,
          "kind is '{}', expected lower-case letters, digits and '_'", kind);
  require(b.version && *b.version, "version is empty");
  require(b.device_count() > 0, "device_count is 0: no device to examine");
  return fmt::format("{} {}, table of {} bytes", kind, b.version, b.struct_size);
}

// Optional functions may be NULL or lie behind the end of the table; what is claimed must be there.
std::string optional_functions(const Probe& p) {
  Chip c(p.target);
  const bool reaches = c.table.struct_size >= offsetof(sr_backend, memory_pointer) + sizeof(void*);
  const bool pointer = reaches && c.table.memory_pointer;
  require(!c.info.host_addressable || pointer, "host_addressable is 1 and memory_pointer is NULL");
  if (c.info.host_addressable) {
    Memory m(c, 64);
    require(c.table.memory_pointer(m.handle()) != nullptr, "memory_pointer of 64 bytes is NULL");
  }
  const bool lists =
      c.table.struct_size >= offsetof(sr_backend, kernel_at) + sizeof(void*) && c.table.kernel_at;
  uint32_t kernels = 0;
  for (const char *op = nullptr, *name = nullptr; lists && c.table.kernel_at(kernels, &op, &name);
       ++kernels) {
    require(op && *op && name && *name, "kernel_at({}) gives no op or no name", kernels);
    require(kernels < 100000, "kernel_at never returns 0");
  }
  return fmt::format("memory_pointer {}, kernel_at {}", pointer ? "given" : "absent",
                     lists ? fmt::format("lists {} kernels", kernels) : "absent");
}

// device_info into a struct of `size` bytes inside a field of marks: what is behind its end must stay.
void info_of_size(const Chip& c, uint32_t size) {
  alignas(16) uint8_t room[sizeof(sr_device_info) + 256];
  std::memset(room, 0xa5, sizeof room);
  auto* info = reinterpret_cast<sr_device_info*>(room);
  const uint32_t known = std::min<uint32_t>(size, sizeof(sr_device_info));
  std::memset(room, 0, known);
  info->struct_size = size;
  c.check(c.table.device_info(c.device, info), "device_info");
  for (size_t i = known; i < sizeof room; ++i)
    require(room[i] == 0xa5, "device_info wrote byte {} of a struct whose struct_size is {}", i, size);
  require(info->alignment == c.info.alignment, "device_info with struct_size {} gives alignment {}, not {}",
          size, info->alignment, c.info.alignment);
}

std::string struct_sizes(const Probe& p) {
  Chip c(p.target);
  for (const uint32_t size :
       {uint32_t{offsetof(sr_device_info, memory_total)},
        uint32_t{offsetof(sr_device_info, concurrent_stream)}, uint32_t{offsetof(sr_device_info, peak_flops)},
        uint32_t{sizeof(sr_device_info)}, uint32_t{sizeof(sr_device_info) + 64}})
    info_of_size(c, size);
  // Options of an older host, with what would be a tiny limit behind their end; then those of a newer one.
  struct {
    sr_device_options options;
    uint64_t later[8];
  } newer{};
  sr_device again = nullptr;
  newer.options = {offsetof(sr_device_options, memory_limit), 1, 1};
  c.check(c.table.device_open(p.target.index, &newer.options, &again), "device_open with short options");
  sr_memory memory = nullptr;
  c.check(c.table.mem_alloc(again, 4096, &memory), "mem_alloc (a limit behind struct_size was obeyed)");
  c.table.mem_free(again, memory);
  c.table.device_close(again);
  newer.options = {sizeof newer, 1, 0};
  std::memset(newer.later, 0xff, sizeof newer.later);
  c.check(c.table.device_open(p.target.index, &newer.options, &again), "device_open with long options");
  c.table.device_close(again);
  return "short and long structs, nothing written behind their end";
}

std::string no_such_device(const Probe& p) {
  const sr_backend& b = table_of(p.target);
  for (const uint32_t index : {b.device_count(), b.device_count() + 7, ~0u}) {
    sr_device device = nullptr;
    const sr_device_options options{sizeof options, 0, 0};
    require(b.device_open(index, &options, &device) != SR_OK, "device {} of {} was opened", index,
            b.device_count());
    const char* why = b.last_error();
    require(why && std::strlen(why) > 8, "last_error says '{}' of a device that is not there",
            why ? why : "NULL");
  }
  return "refused with a sentence";
}

std::string closing(const Probe& p) {
  const sr_backend& b = table_of(p.target);
  const sr_device_options options{sizeof options, 0, 0};
  for (int round = 0; round < 3; ++round) {
    sr_device device = nullptr;
    require(b.device_open(p.target.index, &options, &device) == SR_OK, "device_open failed on round {}: {}",
            round, b.last_error());
    p.tick("freeing and destroying NULL");
    b.mem_free(device, nullptr);
    b.stream_destroy(nullptr);
    p.tick("closing a device twice");
    b.device_close(device);
    b.device_close(device);
    p.tick("closing NULL");
    b.device_close(nullptr);
  }
  Chip first(p.target);
  {
    Chip second(p.target);
    Memory m = second.with(pattern(100, 1));
  }
  p.tick("using a device after another handle of it was closed");
  require(first.download(first.with(pattern(100, 2))) == pattern(100, 2),
          "a device gives wrong bytes after another handle of it was closed");
  return "three rounds; closed twice; NULL; two handles at once";
}

void never_native(const Chip& c, const sr_op& op, const char* what) {
  sr_support support{};
  support.struct_size = sizeof support;
  const sr_status status = c.table.op_query(c.device, &op, &support);
  require(status == SR_OK || status == SR_ERROR_UNSUPPORTED,
          "op_query of {} returned status {}, expected SR_OK", what, status);
  require(status != SR_OK || support.level != SR_SUPPORT_NATIVE, "op_query calls {} NATIVE", what);
}

std::string unknown_things(const Probe& p) {
  Chip c(p.target);
  const int64_t dims[] = {4}, strides[] = {1};
  sr_tensor tensors[3];
  for (int i = 0; i < 3; ++i)
    tensors[i] = {sizeof(sr_tensor),
                  static_cast<uint16_t>(i < 2 ? SR_ROLE_IN : SR_ROLE_OUT),
                  SR_F32,
                  1,
                  0,
                  dims,
                  strides,
                  nullptr,
                  0,
                  0,
                  nullptr};
  sr_op op{sizeof op, intern("an_op_of_the_next_century"), 1, 3, tensors, 0, 0, nullptr};
  p.tick("op_query of an unknown op");
  never_native(c, op, "an op that does not exist");
  op.tensor_count = 0, op.tensors = nullptr;
  p.tick("op_query of an unknown op without operands");
  never_native(c, op, "an op that does not exist");
  op = {sizeof op, ~0u, 1, 3, tensors, 0, 0, nullptr};
  p.tick("op_query of an op whose number was never given out");
  never_native(c, op, "an op whose number was never given out");
  op.op = intern("add");
  for (const uint16_t dtype : {uint16_t{SR_BOOL + 1}, uint16_t{64}, uint16_t{0xffff}}) {
    for (sr_tensor& t : tensors) t.dtype = dtype;
    p.tick("op_query of add on an unknown dtype");
    never_native(c, op, "add on a dtype that does not exist");
  }
  for (sr_tensor& t : tensors) t.dtype = SR_F32;
  sr_attr attr{sizeof attr, 99, 0, 0, nullptr, 0};
  op.attr_count = 1, op.attrs = &attr;
  p.tick("op_query of add with an attribute of an unknown kind");
  sr_support support{};
  support.struct_size = sizeof support;
  (void)c.table.op_query(c.device, &op, &support);
  return "unknown op, number, dtypes and attribute kind: refused, no crash";
}

std::string steady_answers(const Probe& p) {
  Chip c(p.target);
  int64_t asked = 0, native = 0;
  for (const OpInfo* op : all_ops()) {
    if (op->kind == OpKind::kView) continue;
    p.tick(std::string("op_query of ") + op->name);
    for (const Sample& s : op->samples()) {
      if (!s.error.empty()) continue;
      const DType dtype = dtypes_of(*op, s)[0];
      std::vector<HostArray> values = draw(s, dtype, 1);
      Call call(c, *op, s.attrs.get(), place_all(values));
      const Answer first = call.answer();
      for (int i = 0; i < 3; ++i) {
        const Answer again = call.ask();
        require(again == first, "op_query of {} changed its mind: {}, then {}", describe(*op, s, dtype),
                first.text(), again.text());
      }
      require(first.level != SR_SUPPORT_NEEDS_CONTIGUOUS,
              "op_query of {} asks for row-major inputs, which they are", describe(*op, s, dtype));
      ++asked, native += first.level == SR_SUPPORT_NATIVE;
    }
  }
  return fmt::format("{} questions asked four times, {} NATIVE", asked, native);
}

}  // namespace

std::vector<Check> abi_checks() {
  return {{"symbols", "exactly one exported symbol", "只导出一个符号", one_symbol},
          {"table", "the table is complete, and the same at every call", "函数表完整且每次相同", table},
          {"optional", "optional functions: absent or working", "可选函数：没有，或可用", optional_functions},
          {"struct_size", "short and long struct_size", "较短与较长的结构体", struct_sizes},
          {"no_such_device", "a device number out of range", "不存在的设备编号", no_such_device},
          {"closing", "closed twice, NULL, opened again", "重复关闭、空句柄、再次打开", closing},
          {"unknown", "unknown ops, dtypes and attributes", "未知的算子、类型与属性", unknown_things},
          {"steady", "op_query does not change its mind", "op_query 回答前后一致", steady_answers}};
}

}  // namespace suiren::conform
