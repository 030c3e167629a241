#pragma once
// The keys of a GGUF file's architecture, each of which must be understood.

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/io/gguf.h"

namespace suiren::models {

/// A float as the shortest decimal that gives it, in double: 1e-5f is 1e-5, as config.json has it.
double shortest(float x);

/// Keys without the architecture before them. Error{kNotFound}, {kInvalid} and {kUnsupported} name file and
/// key. What was asked for counts as understood.
class GgufKeys {
 public:
  explicit GgufKeys(const io::Gguf& file);
  std::string_view architecture() const { return architecture_; }

  bool has(const std::string& key) const { return find(key) != nullptr; }
  bool is_array(const std::string& key) const;
  /// An integer from 0 to 2^31; a list for the layers counts where all its members are equal.
  int64_t size(const std::string& key) const;
  int64_t size_or(const std::string& key, int64_t otherwise) const {
    return has(key) ? size(key) : otherwise;
  }
  double number(const std::string& key) const;
  double number_or(const std::string& key, double otherwise) const {
    return has(key) ? number(key) : otherwise;
  }
  bool flag(const std::string& key) const;
  std::string text(const std::string& key) const;
  /// A list of bools; Error{kInvalid} unless it has `count`.
  std::vector<bool> flags(const std::string& key, int64_t count) const;
  /// Error{kNotFound} for one that is absent.
  void require(std::initializer_list<const char*> keys) const;
  void ignore(std::initializer_list<const char*> keys) const;
  /// Error{kUnsupported} for a key of the architecture that no one asked for.
  void refuse_unknown() const;

 private:
  const io::GgufValue* find(const std::string& key) const;
  std::string full(const std::string& key) const { return architecture_ + "." + key; }
  const io::Gguf& file_;
  std::string architecture_;
  mutable std::set<std::string> known_;
};

}  // namespace suiren::models
