#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/text/gguf_pre_tokenizers.h"
#include "suiren/text/gguf_tokenizer.h"
#include "suiren/text/scanner.h"
#include "suiren/text/tokenizer_parts.h"

namespace suiren::text {

namespace {

using io::Json;

enum TokenType : int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// Vocabulary and added tokens by id.
struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  void put(size_t id, const std::string& token, int32_t type) {
    if (id >= tokens.size()) tokens.resize(id + 1), types.resize(id + 1, kUnused);
    tokens[id] = token, types[id] = type;
  }
};

Vocabulary read_vocabulary(const Json& json, int64_t vocab_size) {
  Vocabulary out;
  const bool fallback = part_member(part_member(json, "model"), "byte_fallback") == true;
  const Json& unknown = part_member(part_member(json, "model"), "unk_token");
  const auto type_of = [&](const std::string& token) {
    if (token == unknown) return kUnknown;
    const bool byte = fallback && token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
    return byte ? kByte : kNormal;
  };
  for (const auto& [token, id] : part_member(part_member(json, "model"), "vocab").items())
    out.put(id.get<size_t>(), token, type_of(token));
  for (const Json& row : part_member(json, "added_tokens")) {
    const std::string content = row.at("content");
    const int32_t type = content == unknown            ? kUnknown
                         : row.value("special", false) ? kControl
                                                       : kUserDefined;
    out.put(row.at("id").get<size_t>(), content, type);
  }
  if (std::ssize(out.tokens) < vocab_size)
    out.tokens.resize(static_cast<size_t>(vocab_size)),
        out.types.resize(static_cast<size_t>(vocab_size), kUnused);
  for (size_t id = 0; id < out.tokens.size(); ++id)
    if (out.tokens[id].empty()) out.tokens[id] = fmt::format("[PAD{}]", id);
  return out;
}

std::vector<std::string> merges_of(const Json& json) {
  std::vector<std::string> out;
  for (const Json& merge : part_member(part_member(json, "model"), "merges"))
    out.push_back(merge.is_string() ? merge.get<std::string>()
                                    : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
  return out;
}

/// How a byte-level tokenizer.json cuts text; false when a step is none that GGUF's rows have.
bool split_patterns(const Json& part, std::vector<std::string>& out) {
  const Json& type = part_member(part, "type");
  if (type == "Sequence")
    return std::ranges::all_of(part_member(part, "pretokenizers"),
                               [&](const Json& p) { return split_patterns(p, out); });
  if (type == "Split" && part_member(part_member(part, "pattern"), "Regex").is_string()) {
    out.push_back(part["pattern"]["Regex"]);
    return part_member(part, "behavior") == "Isolated" ||
           (part_member(part, "behavior") == "Removed" && part_member(part, "invert") == true);
  }
  if (type == "Digits") {
    out.push_back(part_member(part, "individual_digits") == true ? R"(\p{N})" : R"(\p{N}+)");
    return true;
  }
  if (type != "ByteLevel") return false;
  if (part_member(part, "use_regex") != false) out.emplace_back(pattern_regex(Pattern::kGpt2));
  return part_member(part, "add_prefix_space") == false;
}

bool write_byte_level(const Json& json, io::GgufMetadata& metadata) {
  std::vector<std::string> patterns;
  const bool ignore_merges = part_member(part_member(json, "model"), "ignore_merges") == true;
  if (!split_patterns(part_member(json, "pre_tokenizer"), patterns)) return false;
  const GgufPreTokenizer* row = gguf_pre_tokenizer_of(patterns, ignore_merges);
  if (!row) return false;
  metadata.set("tokenizer.ggml.model", "gpt2");
  metadata.set("tokenizer.ggml.pre", row->names[0]);
  metadata.set("tokenizer.ggml.merges", merges_of(json));
  return true;
}

/// Scores that put merges into their order: a token's is less the later the first merge that makes it.
std::vector<float> scores_of(const Vocabulary& vocabulary, const std::vector<std::string>& merges) {
  std::map<std::string, float> by_token;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    std::string token = merges[rank];
    token.erase(token.find(' ', 1), 1);
    by_token.emplace(std::move(token), -static_cast<float>(rank));
  }
  std::vector<float> out;
  const auto last = -static_cast<float>(merges.size());
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const auto found = by_token.find(vocabulary.tokens[id]);
    out.push_back(vocabulary.types[id] != kNormal ? 0 : found == by_token.end() ? last : found->second);
  }
  return out;
}

/// Whether a space goes before text: a step Prepend, or Metaspace's.
bool prepends_space(const Json& json) {
  const std::string steps =
      part_member(json, "normalizer").dump() + part_member(json, "pre_tokenizer").dump();
  return steps.find("\"Prepend\"") != steps.npos ||
         (steps.find("\"Metaspace\"") != steps.npos &&
          steps.find("\"prepend_scheme\":\"never\"") == steps.npos);
}

void write_sentence_piece(const Json& json, const Vocabulary& vocabulary, io::GgufMetadata& metadata) {
  metadata.set("tokenizer.ggml.model", "llama");
  metadata.set("tokenizer.ggml.pre", "default");
  metadata.set("tokenizer.ggml.scores", scores_of(vocabulary, merges_of(json)));
  metadata.set("tokenizer.ggml.add_space_prefix", prepends_space(json));
  const auto unknown = std::ranges::find(vocabulary.types, int32_t{kUnknown});
  if (unknown != vocabulary.types.end())
    metadata.set("tokenizer.ggml.unknown_token_id",
                 static_cast<uint32_t>(unknown - vocabulary.types.begin()));
}

}  // namespace

bool write_gguf_tokenizer(const Tokenizer& tokenizer, int64_t vocab_size, io::GgufMetadata& metadata) {
  const std::string text = tokenizer.to_json();
  metadata.set("tokenizer.huggingface.json", text);
  const Json json = io::parse_json(text, "tokenizer.json");
  const Json& model = part_member(json, "model");
  if (!part_member(model, "vocab").is_object() || !part_member(model, "merges").is_array()) return false;
  const Vocabulary vocabulary = read_vocabulary(json, vocab_size);
  if (part_member(model, "byte_fallback") == true)
    write_sentence_piece(json, vocabulary, metadata);
  else if (!write_byte_level(json, metadata))
    return false;
  metadata.set("tokenizer.ggml.tokens", vocabulary.tokens);
  metadata.set("tokenizer.ggml.token_type", vocabulary.types);
  const std::vector<uint32_t> plain = tokenizer.encode("a", false),
                              marked = tokenizer.encode("a", false, true);
  const bool more = marked.size() > plain.size();
  metadata.set("tokenizer.ggml.add_bos_token", more && !plain.empty() && marked[0] != plain[0]);
  metadata.set("tokenizer.ggml.add_eos_token", more && !plain.empty() && marked.back() != plain.back());
  return true;
}

}  // namespace suiren::text
