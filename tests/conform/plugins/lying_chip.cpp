// A chip with a queue that runs add, mul, neg, copy, matmul, sum and index_select by plain loops, honestly.
// The environment variable SUIREN_LIE makes it lie in one way; the conformance kit must find out which.

#include <atomic>
#include <bit>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backends/abi/suiren_backend.h"

#ifdef SECOND_SYMBOL
extern "C" __attribute__((visibility("default"))) int a_second_symbol() { return 2; }
#endif

namespace {

const sr_host* host;
thread_local std::string error;

bool lies(const char* how) {
  static const char* lie = std::getenv("SUIREN_LIE");
  return lie && std::strcmp(lie, how) == 0;
}

sr_status say(sr_status status, const char* why) {
  error = why;
  return status;
}

struct Bytes {
  explicit Bytes(uint64_t n) : size(n) {
    const bool crooked = lies("misaligned");
    raw = static_cast<uint8_t*>(std::aligned_alloc(64, (n + 64 + 63) / 64 * 64));
    at = raw + (crooked ? 8 : 0);
  }
  ~Bytes() {
    if (lies("leaks")) return;
    std::free(raw);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  uint8_t *raw = nullptr, *at = nullptr;
  uint64_t size;
};

}  // namespace

// A handle's bytes live until it is freed and no queued work holds them.
struct sr_memory_s {
  std::shared_ptr<Bytes> bytes;
};
struct sr_device_s {
  uint64_t limit = 0;
  std::atomic<uint64_t> used{0};
};

struct sr_stream_s {
  using Work = std::function<const char*()>;  // what went wrong, or null
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> queue;
  bool busy = false, stop = false;
  const char* late = nullptr;
  std::thread worker{[this] { run(); }};

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || !queue.empty(); });
      if (queue.empty()) return;
      if (lies("reorders") && queue.size() > 1) std::swap(queue[0], queue[1]);
      Work work = std::move(queue.front());
      queue.pop_front();
      busy = true;
      lock.unlock();
      const char* wrong = work();
      work = nullptr;
      lock.lock();
      busy = false;
      if (wrong && !lies("swallows")) late = wrong;
      changed.notify_all();
    }
  }
  void push(Work work) {
    std::lock_guard lock(mutex);
    queue.push_back(std::move(work));
    changed.notify_all();
  }
  // Waits for all work so far, and gives the late error once.
  sr_status wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return queue.empty() && !busy; });
    if (!late) return SR_OK;
    error = late;
    if (!lies("late_twice")) late = nullptr;
    return SR_ERROR_DEVICE;
  }
  ~sr_stream_s() {
    {
      std::lock_guard lock(mutex);
      stop = true;
      changed.notify_all();
    }
    worker.join();
  }
};

