#include "suiren/train/checkpoint.h"

#include <filesystem>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

constexpr int64_t kStep = 7;

std::string make_checkpoint() {
  train::Checkpoint c;
  c.step = kStep;
  c.model = {{"a.weight", Tensor::from(std::vector<float>{1, 2, 3}, {3})}};
  c.optimizer = {{"exp_avg.a.weight", Tensor::from(std::vector<float>{4, 5, 6}, {3})}};
  c.state = "{}\n";
  train::save_checkpoint(scratch_folder(), c, 1);
  return train::checkpoint_path(scratch_folder(), kStep);
}

// A manifest beside whole files, its own digest made to fit. Input of no bytes leaves the folder whole.
void parse(Bytes bytes) {
  static const std::string folder = make_checkpoint();
  static const std::string whole = read_file(folder + "/manifest.json");
  const std::string_view text = bytes.empty() ? whole : text_of(bytes);
  const std::string at = folder.substr(scratch_folder().size() + 1);
  put(at + "/manifest.json", text);
  put(at + "/manifest.sha256", sha256(text) + "\n");
  const train::Checkpoint c = train::load_checkpoint(folder);
  if (c.model.size() != 1 || c.optimizer.size() != 1 || c.state != "{}\n")
    broken("another checkpoint came out");
}

const Target target("checkpoint", parse);

}  // namespace
}  // namespace suiren::fuzz
