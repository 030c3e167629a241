#pragma once
// The normalizers of tokenizer.json: text -> text, before it is split. Immutable; safe to share.

#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/regex.h"
#include "suiren/text/unicode_forms.h"

namespace suiren::text {

/// How long text of `bytes` may become on its way through a tokenizer's steps: files can be written whose
/// steps multiply it without end.
inline size_t most_bytes(size_t bytes) { return 64 * bytes + (64 << 10); }

/// `text` with `content` for each match of `regex`, or for each `literal` when there is none. Error{kInvalid}
/// when that has more than `most` bytes.
std::string replace_all(std::string_view text, std::string_view literal, const std::vector<Regex>& regex,
                        std::string_view content, size_t most);

/// One step. Bytes that belong to no character pass through all of them.
struct NormalizerStep {
  enum Kind : uint8_t {
    kPrepend,  ///< `content` goes before text that is not empty
    kReplace,  ///< each `literal`, or match of `regex`, becomes `content`
    kForm,
    kLowercase,
    kStrip,  ///< white space at the ends goes
    kSets,   ///< replace_sets
  };
  Kind kind = kForm;
  std::string literal, content;
  std::vector<Regex> regex;  ///< one for a kReplace without literal
  NormalForm form = NormalForm::kNfc;
  bool left = true, right = true;              ///< kStrip
  uint8_t removed = 0, spaces = 0, apart = 0;  ///< kSets
};

class Normalizer {
 public:
  Normalizer() = default;
  explicit Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}

  bool empty() const { return steps_.empty(); }
  /// Error{kInvalid} when the text becomes longer than most_bytes allows.
  std::string apply(std::string_view text) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace suiren::text