namespace {

// ---- Devices, memory, copies ------------------------------------------------------------------------------

std::mutex devices_mutex;
std::set<sr_device> devices;

uint32_t device_count() { return 1; }
sr_status device_open(uint32_t index, const sr_device_options* o, sr_device* out) {
  if (index != 0) return say(SR_ERROR_INVALID, "there is one device, number 0");
  auto* d = new sr_device_s;
  if (o && o->struct_size >= sizeof *o) d->limit = o->memory_limit;
  std::lock_guard lock(devices_mutex);
  devices.insert(*out = d);
  return SR_OK;
}
void device_close(sr_device device) {
  std::lock_guard lock(devices_mutex);
  if (lies("closes_twice") ? device != nullptr : devices.erase(device) != 0) delete device;
}
sr_status device_info(sr_device, sr_device_info* out) {
  sr_device_info info{};
  info.struct_size = out->struct_size;
  info.host_addressable = lies("misaligned");
  info.alignment = 64;
  std::strcpy(info.name, "a chip that may lie");
  info.concurrent_stream = 1;
  std::memcpy(out, &info, lies("long_info") ? sizeof info : std::min<size_t>(out->struct_size, sizeof info));
  return SR_OK;
}

sr_status mem_alloc(sr_device device, uint64_t bytes, sr_memory* out) {
  const uint64_t counted = bytes + 64;
  if (bytes > (uint64_t{1} << 40) || (device->limit && device->used + counted > device->limit)) {
    *out = nullptr;
    return lies("ok_when_full") ? SR_OK : say(SR_ERROR_OUT_OF_MEMORY, "the chip's memory is full");
  }
  device->used += counted;
  // The bytes give back their share when the last user lets go of them.
  auto* owned = new Bytes(bytes);
  *out = new sr_memory_s{std::shared_ptr<Bytes>(owned, [device, counted](Bytes* b) {
    if (!lies("leaks")) device->used -= counted;
    delete b;
  })};
  return SR_OK;
}
void mem_free(sr_device, sr_memory memory) {
  if (!memory) return;
  if (lies("frees_early")) std::memset(memory->bytes->at, 0xdd, memory->bytes->size);
  delete memory;
}

bool inside(sr_memory m, uint64_t offset, uint64_t bytes) {
  return !m || (offset <= m->bytes->size && bytes <= m->bytes->size - offset);
}

struct Request {
  sr_memory to, from;
  uint64_t to_offset, from_offset, bytes;
};
Request shared_request;

sr_status copy(sr_stream stream, sr_memory to, uint64_t to_offset, void* to_host, sr_memory from,
               uint64_t from_offset, const void* from_host, uint64_t bytes) {
  Request r{to, from, to_offset, from_offset, bytes};
  if (lies("races")) {  // parameters wait in one place for all threads
    shared_request = r;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
    r = shared_request;
  }
  if (!inside(r.to, r.to_offset, r.bytes) || !inside(r.from, r.from_offset, r.bytes)) {
    if (lies("unbounded")) return SR_OK;
    return say(SR_ERROR_INVALID, "a copy past the end of an allocation");
  }
  if (r.to && r.from) {
    stream->push([r, a = r.to->bytes, b = r.from->bytes]() -> const char* {
      std::memmove(a->at + r.to_offset, b->at + r.from_offset, r.bytes);
      return nullptr;
    });
    return SR_OK;
  }
  const bool wait = !(lies("no_wait") && to_host);
  const sr_status late = wait ? stream->wait() : SR_OK;
  if (late != SR_OK) return late;
  if (lies("odd_copies") && r.bytes > 8) r.bytes &= ~uint64_t{3};
  if (r.bytes)
    std::memmove(r.to ? r.to->bytes->at + r.to_offset : to_host,
                 r.from ? r.from->bytes->at + r.from_offset : from_host, r.bytes);
  return SR_OK;
}

sr_status stream_create(sr_device, sr_stream* out) {
  *out = new sr_stream_s;
  return SR_OK;
}
void stream_destroy(sr_stream stream) { delete stream; }
sr_status stream_sync(sr_stream stream) { return stream->wait(); }

// ---- Ops --------------------------------------------------------------------------------------------------

// An operand by value: descriptors end with the call.
struct View {
  std::shared_ptr<Bytes> bytes;
  uint64_t offset;
  uint16_t dtype;
  std::vector<int64_t> dims, strides;
  int64_t numel() const {
    int64_t n = 1;
    for (const int64_t d : dims) n *= d;
    return n;
  }
  uint8_t* at(int64_t i) const {  // element i in row-major order
    const int64_t size = dtype == SR_F64 || dtype == SR_I64 ? 8 : dtype == SR_BF16 ? 2 : 4;
    if (lies("ignores_strides")) return bytes->at + offset + i * size;
    int64_t place = 0;
    for (size_t d = dims.size(); d-- > 0; i /= dims[d]) place += i % dims[d] * strides[d];
    return bytes->at + (lies("ignores_offset") ? 0 : offset) + place * size;
  }
  double get(int64_t i) const {
    const uint8_t* p = at(i);
    if (dtype == SR_F64) return value<double>(p);
    if (dtype == SR_BF16) return std::bit_cast<float>(uint32_t{value<uint16_t>(p)} << 16);
    const float x = value<float>(p);
    return lies("flushes") && std::fabs(x) < 0x1p-126f ? 0 : x;
  }
  int64_t index(int64_t i) const { return dtype == SR_I64 ? value<int64_t>(at(i)) : value<int32_t>(at(i)); }
  void set(int64_t i, double x) const {
    if (lies("drops_nan") && std::isnan(x)) x = 0;
    uint8_t* p = at(i);
    if (dtype == SR_F64) {
      std::memcpy(p, &x, 8);
      return;
    }
    const auto f = static_cast<float>(x);
    if (dtype == SR_F32) {
      std::memcpy(p, &f, 4);
      return;
    }
    uint32_t u = std::bit_cast<uint32_t>(f);
    if (std::isnan(f))
      u |= 0x400000;
    else if (!lies("truncates"))
      u += 0x7fff + ((u >> 16) & 1);
    const auto half = static_cast<uint16_t>(u >> 16);
    std::memcpy(p, &half, 2);
  }
  template <class T>
  static T value(const uint8_t* p) {
    T x;
    std::memcpy(&x, p, sizeof x);
    return x;
  }
};

using Views = std::vector<View>;

// The element of `from` that stands at place i of `to`, with extents of 1 repeated.
int64_t broadcast(const View& from, const View& to, int64_t i) {
  int64_t place = 0, step = 1;
  for (size_t n = 0; n < to.dims.size(); ++n) {
    const size_t d = to.dims.size() - 1 - n;
    const int64_t k = i % to.dims[d];
    i /= to.dims[d];
    if (n >= from.dims.size()) continue;
    const int64_t extent = from.dims[from.dims.size() - 1 - n];
    if (extent != 1) place += k * step;
    step *= extent;
  }
  return place;
}

template <class F>
void binary(const Views& v, F f) {
  const View& out = v[2];
  const bool narrow = out.dtype != SR_F64;
  int64_t n = out.numel();
  if (lies("odd_tail") && n > 64) n &= ~int64_t{7};
  for (int64_t i = 0; i < n; ++i) {
    const double x = f(v[0].get(broadcast(v[0], out, i)), v[1].get(broadcast(v[1], out, i)));
    out.set(i, narrow ? static_cast<float>(x) : x);
  }
}

// One sum, kept in f32 (f64 for f64).
struct Sum {
  bool wide;
  double total = 0;
  void add(double x) {
    total = wide ? total + x : static_cast<float>(static_cast<float>(total) + static_cast<float>(x));
    if (lies("low_precision") && !wide)
      total =
          std::bit_cast<float>((std::bit_cast<uint32_t>(static_cast<float>(total)) + 0x8000) & 0xffff0000);
  }
};

void matmul(const Views& v) {
  const View &a = v[0], &b = v[1], &y = v[2];
  const int64_t M = y.dims[y.dims.size() - 2], N = y.dims.back(), K = a.dims.back();
  for (int64_t i = 0; i < y.numel(); ++i) {
    Sum s{y.dtype == SR_F64};
    for (int64_t k = 0; k < K; ++k) s.add(a.get(i / N * K + k) * b.get(i / (M * N) * K * N + k * N + i % N));
    y.set(i, s.total);
  }
}

void sum(const Views& v, const std::vector<int64_t>& axes) {
  const View &x = v[0], &y = v[1];
  std::vector<Sum> sums(static_cast<size_t>(y.numel()), Sum{y.dtype == SR_F64});
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, place = 0, step = 1;
    for (size_t d = x.dims.size(); d-- > 0; rest /= x.dims[d]) {
      bool gone = false;
      for (const int64_t axis : axes) gone = gone || axis == static_cast<int64_t>(d);
      if (!gone) place += rest % x.dims[d] * step, step *= x.dims[d];
    }
    sums[static_cast<size_t>(place)].add(x.get(i));
  }
  for (int64_t i = 0; i < y.numel(); ++i) y.set(i, sums[static_cast<size_t>(i)].total);
}

