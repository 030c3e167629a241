#pragma once
// What a person types, message by message: lines of a terminal with editing and history, or plain lines.

#include <memory>
#include <optional>
#include <string>

namespace suiren::cli {

/// A message is a line; a line that ends in a backslash goes on in the next, and """ begins one that ends
/// with """. One at a time: it owns the terminal while it reads.
class LineInput {
 public:
  struct Message {
    std::string text;
    bool fenced = false;  ///< it stood between """ and """
  };
  /// With editing when standard input is a terminal.
  LineInput();
  ~LineInput();
  bool interactive() const { return editor_ != nullptr; }
  /// The next message; none at the end of input. A message that Ctrl-C breaks off is "".
  std::optional<Message> message();

 private:
  struct Editor;
  /// A line without its end; `more`: it continues the message.
  std::optional<std::string> line(bool more);
  std::unique_ptr<Editor> editor_;
};

}  // namespace suiren::cli
