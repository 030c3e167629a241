#include "suiren/data/shards.h"

#include <filesystem>
#include <vector>

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

// A folder: index.json, the ids, the documents' positions. The same files serve both splits.
void parse(Bytes bytes) {
  static const std::string folder = [] {
    std::filesystem::create_directories(scratch_folder() + "/shards");
    return scratch_folder() + "/shards";
  }();
  put("shards/index.json", text_of(take_part(bytes)));
  put("shards/ids", text_of(take_part(bytes)));
  put("shards/offsets", text_of(take_part(bytes)));
  const bool verify = !bytes.empty();
  const data::Shards shards = data::Shards::open(folder, verify);
  const data::Tokens& train = *shards.train();
  if (train.size() != shards.train_counts().tokens) broken("more or fewer tokens than the index says");
  for (int64_t i = 0; i < std::min<int64_t>(shards.train_counts().documents, 8); ++i) {
    const auto [begin, end] = shards.train_document(i);
    std::vector<int32_t> ids(static_cast<size_t>(std::min<int64_t>(end - begin, 64)));
    train.read(begin, std::span<int32_t>(ids));
  }
  if (shards.holdout_counts().documents > 0) (void)shards.holdout_document(0);
  train.check_ids(shards.vocab_size());
}

const Target target("shards", parse);

}  // namespace
}  // namespace suiren::fuzz
