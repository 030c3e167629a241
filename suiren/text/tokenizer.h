#pragma once
// Tokenizers as Hugging Face's tokenizer.json describes them, with ids identical to PyPI tokenizers:
// byte-pair encoding (Sennrich, Haddow & Birch 2016) over bytes (Radford et al. 2019, section 2.2) or over
// characters with bytes to fall back on (SentencePiece), WordPiece and Unigram.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/text/decoder.h"

namespace suiren::text {

struct TokenizerData;

/// A handle to an immutable tokenizer: copies are cheap, and all of it is safe to share between threads
/// (encode keeps its cache per thread).
///
/// Text that is not UTF-8 is encoded all the same: a byte that belongs to no character counts as punctuation
/// when text is split, and as a character of its own. Byte-level tokenizers and those with byte fallback give
/// it back when decoding; others have no token for it. PyPI tokenizers cannot be given such text.
class Tokenizer {
 public:
  /// Reads a tokenizer.json, or the one in a folder. Error{kInvalid} names what is damaged; {kUnsupported}
  /// names a part that is not understood. `truncation` and `padding` are ignored.
  static Tokenizer load(const std::string& path);
  static Tokenizer from_json(std::string_view json, const std::string& name);

  /// The ids of `text`. `parse_special`: special tokens that stand in the text become their ids; else they
  /// are plain text. `add_special`: the ids that the post-processor puts before and after (BOS, EOS) are
  /// added.
  std::vector<uint32_t> encode(std::string_view text, bool parse_special = true,
                               bool add_special = false) const;
  /// The ids that `add_special` puts before and after a text's own.
  std::span<const uint32_t> special_before() const;
  std::span<const uint32_t> special_after() const;
  /// The text of the ids; byte-level: exactly the bytes of the tokens, one after another. Error{kInvalid} for
  /// an id that has no token.
  std::string decode(std::span<const uint32_t> ids, bool skip_special = false) const;

  /// The largest id + 1: what a model's embedding must hold.
  int64_t vocab_size() const;
  /// The id of a token: byte-level by its bytes (" the"), else as the vocabulary spells it ("▁the"); added
  /// tokens by their content ("<|endoftext|>"). And the way back.
  std::optional<uint32_t> id_of(std::string_view token) const;
  std::string bytes_of(uint32_t id) const;
  bool is_special(uint32_t id) const;

  /// The tokenizer.json: the text it was loaded from, unchanged.
  std::string to_json() const;
  void save(const std::string& path) const;
  /// SHA-256 of to_json(): shards and models made with it carry this.
  std::string digest() const;

 private:
  friend class StreamDecoder;
  explicit Tokenizer(std::shared_ptr<const TokenizerData> data) : data_(std::move(data)) {}
  const std::string& token_of(uint32_t id) const;
  void decode_next(uint32_t id, bool skip_special, Decoder::State& state, std::string& out) const;
  std::shared_ptr<const TokenizerData> data_;
};

/// Turns ids into text as they are generated. A character whose bytes are spread over several tokens comes
/// out when it is complete. For one thread at a time.
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special = true)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}
  /// What became complete with this id; may be empty. Bytes that can never become UTF-8 pass through.
  std::string push(uint32_t id);
  /// The bytes still held back (an unfinished character), at the end.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  Decoder::State state_;
  std::string pending_;
};

}  // namespace suiren::text
