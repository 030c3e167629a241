#pragma once
// A document from a JSON record: "{title}\n{author}\n{paragraphs}". Read-only once made; share between
// threads.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::data {

/// Literal text and {field} or {first|second} places. \n, \t, \r, \\, \{ and \} are escapes. A string stands
/// for itself, numbers and truth values as JSON writes them, an array for its elements joined by newlines.
class RecordTemplate {
 public:
  /// Throws Error{kInvalid} for a brace without its partner, an empty field name or an unknown escape.
  explicit RecordTemplate(std::string_view text);

  /// Replaces `out` by the document of `record`. `where` ("poems.json, record 7") opens the message when the
  /// record is not an object, or no alternative of a field is there (null counts as absent), or it holds an
  /// object.
  void render(const nlohmann::json& record, const std::string& where, std::string& out) const;

 private:
  struct Part {
    std::string literal;              ///< text before the field
    std::vector<std::string> fields;  ///< alternatives, first wins; empty: literal only
  };
  std::vector<Part> parts_;
};

}  // namespace suiren::data
