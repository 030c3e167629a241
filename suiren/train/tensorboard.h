#pragma once
// TensorBoard event files: scalars, readable by `tensorboard --logdir RUN`. One writer, one thread.

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <utility>

namespace suiren::train {

class TensorBoardWriter {
 public:
  /// Opens a new events file in `folder`.
  explicit TensorBoardWriter(const std::string& folder);
  /// Scalars of one step.
  void scalars(int64_t step, std::span<const std::pair<std::string, double>> values);

 private:
  void record(const std::string& event);
  std::ofstream out_;
};

/// CRC-32C (Castagnoli) as TFRecord masks it.
uint32_t masked_crc32c(const void* data, size_t size);

}  // namespace suiren::train
