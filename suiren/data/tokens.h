#pragma once
// Token files: raw little-endian ids, .u16 or .u32, mapped. Read-only once made; share between threads.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "suiren/base/file.h"

namespace suiren::data {

/// One sequence of token ids over one or more mapped files.
class Tokens {
 public:
  Tokens() = default;
  /// `width` is the bytes of an id: 2 or 4. Throws Error{kInvalid} for a file whose size is no multiple of
  /// it.
  Tokens(const std::vector<std::string>& paths, int width);
  /// A single file; the width follows from its name, .u16 or .u32. Error{kInvalid} for another name or an
  /// empty file.
  static Tokens open(const std::string& path);

  int64_t size() const { return size_; }
  int width() const { return width_; }
  uint32_t operator[](int64_t position) const;
  /// out[j] = ids at start + j; T is int32_t, int64_t or uint32_t. Throws Error{kInvalid} past the end.
  template <class T>
  void read(int64_t start, std::span<T> out) const;
  /// Throws Error{kInvalid} naming file, position and id when an id is >= vocab_size. Reads everything once.
  void check_ids(int64_t vocab_size) const;
  /// "train-00000.u16, token 17": the file and the place in it.
  std::string place(int64_t position) const;
  /// The path of the (first) file.
  const std::string& name() const { return name_; }

 private:
  struct Part {
    MappedFile file;
    int64_t begin, end;  ///< positions in the whole sequence
  };
  const Part& part_of(int64_t position) const;
  std::vector<Part> parts_;
  std::string name_;
  int width_ = 2;
  int64_t size_ = 0;
};

/// Bytes of an id for a vocabulary: 2 when all ids fit u16.
inline int token_width(int64_t vocab_size) { return vocab_size <= 65536 ? 2 : 4; }

}  // namespace suiren::data
