#include "suiren/text/gguf_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/utf8.h"
#include "suiren/text/gguf_pre_tokenizers.h"
#include "suiren/text/token_index.h"

namespace suiren::text {

namespace {

using io::Json;

constexpr std::string_view kWordMark = "\xE2\x96\x81";  // SentencePiece's space
/// Longer ones are no tokens of SentencePiece; the bound keeps damaged files from costing hours.
constexpr size_t kMostTokenBytes = 1024;

enum TokenType : int64_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

/// The fields of one file, checked.
struct Fields {
  explicit Fields(const io::Gguf& f)
      : file(f), name(f.path() + ": tokenizer"), tokens(f.strings("tokenizer.ggml.tokens")) {
    if (file.find("tokenizer.ggml.token_type")) types = file.integers("tokenizer.ggml.token_type");
    SR_CHECK(types.empty() || types.size() == tokens.size(),
             "{}: tokenizer.ggml.token_type has {} entries for {} tokens", name, types.size(), tokens.size());
    for (size_t id = 0; id < tokens.size(); ++id)
      SR_CHECK(io::find_invalid_utf8(tokens[id]) == std::string_view::npos, "{}: token {} is not UTF-8", name,
               id);
    bos = token("bos"), eos = token("eos"), unknown = token("unknown");
    separator = token("seperator");  // as the key is spelled
    if (!bos) bos = token("cls");
  }
  bool flag(const std::string& key, bool otherwise) const {
    const std::string full = "tokenizer.ggml." + key;
    return file.find(full) ? file.boolean(full) : otherwise;
  }
  std::optional<size_t> token(const std::string& role) const {
    const std::string key = "tokenizer.ggml." + role + "_token_id";
    if (!file.find(key)) return std::nullopt;
    const int64_t id = file.integer(key);
    SR_CHECK(id >= 0 && id < static_cast<int64_t>(tokens.size()) && !tokens[static_cast<size_t>(id)].empty(),
             "{}: {} is {}, which no token has", name, key, id);
    return static_cast<size_t>(id);
  }
  int64_t type(size_t id) const { return types.empty() ? int64_t{kNormal} : types[id]; }
  /// Special tokens: by their type, or by their place where the file states no types.
  bool is_special(size_t id) const {
    if (types.empty()) return id == bos || id == eos || id == unknown;
    return type(id) == kControl || type(id) == kUnknown;
  }
  bool is_added(size_t id) const { return is_special(id) || type(id) == kUserDefined; }

  const io::Gguf& file;
  std::string name;
  std::vector<std::string_view> tokens;
  std::vector<int64_t> types;
  std::optional<size_t> bos, eos, unknown, separator;
};

/// JSON text of a string that is UTF-8.
void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20)
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    else
      out += c;
  }
  out += '"';
}

/// What a tokenizer.json of each kind holds beside its long lists.
struct Parts {
  Json normalizer, pre_tokenizer, decoder;
  Json model = Json::object();  // without vocab and merges
  bool adds_bos = false, adds_eos = false;
};

