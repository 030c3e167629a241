// A chip to copy. It is written against one header, suiren_backend.h, and knows nothing else of suiren: copy
// this folder, rename the kind, and replace the parts marked HARDWARE by calls of your driver.
//
// What it shows: memory that the host cannot address (a handle is a number, not a pointer), a queue that
// works while the host goes on, errors that are found late, operands that must lie at multiples of 128 bytes,
// and three ops. Everything else a model needs still runs: suiren takes fused ops apart, and what no part of
// them can do here runs on the CPU, by copy, and is listed at the end of the run.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backends/abi/suiren_backend.h"

namespace {

constexpr const char* kKind = "example";
constexpr uint64_t kAlignment = 128;

// The sentence behind a status, for each thread: last_error returns it.
thread_local std::string error_text;
sr_status failed(sr_status status, const std::string& why) {
  error_text = why;
  return status;
}

// A field may be used only if it ends inside the struct_size of whoever made the struct.
#define HAS(object, field) \
  (offsetof(std::decay_t<decltype(*(object))>, field) + sizeof((object)->field) <= (object)->struct_size)

// One allocation. HARDWARE: `lines` would be a range of the chip's memory.
struct alignas(kAlignment) Line {
  char bytes[kAlignment];
};
struct Block {
  Block(uint64_t n, std::atomic<uint64_t>& counter)
      : size(n), used(counter), lines(n / kAlignment + 1), bytes(lines[0].bytes) {
    used += size;
  }
  ~Block() { used -= size; }
  const uint64_t size;
  std::atomic<uint64_t>& used;  // of the whole device
  std::vector<Line> lines;
  char* const bytes;
};
// Work in flight holds the blocks that it uses: so a block that the host frees lives until that work is done.
using BlockRef = std::shared_ptr<Block>;

// One operand, copied: what sr_op points to is gone when op_run returns.
struct Operand {
  std::vector<int64_t> dims, strides;
  int64_t element_size;
  BlockRef block;
  uint64_t offset;
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(block->bytes + offset);
  }
};
using Operands = std::vector<Operand>;

}  // namespace

// An ordered queue: a thread takes one piece of work after the other. HARDWARE: the chip's own command queue.
struct sr_stream_s {
  sr_device device;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;
  bool busy = false, closing = false;
  std::string late;  // what went wrong since somebody last waited
  std::thread worker;

  explicit sr_stream_s(sr_device d) : device(d), worker([this] { work(); }) {}
  ~sr_stream_s() {
    {
      std::lock_guard lock(mutex);
      closing = true;
    }
    changed.notify_all();
    worker.join();
  }
  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return closing || !queue.empty(); });
      if (queue.empty()) return;
      auto next = std::move(queue.front());
      queue.pop_front();
      busy = true;
      lock.unlock();
      next();
      next = nullptr;  // lets go of its blocks
      lock.lock();
      busy = false;
      changed.notify_all();
    }
  }
  void push(std::function<void()> piece) {
    {
      std::lock_guard lock(mutex);
      queue.push_back(std::move(piece));
    }
    changed.notify_all();
  }
  void fail_late(const std::string& why) {
    std::lock_guard lock(mutex);
    if (late.empty()) late = why;
  }
  /// Waits for all that is queued. A late error is handed over once; then the stream goes on.
  std::string wait(bool take_error) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return queue.empty() && !busy; });
    return take_error ? std::exchange(late, {}) : "";
  }
};

struct sr_device_s {
  std::mutex mutex;
  uint64_t limit = uint64_t{1} << 40, next_handle = 1;  // HARDWARE: the memory that there is
  std::atomic<uint64_t> used{0};
  std::unordered_map<uint64_t, BlockRef> blocks;
  std::set<sr_stream> streams;

  bool fits(uint64_t bytes) const { return used <= limit && bytes <= limit - used; }
  BlockRef find(sr_memory memory) {
    std::lock_guard lock(mutex);
    const auto it = blocks.find(reinterpret_cast<uint64_t>(memory));
    return it == blocks.end() ? nullptr : it->second;
  }
};

