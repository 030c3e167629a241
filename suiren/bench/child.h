#pragma once
// Another program that answers line by line. For one thread.

#include <optional>
#include <string>
#include <vector>

namespace suiren::bench {

class Child {
 public:
  /// Starts arguments[0] (looked for in PATH) with its standard input and output to us and our own standard
  /// error. Throws Error{kNotFound} naming it and the reason.
  explicit Child(const std::vector<std::string>& arguments);
  /// Closes its input and waits for its end.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Nothing is said when the program is gone: read_line() tells.
  void write_line(const std::string& line);
  /// The next line without its end; nothing when the program has closed its output.
  std::optional<std::string> read_line();

 private:
  int pid_ = 0, socket_ = -1;
  std::string buffer_;
};

}  // namespace suiren::bench
