#pragma once
// What a Tokenizer is made of; built by the JSON reader, immutable afterwards.

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "suiren/text/added_tokens.h"
#include "suiren/text/decoder.h"
#include "suiren/text/model.h"
#include "suiren/text/normalizer.h"
#include "suiren/text/pretokenizer.h"
#include "suiren/text/token_index.h"

namespace suiren::text {

/// Text goes through the members in this order: raw_added, normalizer, normalized_added, pre_tokenizer,
/// model; then `before` and `after` go around the ids. The decoder goes the way back.
struct TokenizerData {
  std::string json;  ///< tokenizer.json, as read or written
  std::vector<std::string>
      tokens;  ///< by id, "" where an id has none: bytes when byte_level, else as spelled
  bool byte_level = false;
  /// Added tokens that the normalizer changes are looked for, and decoded, as it writes them.
  std::unordered_map<uint32_t, std::string> normalized_spellings;
  std::vector<bool> special;  ///< by id
  TokenIndex ids;             ///< of `tokens`; added tokens go before others
  TokenIndex whole_pieces;    ///< with ignore_merges: of the model's own tokens
  AddedTokens raw_added, normalized_added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::shared_ptr<const Model> model;
  Decoder decoder;
  std::vector<uint32_t> before, after;  ///< what the post-processor adds
  uint64_t serial = 0;                  ///< tells the caches of different tokenizers apart

  uint32_t find(const TokenIndex& index, std::string_view token) const {
    return index.find(token, [this](uint32_t id) -> std::string_view { return tokens[id]; });
  }
};

/// Reads tokenizer.json; `name` opens each error message.
TokenizerData parse_tokenizer_json(std::string_view json, const std::string& name);

/// The tokenizer.json of a trained tokenizer. tokens: bytes by id, the specials first; regex: the split
/// pattern.
std::string write_tokenizer_json(const std::vector<std::string>& tokens, size_t specials,
                                 const std::vector<MergeRule>& rules, const std::string& regex);

}  // namespace suiren::text