namespace {

const sr_host* host;
std::mutex devices_mutex;
std::set<sr_device> devices;  // those that are open: closing twice does nothing

// C++ exceptions never cross the border.
template <class Body>
sr_status guard(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return failed(SR_ERROR_OUT_OF_MEMORY, "the host is out of memory");
  } catch (const std::length_error&) {
    return failed(SR_ERROR_OUT_OF_MEMORY, "no memory is that large");
  } catch (const std::exception& e) {
    return failed(SR_ERROR_DEVICE, e.what());
  }
}

uint32_t device_count() { return 1; }  // HARDWARE: how many cards there are

sr_status device_open(uint32_t index, const sr_device_options* options, sr_device* out) {
  return guard([&] {
    if (index >= device_count()) return failed(SR_ERROR_INVALID, "there is one example chip, number 0");
    auto device = std::make_unique<sr_device_s>();
    if (options && HAS(options, memory_limit) && options->memory_limit) device->limit = options->memory_limit;
    std::lock_guard lock(devices_mutex);
    devices.insert(device.get());
    *out = device.release();
    return sr_status{SR_OK};
  });
}

void device_close(sr_device device) {
  {
    std::lock_guard lock(devices_mutex);
    if (devices.erase(device) == 0) return;
  }
  for (sr_stream stream : device->streams) delete stream;  // each finishes its queue first
  delete device;
}

// The host has zeroed *out: what a chip does not know it leaves alone.
sr_status device_info(sr_device, sr_device_info* out) {
  out->host_addressable = 0;
  out->alignment = kAlignment;
  if (HAS(out, name)) std::snprintf(out->name, sizeof out->name, "example chip (a thread of this process)");
  if (HAS(out, bandwidth)) out->bandwidth = 8e9;  // HARDWARE: of the data sheet
  if (HAS(out, peak_flops)) out->peak_flops[SR_F32] = 4e9;
  return SR_OK;
}

sr_status mem_alloc(sr_device device, uint64_t bytes, sr_memory* out) {
  return guard([&] {
    std::lock_guard lock(device->mutex);
    if (!device->fits(bytes))  // what was freed may still be held by work in flight
      for (sr_stream stream : device->streams) stream->wait(false);
    if (!device->fits(bytes))
      return failed(SR_ERROR_OUT_OF_MEMORY, "no room for " + std::to_string(bytes) + " bytes more: " +
                                                std::to_string(device->used) + " are in use");
    const uint64_t handle = device->next_handle += 2;  // odd: nobody takes it for an address
    device->blocks.emplace(handle, std::make_shared<Block>(bytes, device->used));
    *out = reinterpret_cast<sr_memory>(handle);
    return sr_status{SR_OK};
  });
}

void mem_free(sr_device device, sr_memory memory) {
  BlockRef last;  // freed after the lock is
  std::lock_guard lock(device->mutex);
  if (auto node = device->blocks.extract(reinterpret_cast<uint64_t>(memory))) last = std::move(node.mapped());
}

sr_status stream_sync(sr_stream stream) {
  const std::string late = stream->wait(true);
  return late.empty() ? SR_OK : failed(SR_ERROR_DEVICE, late);
}

bool inside(const BlockRef& block, uint64_t offset, uint64_t bytes) {
  return block && offset <= block->size && bytes <= block->size - offset;
}

sr_status copy(sr_stream stream, sr_memory to, uint64_t to_offset, void* to_host, sr_memory from,
               uint64_t from_offset, const void* from_host, uint64_t bytes) {
  return guard([&] {
    const BlockRef t = to ? stream->device->find(to) : nullptr,
                   f = from ? stream->device->find(from) : nullptr;
    if ((to && !inside(t, to_offset, bytes)) || (from && !inside(f, from_offset, bytes)))
      return failed(SR_ERROR_INVALID, "a copy reaches past the end of its memory");
    if (to && from) {
      stream->push([=] { std::memmove(t->bytes + to_offset, f->bytes + from_offset, bytes); });
      return sr_status{SR_OK};
    }
    // The host's bytes may be touched again when this returns, so the queue has to be empty first.
    if (const sr_status late = stream_sync(stream)) return late;
    if (bytes)
      std::memcpy(to ? t->bytes + to_offset : to_host, from ? f->bytes + from_offset : from_host, bytes);
    return sr_status{SR_OK};
  });
}