const char* index_select(const Views& v, size_t axis) {
  const int64_t extent = v[0].dims[axis], count = v[2].dims[axis];
  int64_t inner = 1;
  for (size_t d = axis + 1; d < v[0].dims.size(); ++d) inner *= v[0].dims[d];
  for (int64_t i = 0; i < v[2].numel(); ++i) {
    const int64_t id = v[1].index(i / inner % count);
    if (id < 0 || id >= extent) return "index_select: an index lies outside of its dimension";
    v[2].set(i, v[0].get((i / (inner * count) * extent + id) * inner + i % inner));
  }
  return nullptr;
}

enum Kind { kAdd, kMul, kNeg, kCopy, kMatmul, kSum, kIndexSelect, kKinds };
constexpr const char* kNames[] = {"add", "mul", "neg", "copy", "matmul", "sum", "index_select"};
char plans[kKinds];
int64_t stale = 0;  // elements of the call that was asked about last

const char* compute(Kind kind, const Views& v, const std::vector<int64_t>& axes) {
  const View& out = v.back();
  const char* wrong = nullptr;
  if (kind == kAdd) binary(v, [](double a, double b) { return a + b; });
  if (kind == kMul) binary(v, [](double a, double b) { return a * b; });
  if (kind == kMatmul) matmul(v);
  if (kind == kSum) sum(v, axes);
  if (kind == kIndexSelect) wrong = index_select(v, static_cast<size_t>(axes[0]));
  if (kind == kNeg || kind == kCopy)
    for (int64_t i = 0; i < out.numel(); ++i) out.set(i, kind == kNeg ? -v[0].get(i) : v[0].get(i));
  const int64_t size = out.dtype == SR_F64 ? 8 : out.dtype == SR_BF16 ? 2 : 4;
  if (lies("past_the_end")) out.bytes->at[out.numel() * size] = 0;
  static std::atomic<int64_t> written{0};
  const int64_t before = written.fetch_add(out.numel());
  if (lies("one_in_100000") && (before + out.numel()) / 100000 != before / 100000)
    out.set(100000 - before % 100000 - 1, 12345);
  return wrong;
}

