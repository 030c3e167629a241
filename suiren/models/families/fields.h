#pragma once
// The members of a config.json, read or written by one function for both: a family names each field once.

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "suiren/models/config.h"

namespace suiren::models {

class Fields {
 public:
  /// Reads `json`, whose messages begin with `name`; both outlive the result.
  Fields(const io::Json& json, const std::string& name);
  /// Writes to `json`.
  explicit Fields(io::Json& json);
  bool reading() const { return out_ == nullptr; }
  const std::string& name() const { return name_; }

  /// The member that is read, or null when it is missing or null. It counts as known from here on.
  const io::Json* find(const char* key);
  /// A member that stands there even if it is null.
  bool has(const char* key);

  // Each reads a member that is there into `value`, or writes `value`. Wrong types are Error{kInvalid}.
  void size(const char* key, int64_t& value, int64_t least = 1);
  void number(const char* key, double& value);
  void flag(const char* key, bool& value);
  void sizes(const char* key, std::vector<int64_t>& value);
  /// Null and missing are what `none` says: 0, or no value.
  void size_or_none(const char* key, int64_t& value);
  void number_or_none(const char* key, double& value);
  void number_or_none(const char* key, std::optional<double>& value);
  void size_or_none(const char* key, std::optional<int64_t>& value);
  void numbers(const char* key, std::vector<double>& value);
  void text(const char* key, std::string& value);
  void token(const char* key, std::optional<int64_t>& id);
  void tokens(const char* key, std::vector<int64_t>& ids);
  /// One of a few words; Error{kUnsupported} names another and lists them.
  template <class E>
  void choice(const char* key, E& value, const std::vector<std::pair<const char*, E>>& words) {
    std::string word;
    for (const auto& [text, meaning] : words)
      if (meaning == value) word = text;
    this->text(key, word);
    for (const auto& [text, meaning] : words)
      if (word == text) return void(value = meaning);
    std::string known;
    for (const auto& [text, meaning] : words) known += (known.empty() ? "" : ", ") + std::string(text);
    unsupported(key, "'" + word + "'", known);
  }
  /// Has one value that is built; another is Error{kUnsupported}. A missing one counts as that.
  void fixed(const char* key, const io::Json& value);
  /// The same, not written.
  void only(const char* key, const io::Json& value);
  /// Is written as `value`, and read without effect: it repeats other fields.
  void derived(const char* key, const io::Json& value);
  /// An object of its own fields.
  template <class F>
  void object(const char* key, F&& fields) {
    if (!reading()) {
      io::Json inner = io::Json::object();
      Fields f(inner);
      fields(f);
      (*out_)[key] = inner;
    } else if (const io::Json* inner = find(key)) {
      const std::string inner_name = name_ + ": " + key;
      Fields f(*inner, inner_name);
      fields(f);
      f.refuse_unknown();
    }
  }
  /// After reading: Error for members that no one asked for and that the table of harmless ones does not
  /// hold.
  void refuse_unknown() const;

 private:
  [[noreturn]] void unsupported(const char* key, const std::string& value, const std::string& known) const;
  const io::Json* in_ = nullptr;
  io::Json* out_ = nullptr;
  std::string name_;
  std::set<std::string> known_;
};

/// Layers that a model may have: those of a file's claim are named before any weight is seen.
constexpr int64_t kMostLayers = 1 << 16;
void layers_field(Fields& f, int64_t& layers);

/// Fields that change nothing that is computed here, with the reason.
struct HarmlessField {
  const char* key;
  const char* reason;
};
const std::vector<HarmlessField>& harmless_fields();

/// Rotary settings in either spelling: rope_theta and rope_scaling, or rope_parameters. Both are written.
/// `alpha`: dynamic scaling with a field of that name is ntk_alpha.
void rope_fields(Fields& f, RopeConfig& rope, bool alpha = false);
/// One object of rotary settings.
void rope_object(Fields& f, RopeConfig& rope, bool alpha = false);

}  // namespace suiren::models