sr_status stream_create(sr_device device, sr_stream* out) {
  return guard([&] {
    auto stream = std::make_unique<sr_stream_s>(device);
    std::lock_guard lock(device->mutex);
    device->streams.insert(stream.get());
    *out = stream.release();
    return sr_status{SR_OK};
  });
}

void stream_destroy(sr_stream stream) {
  if (!stream) return;
  {
    std::lock_guard lock(stream->device->mutex);
    stream->device->streams.erase(stream);
  }
  delete stream;
}

int64_t numel(const sr_tensor& t) {
  int64_t n = 1;
  for (uint32_t i = 0; i < t.rank; ++i) n *= t.dims[i];
  return n;
}
bool row_major(const sr_tensor& t) {
  int64_t step = 1;
  for (uint32_t i = t.rank; i-- > 0; step *= t.dims[i])
    if (t.dims[i] != 1 && t.strides[i] != step) return numel(t) == 0;
  return true;
}
bool same_dims(const sr_tensor& a, const sr_tensor& b, uint32_t but_last) {
  return a.rank == b.rank && std::memcmp(a.dims, b.dims, (a.rank - but_last) * sizeof(int64_t)) == 0;
}
int64_t element_size(uint16_t dtype) {  // 0: a dtype of a later day
  constexpr int64_t sizes[] = {8, 4, 2, 2, 1, 1, 2, 4, 8, 1};
  return dtype < std::size(sizes) ? sizes[dtype] : 0;
}

// What a unit of the chip says to a call.
struct Answer {
  uint32_t level;
  const char* reason;
};
constexpr Answer kNative{SR_SUPPORT_NATIVE, nullptr};

// The rules that matmul and add share. The host fulfils the second and third by copying, and asks again.
Answer check_inputs(const sr_op& op) {
  for (uint32_t i = 0; i < op.tensor_count; ++i)
    if (op.tensors[i].dtype != SR_F32) return {SR_SUPPORT_NO, "this unit computes in f32"};
  for (uint32_t i = 0; i < 2; ++i)
    if (!row_major(op.tensors[i])) return {SR_SUPPORT_NEEDS_CONTIGUOUS, "operands must be row-major"};
  for (uint32_t i = 0; i < 2; ++i)
    if (op.tensors[i].offset % kAlignment)
      return {SR_SUPPORT_NEEDS_CONTIGUOUS, "operands begin at multiples of 128"};
  return kNative;
}

// y[..., m, n] = sum over k of a[..., m, k] b[..., k, n]: equal batches, or one matrix b for all rows of a.
Answer accepts_matmul(const sr_op& op) {
  const sr_tensor &a = op.tensors[0], &b = op.tensors[1];
  if (b.rank != 2 && !same_dims(a, b, 2)) return {SR_SUPPORT_NO, "batches must be equal"};
  return check_inputs(op);
}
// HARDWARE: from here to the end of run_copy, the chip would do the loops.
void run_matmul(const Operands& t) {
  const auto &a = t[0].dims, &b = t[1].dims;
  const int64_t k = a.back(), n = b.back();
  int64_t batch = 1, m = a[a.size() - 2];
  for (size_t i = 0; i + 2 < a.size(); ++i) (b.size() == 2 ? m : batch) *= a[i];
  for (int64_t row = 0; row < batch * m; ++row) {
    const float *x = t[0].data<float>() + row * k, *w = t[1].data<float>() + row / m * k * n;
    float* y = t[2].data<float>() + row * n;
    std::fill(y, y + n, 0.0f);
    for (int64_t i = 0; i < k; ++i)
      for (int64_t j = 0; j < n; ++j) y[j] += x[i] * w[i * n + j];
  }
}