Json sequence(const char* list, const Json& parts) { return {{"type", "Sequence"}, {list, parts}}; }
Json replace(std::string_view from, std::string_view to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

Json bpe_model() {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", false}};
}

Parts byte_level_parts(const Fields& f) {
  const bool named = f.file.find("tokenizer.ggml.pre");
  const std::string pre(named ? f.file.string("tokenizer.ggml.pre") : "default");
  const GgufPreTokenizer* row = gguf_pre_tokenizer(pre);
  SR_CHECK_AS(kUnsupported, row, "{}: tokenizer.ggml.pre '{}' is not supported; there are {}", f.name, pre,
              gguf_pre_tokenizer_names());
  Parts out;
  if (row->nfc) out.normalizer = {{"type", "NFC"}};
  Json stages = Json::array();
  for (const std::string_view pattern : row->patterns)
    stages.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  stages.push_back({{"type", "ByteLevel"},
                    {"add_prefix_space", f.flag("add_space_prefix", false)},
                    {"trim_offsets", true},
                    {"use_regex", false}});
  if (f.flag("add_space_prefix", false)) std::rotate(stages.begin(), stages.end() - 1, stages.end());
  out.pre_tokenizer = sequence("pretokenizers", stages);
  out.decoder = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  out.model = bpe_model();
  out.model["ignore_merges"] = row->ignore_merges;
  out.adds_bos = f.flag("add_bos_token", row->adds_bos);
  out.adds_eos = f.flag("add_eos_token", false);
  return out;
}

Parts sentence_piece_parts(const Fields& f) {
  Parts out;
  const bool prefix = f.flag("add_space_prefix", true);
  Json normalizers = Json::array();
  Json decoders = {replace(kWordMark, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (prefix) {
    normalizers.push_back({{"type", "Prepend"}, {"prepend", kWordMark}});
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  normalizers.push_back(replace(" ", kWordMark));
  out.normalizer = sequence("normalizers", normalizers);
  out.decoder = sequence("decoders", decoders);
  out.model = bpe_model();
  const size_t unknown = f.unknown.value_or(0);
  if (unknown < f.tokens.size() && !f.tokens[unknown].empty()) out.model["unk_token"] = f.tokens[unknown];
  out.model["fuse_unk"] = true;
  out.model["byte_fallback"] = true;
  out.adds_bos = f.flag("add_bos_token", true);
  out.adds_eos = f.flag("add_eos_token", false);
  return out;
}

Parts word_piece_parts(const Fields& f) {
  Parts out;
  out.normalizer = {{"type", "BertNormalizer"},
                    {"clean_text", true},
                    {"handle_chinese_chars", true},
                    {"strip_accents", nullptr},
                    {"lowercase", true}};
  out.pre_tokenizer = {{"type", "BertPreTokenizer"}};
  out.decoder = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  SR_CHECK(f.unknown, "{}: tokenizer.ggml.unknown_token_id is missing", f.name);
  out.model = {{"type", "WordPiece"},
               {"unk_token", f.tokens[*f.unknown]},
               {"continuing_subword_prefix", "##"},
               {"max_input_chars_per_word", 100}};
  out.adds_bos = f.flag("add_bos_token", true);
  out.adds_eos = true;  // [SEP]
  return out;
}

/// GGUF marks the tokens that begin a word, tokenizer.json those that do not.
std::string word_piece_token(std::string_view token) {
  if (token.starts_with('[') && token.ends_with(']')) return std::string(token);
  if (token.starts_with(kWordMark)) return std::string(token.substr(kWordMark.size()));
  return "##" + std::string(token);
}

/// Merges as transformers makes them of a SentencePiece model: for each two tokens that make a third, the
/// third's score; among equals the longer left part, then the longer right part, then the lower ids.
class ScoredMerges {
 public:
  explicit ScoredMerges(const Fields& f) : f_(f), scores_(f.file.numbers("tokenizer.ggml.scores")) {
    SR_CHECK(scores_.size() == f.tokens.size(), "{}: tokenizer.ggml.scores has {} entries for {} tokens",
             f.name, scores_.size(), f.tokens.size());
    ids_.reserve(f.tokens.size());
    for (uint32_t id = 0; id < f.tokens.size(); ++id) {
      SR_CHECK(f.tokens[id].size() <= kMostTokenBytes, "{}: token {} has {} bytes, expected at most {}",
               f.name, id, f.tokens[id].size(), kMostTokenBytes);
      SR_CHECK(std::isfinite(scores_[id]), "{}: token {} has the score {}", f.name, id, scores_[id]);
      if (!f.tokens[id].empty()) ids_.add(f.tokens[id], id);
    }
    for (uint32_t id = 0; id < f.tokens.size(); ++id)
      if (f.type(id) != kControl) split(id);
    std::ranges::stable_sort(merges_, before);
  }
  void append_to(std::string& out) const {
    for (size_t i = 0; i < merges_.size(); ++i) {
      const Merge& m = merges_[i];
      const std::string_view token = f_.tokens[m.id];
      out += i ? ",\n[" : "\n[";
      append_quoted(out, token.substr(0, m.left));
      out += ',';
      append_quoted(out, token.substr(m.left));
      out += ']';
    }
  }

 private:
  struct Merge {
    double score;
    uint32_t id, left, left_characters, right_characters, left_id, right_id;
  };
  static bool before(const Merge& a, const Merge& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.left_characters != b.left_characters) return a.left_characters > b.left_characters;
    return a.right_characters > b.right_characters;
  }
  static bool begins_character(char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }

  void split(uint32_t id) {
    const std::string_view token = f_.tokens[id];
    const auto characters = static_cast<uint32_t>(std::ranges::count_if(token, begins_character));
    const size_t first = merges_.size();
    uint32_t left_characters = 0;
    for (uint32_t left = 1; left < token.size(); ++left) {
      if (!begins_character(token[left])) continue;
      ++left_characters;
      const uint32_t left_id = ids_.find(token.substr(0, left));
      const uint32_t right_id = left_id == TokenMap::kNone ? TokenMap::kNone : ids_.find(token.substr(left));
      if (right_id == TokenMap::kNone) continue;
      merges_.push_back(
          {scores_[id], id, left, left_characters, characters - left_characters, left_id, right_id});
    }
    std::sort(merges_.begin() + static_cast<ptrdiff_t>(first), merges_.end(),
              [](const Merge& a, const Merge& b) {
                return std::pair(a.left_id, a.right_id) < std::pair(b.left_id, b.right_id);
              });
  }

  const Fields& f_;
  std::vector<double> scores_;
  TokenMap ids_;
  std::vector<Merge> merges_;
};

void append_stated_merges(const Fields& f, std::string& out) {
  bool first = true;
  for (const std::string_view merge : f.file.strings("tokenizer.ggml.merges")) {
    SR_CHECK(io::find_invalid_utf8(merge) == std::string_view::npos, "{}: tokenizer.ggml.merges is not UTF-8",
             f.name);
    // Tokens of bytes hold no space, others may begin or end with one.
    const size_t space = merge.find(' ', 1);
    SR_CHECK(space != merge.npos,
             "{}: tokenizer.ggml.merges holds '{}', expected two tokens with a space between", f.name,
             merge.substr(0, 60));
    out += first ? "\n[" : ",\n[";
    append_quoted(out, merge.substr(0, space));
    out += ',';
    append_quoted(out, merge.substr(space + 1));
    out += ']';
    first = false;
  }
}

/// An object's text without its closing brace, so that more members can follow.
std::string open_object(const Json& object) {
  std::string text = object.dump();
  text.pop_back();
  return text;
}

Json post_processor(const Fields& f, const Parts& parts) {
  Json single = Json::array(), specials = Json::object();
  const auto add = [&](std::optional<size_t> id, const char* key) {
    SR_CHECK(id, "{}: {} is missing, but is to be added to every text", f.name, key);
    const std::string token(f.tokens[*id]);
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    specials[token] = {{"id", token}, {"ids", {*id}}, {"tokens", {token}}};
  };
  if (parts.adds_bos) add(f.bos, "tokenizer.ggml.bos_token_id");
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  if (parts.adds_eos) add(f.separator ? f.separator : f.eos, "tokenizer.ggml.eos_token_id");
  if (single.size() == 1) return nullptr;
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", single}, {"special_tokens", specials}};
}

void append_added_tokens(const Fields& f, std::string& out) {
  bool first = true;
  for (size_t id = 0; id < f.tokens.size(); ++id) {
    if (!f.is_added(id) || f.tokens[id].empty()) continue;
    fmt::format_to(std::back_inserter(out), "{}\n{{\"id\":{},\"content\":", first ? "" : ",", id);
    append_quoted(out, f.tokens[id]);
    fmt::format_to(
        std::back_inserter(out),
        ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":{}}}",
        f.is_special(id));
    first = false;
  }
}

void append_vocabulary(const Fields& f, bool word_pieces, std::string& out) {
  bool first = true;
  for (size_t id = 0; id < f.tokens.size(); ++id) {
    if (f.tokens[id].empty()) continue;
    out += first ? "\n" : ",\n";
    if (word_pieces && !f.is_added(id))
      append_quoted(out, word_piece_token(f.tokens[id]));
    else
      append_quoted(out, f.tokens[id]);
    fmt::format_to(std::back_inserter(out), ":{}", id);
    first = false;
  }
}

}  // namespace

bool has_gguf_tokenizer(const io::Gguf& file) {
  if (file.find("tokenizer.huggingface.json")) return true;
  if (!file.find("tokenizer.ggml.model")) return false;
  const std::string_view model = file.string("tokenizer.ggml.model");
  return model != "none" && model != "no_vocab";
}

std::string tokenizer_json_from_gguf(const io::Gguf& file) {
  if (file.find("tokenizer.huggingface.json")) return std::string(file.string("tokenizer.huggingface.json"));
  const std::string_view model = file.string("tokenizer.ggml.model");
  const bool byte_level = model == "gpt2", sentence_piece = model == "llama", word_pieces = model == "bert";
  SR_CHECK_AS(kUnsupported, byte_level || sentence_piece || word_pieces,
              "{}: tokenizer.ggml.model '{}' is not supported; there are gpt2, llama and bert", file.path(),
              model);
  const Fields f(file);
  const Parts parts = byte_level       ? byte_level_parts(f)
                      : sentence_piece ? sentence_piece_parts(f)
                                       : word_piece_parts(f);
  std::string out = R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)";
  append_added_tokens(f, out);
  out +=
      "],\n\"normalizer\":" + parts.normalizer.dump() + ",\n\"pre_tokenizer\":" + parts.pre_tokenizer.dump() +
      ",\n\"post_processor\":" + post_processor(f, parts).dump() + ",\n\"decoder\":" + parts.decoder.dump() +
      ",\n\"model\":" + open_object(parts.model) + ",\"vocab\":{";
  append_vocabulary(f, word_pieces, out);
  out += '}';
  if (!word_pieces) {
    out += ",\"merges\":[";
    byte_level ? append_stated_merges(f, out) : ScoredMerges(f).append_to(out);
    out += ']';
  }
  return out + "}}\n";
}

Tokenizer tokenizer_from_gguf(const io::Gguf& file) {
  return Tokenizer::from_json(tokenizer_json_from_gguf(file), file.path() + ": tokenizer");
}

}  // namespace suiren::text
