#pragma once
// A fuzz target: one parser of files that people bring, given arbitrary bytes. libFuzzer runs one target in a
// program of its own (tools/fuzz); the ordinary tests replay what it found. One thread.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::fuzz {

using Bytes = std::span<const uint8_t>;

/// Defined once in each <target>.cpp: it registers itself.
struct Target {
  /// By the format's own rules: bytes of memory that one byte of input may become, and what it takes besides.
  Target(const char* name, void (*parse)(Bytes), uint64_t expansion = 1, uint64_t window = 0);
  const char* name;
  void (*parse)(Bytes);  ///< uses what it parsed; may throw suiren::Error and nothing else
  uint64_t expansion, window;
};
const std::vector<const Target*>& targets();

/// Calls the target. "" when all is well, or what is wrong: more memory held at once than expansion x input +
/// window + 16 MiB. Exceptions other than suiren::Error come through.
std::string check(const Target& target, Bytes bytes);

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Takes a part off the front: a little-endian u16 says how long it is.
Bytes take_part(Bytes& bytes);

/// A folder of this process in memory (or on disk), removed at exit; put() writes a file in it, in place.
const std::string& scratch_folder();
std::string put(const std::string& name, std::string_view text);

/// A property that does not hold: ends the process with this sentence.
[[noreturn]] void broken(const std::string& sentence);

}  // namespace suiren::fuzz