// y = a + b of equal shapes.
Answer accepts_add(const sr_op& op) {
  if (!same_dims(op.tensors[0], op.tensors[1], 0)) return {SR_SUPPORT_NO, "shapes must be equal"};
  return check_inputs(op);
}
void run_add(const Operands& t) {
  const float *a = t[0].data<float>(), *b = t[1].data<float>();
  float* y = t[2].data<float>();
  int64_t n = 1;
  for (int64_t d : t[2].dims) n *= d;
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

// y = x in row-major order: any dtype, any strides, any offset. With this op the host makes operands fit.
Answer accepts_copy(const sr_op& op) {
  if (element_size(op.tensors[0].dtype) == 0) return {SR_SUPPORT_NO, "an element type of a later day"};
  return kNative;
}
void copy_dims(const Operand& x, size_t dim, const char* from, char*& to) {
  if (dim == x.dims.size()) {
    std::memcpy(to, from, static_cast<size_t>(x.element_size));
    to += x.element_size;
    return;
  }
  for (int64_t i = 0; i < x.dims[dim]; ++i)
    copy_dims(x, dim + 1, from + i * x.strides[dim] * x.element_size, to);
}
void run_copy(const Operands& t) {
  char* to = t[1].data<char>();
  copy_dims(t[0], 0, t[0].data<char>(), to);
}

struct Unit {
  const char *op, *name;
  Answer (*accepts)(const sr_op&);
  void (*run)(const Operands&);
  uint32_t id = 0;  // the op's number, from the host
};
Unit units[] = {{"matmul", "matrix unit", accepts_matmul, run_matmul},
                {"add", "adder", accepts_add, run_add},
                {"copy", "mover", accepts_copy, run_copy}};

// Asked before every call: quick, and without a side effect. Outputs have no memory yet.
sr_status op_query(sr_device, const sr_op* op, sr_support* out) {
  out->level = SR_SUPPORT_NO;
  out->reason = "the example chip has matmul, add and copy";
  for (Unit& unit : units) {
    if (op->op != unit.id || op->version != 1) continue;
    const Answer answer = unit.accepts(*op);
    out->level = answer.level;
    out->reason = answer.level == SR_SUPPORT_NATIVE ? unit.name : answer.reason;
    out->plan = reinterpret_cast<sr_plan>(&unit);
    out->accumulation = SR_F32;
  }
  return SR_OK;
}

// For tests of what stands above: SUIREN_EXAMPLE_FAULT=3 makes the third op fail, after op_run said SR_OK.
bool fault_now() {
  static const char* at = std::getenv("SUIREN_EXAMPLE_FAULT");
  static std::atomic<long> ran{0};
  return at && ++ran == std::atol(at);
}

sr_status op_run(sr_stream stream, sr_plan plan, const sr_op* op, sr_memory) {
  return guard([&] {
    const auto* unit = reinterpret_cast<const Unit*>(plan);
    Operands operands;
    for (uint32_t i = 0; i < op->tensor_count; ++i) {
      const sr_tensor& t = op->tensors[i];
      BlockRef block = stream->device->find(t.memory);
      if (!block) return failed(SR_ERROR_INVALID, "an operand's memory is not of this device");
      operands.push_back({{t.dims, t.dims + t.rank},
                          {t.strides, t.strides + t.rank},
                          element_size(t.dtype),
                          std::move(block),
                          t.offset});
    }
    stream->push([=, operands = std::move(operands)] {
      if (fault_now()) return stream->fail_late(std::string("the ") + unit->name + " reports a parity error");
      unit->run(operands);
    });
    return sr_status{SR_OK};
  });
}

const char* last_error() { return error_text.c_str(); }

int32_t kernel_at(uint32_t index, const char** op, const char** name) {
  if (index >= std::size(units)) return 0;
  *op = units[index].op;
  *name = units[index].name;
  return 1;
}

const sr_backend kTable{sizeof(sr_backend), 0,           kKind,     "1.0",    device_count, device_open,
                        device_close,       device_info, mem_alloc, mem_free, copy,         stream_create,
                        stream_destroy,     stream_sync, op_query,  op_run,   last_error,   nullptr,
                        kernel_at};

}  // namespace

// The one symbol that a plug-in exports.
extern "C" __attribute__((visibility("default"))) const sr_backend* suiren_plugin_entry_v1(
    const sr_host* from) {
  host = from;
  for (Unit& unit : units) unit.id = host->intern(unit.op);
  return &kTable;
}
