#pragma once
// From raw text to a model that writes, in the minutes given. One call at a time in a process.

#include <string>
#include <vector>

namespace suiren::train {

struct QuickstartOptions {
  double minutes = 5;             ///< of training
  std::vector<std::string> text;  ///< the user's files and folders; empty: the poems
  std::string json_template;      ///< for JSON in `text`
  bool lossy = false;
  std::string output;  ///< empty: runs/quickstart-1, -2, ...
  std::string device = "cpu";
  std::vector<std::string> prompts;  ///< empty: first lines that fit the corpus
};

/// Does it all and prints the continued texts to stdout. Throws as train() does.
void quickstart(const QuickstartOptions& options);

/// The shape and the batch for a budget of `flops` (what the machine does in the time given, at a usual share
/// of its roof) and `tokens` of data; chosen by held-out bits per byte on two cores (docs/decisions/).
struct QuickstartShape {
  int64_t hidden, layers, heads, kv_heads, intermediate, sequence_length, sequences;
  double lr;
};
QuickstartShape choose_shape(double flops);

}  // namespace suiren::train
