#pragma once
// PyTorch and Hugging Face's tokenizers at the same work, in a process of their own (bench/peer.py). One line
// of JSON asks, one answers:
//   hello    {"peer": "torch 2.15.0, tokenizers 0.22"}
//   ask      {"kind": "matmul", "m": 4096, ..., "seconds": 0.5}
//   answer   {"seconds": 0.0123, "mode": "eager"} for the fastest call, or {"error": "why not"}

#include <memory>
#include <string>

#include "suiren/bench/child.h"
#include "suiren/io/json.h"

namespace suiren::bench {

class Peer {
 public:
  /// Throws Error{kNotFound} when the Python or the script is absent, {kInvalid} when it does not begin.
  Peer(const std::string& python, const std::string& script, int threads);
  const std::string& name() const { return name_; }
  /// Takes turns of `seconds` at the work. Throws Error{kInvalid} when it dies or answers something else.
  io::Json measure(const io::Json& figure, double seconds);
  /// Starts it anew, so that its memory is that of the next figure alone.
  void restart();

 private:
  void start();
  io::Json answer();
  std::string python_, script_, name_;
  int threads_;
  bool fresh_ = true;
  std::unique_ptr<Child> child_;
};

}  // namespace suiren::bench
