#pragma once
// How a GGUF file is taken apart; gguf.h is what others use.

#include <string>
#include <vector>

#include "suiren/io/gguf.h"
#include "suiren/io/reader.h"

namespace suiren::io {

inline constexpr uint32_t kGgufMaxDims = 4;  // GGML_MAX_DIMS
/// The value of general.alignment; Error{kInvalid}, opened by `where`, unless it is a u32 that is a power of
/// two.
int64_t gguf_alignment(GgufValue::Type type, const void* encoded, const std::string& where);

class GgufParser {
 public:
  GgufParser(std::span<const uint8_t> bytes, const std::string& name) : bytes_(bytes), reader_(bytes, name) {}
  /// Fills all but the indices by name.
  void parse(Gguf& out);
  /// The value of that type at the reader's place. `key` is for errors, `depth` counts arrays around it.
  static GgufValue read_value(Reader& reader, uint32_t type, std::string_view key, int depth = 0);

 private:
  uint32_t read_version();
  int64_t read_count(std::string_view what, uint64_t least_bytes);
  std::string_view read_name(std::string_view what);
  void read_metadata(Gguf& out, int64_t count);
  BlockEntry read_tensor();
  void place_tensors(Gguf& out, const std::vector<uint64_t>& offsets);

  std::span<const uint8_t> bytes_;
  Reader reader_;
};

}  // namespace suiren::io