bool floating(uint16_t dtype) { return dtype == SR_F64 || dtype == SR_F32 || dtype == SR_BF16; }

sr_status op_query(sr_device, const sr_op* op, sr_support* out) {
  static std::atomic<int> asked{0};
  out->level = SR_SUPPORT_NO;
  out->reason = "this chip has seven ops";
  int kind = 0;
  while (kind < kKinds && op->op != host->intern(kNames[kind])) ++kind;
  if (kind == kKinds && lies("crashes_on_unknown") && op->op > 100000) std::abort();
  if (kind == kKinds) return SR_OK;
  const uint16_t dtype = op->tensor_count ? op->tensors[op->tensor_count - 1].dtype : 0xffff;
  if (!floating(dtype) && !(lies("claims_any_dtype") && dtype == SR_F16)) {
    out->reason = "f64, f32 and bf16";
    return SR_OK;
  }
  const sr_tensor* t = op->tensors;
  if (kind == kMatmul &&
      (t[0].rank != t[1].rank || t[0].rank > 3 || (t[0].rank == 3 && t[0].dims[0] != t[1].dims[0]))) {
    out->reason = "one product, or a batch of them";
    return SR_OK;
  }
  if (lies("changes_its_mind") && ++asked % 5 == 0) return SR_OK;
  out->level = SR_SUPPORT_NATIVE;
  out->plan = reinterpret_cast<sr_plan>(&plans[kind]);
  out->accumulation = dtype == SR_F64 ? SR_F64 : SR_F32;
  out->reason = "loop";
  if (lies("stale_plan")) {
    stale = 1;
    for (uint32_t d = 0; d < t[0].rank; ++d) stale *= t[0].dims[d];
  }
  return SR_OK;
}

sr_status op_run(sr_stream stream, sr_plan plan, const sr_op* op, sr_memory) {
  const Kind kind = static_cast<Kind>(reinterpret_cast<char*>(plan) - plans);
  if (lies("refuses_claimed") && kind == kMul) return say(SR_ERROR_UNSUPPORTED, "mul is not there after all");
  Views views;
  for (uint32_t i = 0; i < op->tensor_count; ++i) {
    const sr_tensor& t = op->tensors[i];
    views.push_back(
        {t.memory->bytes, t.offset, t.dtype, {t.dims, t.dims + t.rank}, {t.strides, t.strides + t.rank}});
  }
  if (lies("crashes_on_empty") && views.back().numel() == 0) std::abort();
  if (lies("hangs") && kind == kNeg)
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (lies("stale_plan") && kind == kNeg && stale < views[1].numel())
    views[1].dims = {stale}, views[1].strides = {1};
  std::vector<int64_t> axes;
  if (kind == kIndexSelect) axes = {op->attrs[0].i64};
  if (kind == kSum) axes.assign(op->attrs[0].list, op->attrs[0].list + op->attrs[0].list_size);
  stream->push([kind, views, axes] { return compute(kind, views, axes); });
  return SR_OK;
}

const char* last_error() { return error.c_str(); }
void* memory_pointer(sr_memory m) { return m->bytes->at; }

const sr_backend kTable{sizeof(sr_backend),
                        0,
                        "liar",
                        "1",
                        device_count,
                        device_open,
                        device_close,
                        device_info,
                        mem_alloc,
                        mem_free,
                        copy,
                        stream_create,
                        stream_destroy,
                        stream_sync,
                        op_query,
                        op_run,
                        last_error,
                        memory_pointer,
                        nullptr};

}  // namespace

extern "C" __attribute__((visibility("default"))) const sr_backend* suiren_plugin_entry_v1(const sr_host* h) {
  host = h;
  return &kTable;
}
