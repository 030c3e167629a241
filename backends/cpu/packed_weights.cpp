#include "backends/cpu/packed_weights.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace suiren::cpu {
namespace {

// Where a matrix lies inside its memory.
struct Place {
  uint64_t offset;
  uint16_t dtype;
  int64_t rows, cols, row_stride, col_stride;
  bool operator==(const Place&) const = default;
};

struct Entry {
  Place place;
  uint64_t version;
  std::shared_ptr<const PackedB> packed;
};

struct Cache {
  std::mutex mutex;
  std::unordered_map<sr_memory, std::vector<Entry>> entries;
  int64_t bytes = 0;
  std::atomic<int64_t> memories{0};  // so that freeing unpacked memory takes no lock
};
Cache& cache() {
  static auto* c = new Cache;  // outlives every tensor that a static object may hold
  return *c;
}

template <class T>
std::shared_ptr<const PackedB> pack(const abi::Operand& b, const Place& p) {
  return std::make_shared<PackedB>(MatrixView<T>{b.data<T>(), p.rows, p.cols, p.row_stride, p.col_stride});
}

}  // namespace

std::shared_ptr<const PackedB> packed_weight(const abi::Operand& b, int64_t rows) {
  const Place place{b.byte_offset(), b.dtype(), b.dim(-2), b.dim(-1), b.stride(-2), b.stride(-1)};
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  std::vector<Entry>& list = c.entries[b.memory()];
  c.memories = static_cast<int64_t>(c.entries.size());
  const auto found = std::find_if(list.begin(), list.end(), [&](const Entry& e) { return e.place == place; });
  if (found != list.end() && found->version == b.version()) return found->packed;
  if (found == list.end() && rows >= kManyRows && c.bytes >= kPackedForManyRows) return nullptr;
  if (found != list.end()) found->packed = nullptr;  // give the memory back first
  auto packed = b.dtype() == SR_F32    ? pack<float>(b, place)
                : b.dtype() == SR_BF16 ? pack<bfloat16>(b, place)
                                       : pack<float16>(b, place);
  if (found != list.end()) {
    *found = {place, b.version(), packed};
  } else {
    list.push_back({place, b.version(), packed});
    c.bytes += packed->bytes();
  }
  return packed;
}

void forget_packed(sr_memory memory) {
  Cache& c = cache();
  if (c.memories.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(c.mutex);
  if (const auto gone = c.entries.extract(memory))
    for (const Entry& e : gone.mapped()) c.bytes -= e.packed->bytes();
  c.memories = static_cast<int64_t>(c.entries.size());
}

int64_t packed_bytes() {
  Cache& c = cache();
  std::lock_guard lock(c.mutex);
  return c.bytes;
}

}  // namespace suiren::cpu
