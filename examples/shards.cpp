// Documents to token shards to training sequences, in an order that is computed, not stored.

#include "suiren/data/shards.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "suiren/data/loader.h"
#include "suiren/text/bpe_trainer.h"

using namespace suiren;

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("suiren-shards-{}", getpid());
  std::filesystem::create_directories(folder);
  std::ofstream file(folder / "corpus.txt");
  for (int i = 0; i < 200; ++i) file << "document " << i << "\nhas two lines.\n\n";  // a blank line ends one
  file.close();

  const std::vector<std::string> inputs = {(folder / "corpus.txt").string()};
  text::BpeTrainer trainer({.vocab_size = 300});
  data::for_each_document(inputs, {}, [&](std::string_view d) { trainer.add_document(d); });
  const text::Tokenizer tokenizer = trainer.train();

  const std::string output = (folder / "shards").string();
  const auto built =
      data::build_shards(tokenizer, {.inputs = inputs, .import = {}, .holdout = 0.1, .output = output});
  fmt::print("{} documents to train on, {} held out\n", built.train.documents, built.holdout.documents);

  const data::Shards shards = data::Shards::open(output, /*verify=*/true);
  shards.require_tokenizer(tokenizer.digest());
  const data::Loader loader(shards.train(),
                            {.sequence_length = 16, .order = data::Order::kShuffled, .seed = 1});
  for (int64_t i = 0; i < 3; ++i)
    fmt::print("sequence {} starts at token {}: {}\n", i, loader.start(i), loader.sequence(i));
  // Resuming is an index: nothing before it has to be read again.
  fmt::print("sequence 1000000 starts at token {}\n", loader.start(1000000));

  const bool all = built.train.documents + built.holdout.documents == 200;
  std::filesystem::remove_all(folder);
  return all && loader.sequence(0).size() == 17 ? 0 : 1;
}
