#pragma once
// SHA-256 by libcrypto. A build of the core alone (SUIREN_CORE_ONLY) has none: there the calls throw
// Error{kUnsupported}.

#include <cstddef>
#include <string>
#include <string_view>

namespace suiren {

/// SHA-256 of bytes, in one call or piece by piece, as 64 lower-case hexadecimal digits.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(const void* data, size_t size);
  std::string hex();  ///< finishes; call once

 private:
  void* context_;
};
std::string sha256(std::string_view bytes);

}  // namespace suiren
