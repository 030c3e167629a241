#pragma once
// Chips, as the host sees them: backends loaded through the C ABI and their opened devices.
// Lookup and opening are thread-safe; a DeviceContext lives until the process ends.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "backends/abi/suiren_backend.h"
#include "suiren/base/dtype.h"

namespace suiren {

struct BuiltinBackend {
  const char* kind;
  const sr_backend* (*entry)(const sr_host*);
};
/// The chips linked into this program (generated).
std::span<const BuiltinBackend> builtin_backends();

/// Number of an op's name, shared with every chip. The inverse for messages: interned_name.
uint32_t intern(const char* name);
std::string interned_name(uint32_t id);

/// What chips are told of a block format; null for plain dtypes.
const sr_block* block_of(DType dtype);

/// An opened device: the chip's table, one stream, and a cache of freed memory.
class DeviceContext {
 public:
  DeviceContext(const sr_backend* backend, uint32_t index);
  const std::string& name() const { return name_; }  ///< "cpu:0"
  const std::string& kind() const { return kind_; }
  const sr_backend& backend() const { return *backend_; }
  sr_device device() const { return device_; }
  const sr_device_info& info() const { return info_; }
  bool host_addressable() const { return info_.host_addressable != 0; }

  /// At least `bytes` bytes, from the cache when it has some that fit. Throws Error{kDevice} when memory is
  /// out.
  sr_memory allocate(int64_t bytes, int64_t* capacity);
  /// Back to the cache; `keep` false gives it to the chip at once (weights, whose packed copies go with
  /// them).
  void release(sr_memory memory, int64_t capacity, bool keep);
  void* pointer(sr_memory memory) const;
  // The stream, from any thread; calls take turns unless the chip does without. Late errors surface in
  // read, write and synchronize, which wait for the queue.
  sr_status run(sr_plan plan, const sr_op& op, sr_memory workspace);
  void read(void* to, sr_memory from, int64_t from_offset, int64_t bytes);
  void write(sr_memory to, int64_t to_offset, const void* from, int64_t bytes);
  void synchronize();
  int64_t bytes_in_use() const { return in_use_; }
  /// Throws Error{kDevice} with the chip's own sentence unless `status` is SR_OK.
  void check(sr_status status, const char* what) const;

 private:
  void trim();
  std::unique_lock<std::mutex> turn();
  const sr_backend* backend_;
  std::string kind_, name_;
  sr_device device_ = nullptr;
  sr_stream stream_ = nullptr;
  sr_device_info info_{};
  std::mutex stream_mutex_, mutex_;
  std::multimap<int64_t, sr_memory> free_;  // by capacity
  int64_t in_use_ = 0, cached_ = 0;
};

/// A chip's table as this host knows it: what the chip's own is too short for is NULL. Throws Error{kDevice}
/// naming `where` and what is missing or wrong.
sr_backend complete_table(const sr_backend* table, const std::string& where);

/// A chip by kind, or by the path of a plug-in (.so). A kind that is neither built in nor in SUIREN_PLUGINS
/// (paths separated by colons) is looked for as libsuiren_<kind>.so in plugin_folders(). Throws
/// Error{kNotFound} listing what there is, {kDevice} when a plug-in lacks something. The tables returned are
/// complete: what a plug-in's own table is too short for is NULL.
const sr_backend& find_backend(const std::string& kind);
/// Every chip loaded so far: built in, named in SUIREN_PLUGINS, and found since.
std::vector<const sr_backend*> all_backends();
/// Where plug-ins are looked for: "plugins" beside this program, and ../lib/suiren/plugins.
std::vector<std::string> plugin_folders();

}  // namespace suiren
