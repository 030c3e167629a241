#pragma once
// A chip through its table alone, as the interface has it: nothing of the host's own runtime between.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "backends/abi/suiren_backend.h"
#include "suiren/conform/check.h"

namespace suiren::conform {

using Bytes = std::vector<uint8_t>;
/// `count` bytes that follow from `seed`.
Bytes pattern(size_t count, uint64_t seed);

/// The host that the kit shows to a plug-in.
const sr_host& kit_host();
/// The table of a target, freshly asked for. Failed when the file cannot be loaded or declines.
const sr_backend& table_of(const Target& target);

class Chip;
/// An allocation that is freed at the end of its scope.
class Memory {
 public:
  Memory(Chip& chip, uint64_t bytes);
  ~Memory();
  Memory(Memory&& o) noexcept : chip_(o.chip_), handle_(o.handle_), bytes_(o.bytes_) { o.handle_ = nullptr; }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  Memory& operator=(Memory&& o) noexcept {
    std::swap(handle_, o.handle_), std::swap(bytes_, o.bytes_);
    return *this;
  }
  sr_memory handle() const { return handle_; }
  uint64_t bytes() const { return bytes_; }
  void free();  ///< now

 private:
  Chip* chip_;
  sr_memory handle_ = nullptr;
  uint64_t bytes_;
};

/// An opened device with one stream. Every call that returns no SR_OK is a failure that names it.
class Chip {
 public:
  explicit Chip(const Target& target, uint64_t memory_limit = 0);
  ~Chip();
  Chip(const Chip&) = delete;
  Chip& operator=(const Chip&) = delete;

  void check(sr_status status, const char* what) const;
  std::string error() const;  ///< last_error, never null
  sr_stream new_stream();     ///< destroyed with the chip
  void upload(sr_stream stream, const Memory& to, uint64_t offset, std::span<const uint8_t> bytes);
  void upload(const Memory& to, std::span<const uint8_t> bytes) { upload(stream, to, 0, bytes); }
  Bytes download(sr_stream stream, const Memory& from, uint64_t offset, uint64_t bytes);
  Bytes download(const Memory& from) { return download(stream, from, 0, from.bytes()); }
  void move(sr_stream stream, const Memory& to, uint64_t to_offset, const Memory& from, uint64_t from_offset,
            uint64_t bytes);
  Memory with(std::span<const uint8_t> bytes);  ///< an allocation that holds them
  void sync() { check(table.stream_sync(stream), "stream_sync"); }

  const sr_backend& table;
  sr_device device = nullptr;
  sr_stream stream = nullptr;
  sr_device_info info{};

 private:
  std::vector<sr_stream> streams_;
};

}  // namespace suiren::conform
