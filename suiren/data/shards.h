#pragma once
// Token shards: a folder of raw little-endian ids that any program can map, described by index.json.
//
//   train-00000.u16 ...   ids of the documents, each ended by the end token (.u32 for vocabularies above
//   65536);
//                         the files are one sequence, cut anywhere
//   holdout.u16           the same for the documents held out
//   train.offsets.u64     position of each document's first id, and at last the number of ids: documents + 1
//   numbers holdout.offsets.u64 tokenizer.json        the tokenizer that made them index.json written last:
//   {"format": "suiren-shards", "version": 1, "dtype", "vocab_size", "end_token",
//                         "end_id", "tokenizer": {"file", "sha256"}, "holdout_fraction", and for "train" and
//                         "holdout"
//                         {"documents", "tokens", "bytes", "files": [{"file", "tokens", "sha256"}],
//                         "offsets": {...}}}

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suiren/data/documents.h"
#include "suiren/data/tokens.h"
#include "suiren/text/tokenizer.h"

namespace suiren::data {

struct BuildOptions {
  std::vector<std::string> inputs;  ///< as for_each_document takes them
  ImportOptions import;
  double holdout = 0.01;  ///< share of the documents held out, in [0, 1)
  std::string end_token;  ///< "" means the first special token
  std::string output;     ///< the folder; an older build in it is replaced when the new one is whole
  int64_t shard_bytes = 256 << 20;  ///< largest training file
};

struct SplitCounts {
  int64_t documents = 0, tokens = 0;
  int64_t bytes = 0;  ///< of the documents' text, without end tokens
};

struct BuildResult {
  SplitCounts train, holdout;
};

/// Imports, encodes (special tokens in the text are plain text) on all threads and writes `options.output`.
/// The bytes depend only on the input, not on threads. On an error what was in the folder stays. Throws
/// Error{kInvalid} as for_each_document does, and for a bad share, an unknown end token, or no document left
/// to train on.
BuildResult build_shards(const text::Tokenizer& tokenizer, const BuildOptions& options);

/// True when a document belongs to the held-out share: decided by a hash of its text alone, so equal
/// documents fall on one side, and a larger share holds all that a smaller one does.
bool is_held_out(std::string_view document, double share);
/// The lowest id that is special: what ends documents unless told otherwise. Error{kInvalid} when there is
/// none.
uint32_t first_special(const text::Tokenizer& tokenizer);
/// The id of `end_token`, or first_special when it is "". Error{kInvalid} for a token the tokenizer lacks.
uint32_t end_token_id(const text::Tokenizer& tokenizer, const std::string& end_token);

/// An opened folder of shards. Read-only; share between threads.
class Shards {
 public:
  /// Throws Error{kNotFound} for a missing folder or index.json and Error{kInvalid} for an index.json that
  /// does not make sense or does not match the files' sizes; with `verify` every digest is checked too. All
  /// name the file.
  static Shards open(const std::string& folder, bool verify = false);

  const std::shared_ptr<const Tokens>& train() const { return train_.tokens; }
  const std::shared_ptr<const Tokens>& holdout() const { return holdout_.tokens; }
  const SplitCounts& train_counts() const { return train_.counts; }
  const SplitCounts& holdout_counts() const { return holdout_.counts; }
  /// [begin, end) of document i among the ids of its split, the end token included.
  std::pair<int64_t, int64_t> train_document(int64_t i) const { return train_.document(i); }
  std::pair<int64_t, int64_t> holdout_document(int64_t i) const { return holdout_.document(i); }
  int64_t vocab_size() const { return vocab_size_; }
  uint32_t end_id() const { return end_id_; }
  const std::string& end_token() const { return end_token_; }
  const std::string& tokenizer_digest() const { return tokenizer_digest_; }
  std::string tokenizer_path() const { return folder_ + "/tokenizer.json"; }
  const std::string& folder() const { return folder_; }
  /// Throws Error{kInvalid} unless the shards were built with the tokenizer of this digest.
  void require_tokenizer(const std::string& digest) const;

 private:
  struct Split {
    SplitCounts counts;
    std::shared_ptr<const Tokens> tokens;
    std::shared_ptr<const MappedFile> offsets;
    std::pair<int64_t, int64_t> document(int64_t i) const;
  };
  friend class IndexReader;
  std::string folder_, end_token_, tokenizer_digest_;
  int64_t vocab_size_ = 0;
  uint32_t end_id_ = 0;
  Split train_, holdout_;
};

}  // namespace suiren::data
