#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/json_scanner.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/token_index.h"
#include "suiren/text/tokenizer_data.h"
#include "suiren/text/tokenizer_parts.h"

namespace suiren::text {

namespace {

using io::Json;

/// Ids leave gaps, but not more than this: a damaged id must not make us allocate gigabytes.
constexpr size_t kMostGaps = 1 << 16, kIdsPerToken = 4;

/// The mark that SentencePiece puts for a space.
constexpr std::string_view kWordMark = "\xE2\x96\x81";

/// A tokenizer.json: `root` holds all of it but the two long lists, model.vocab (where it is an object) and
/// model.merges, which are empty there; those begin at these bytes of the text.
struct Parsed {
  std::string_view text;
  Json root;
  size_t vocab = 0, merges = 0;
};

/// Notes where the value begins, and leaves an empty one in its place.
void cut_list(io::JsonScanner& scanner, size_t& begin, size_t& copied, std::string& rest,
              std::string_view text) {
  const char open = scanner.peek();
  begin = scanner.at();
  scanner.skip();
  rest.append(text, copied, begin - copied).append(open == '{' ? "{}" : "[]");
  copied = scanner.at();
}

/// f(key) for each member of an object; it steps over the value.
template <class F>
void each_member(io::JsonScanner& scanner, F&& f) {
  scanner.expect('{');
  if (scanner.take('}')) return;
  do {
    const std::string key(scanner.string());
    scanner.expect(':');
    f(key);
  } while (scanner.take(','));
  scanner.expect('}');
}

Parsed parse(std::string_view text, const std::string& name) {
  try {
    Parsed out{text, {}};
    std::string rest;
    size_t copied = 0;
    io::JsonScanner scanner(text, name);
    each_member(scanner, [&](const std::string& part) {
      if (part != "model" || scanner.peek() != '{') return void(scanner.skip());
      each_member(scanner, [&](const std::string& key) {
        if (key == "vocab" && scanner.peek() == '{')
          cut_list(scanner, out.vocab, copied, rest, text);
        else if (key == "merges" && scanner.peek() == '[')
          cut_list(scanner, out.merges, copied, rest, text);
        else
          scanner.skip();
      });
    });
    out.root = io::parse_json(rest.append(text, copied), name);
    return out;
  } catch (const Error&) {
    return {text, io::parse_json(text, name)};  // says what is wrong, and where in the whole text
  }
}

/// Reads one file; every message opens with the file's name.
class Reader {
 public:
  Reader(const Parsed& parsed, std::string name)
      : parsed_(parsed), root_(parsed.root), name_(std::move(name)) {}

  TokenizerData read() {
    SR_CHECK(root_.is_object(), "{}: the top of a tokenizer.json is an object, found {}", name_,
             root_.type_name());
    count_ids(part_member(part_member(root_, "model"), "vocab").size());
    d_.normalizer = Normalizer(read_normalizer(part_member(root_, "normalizer"), name_));
    stages_ = read_pre_tokenizer(part_member(root_, "pre_tokenizer"), name_);
    read_model();
    d_.pre_tokenizer = PreTokenizer(std::move(stages_));
    read_added_tokens();
    make_decoder();
    read_post_processor(part_member(root_, "post_processor"));
    index();
    return std::move(d_);
  }

 private:
  uint32_t read_id(const Json& value, const std::string& token) const {
    const auto most = static_cast<double>(most_ids_);
    SR_CHECK(value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < most,
             "{}: token '{}' has id {}, expected a number from 0 to {} in a file of so many tokens", name_,
             token, value.dump(), most_ids_ - 1);
    return value.get<uint32_t>();
  }
  /// Ids of a file with so many tokens in its model.
  void count_ids(size_t tokens) {
    most_ids_ = kMostGaps + kIdsPerToken * (tokens + part_member(root_, "added_tokens").size());
  }
  void place(uint32_t id, std::string bytes, std::string_view token) {
    if (id >= d_.tokens.size()) d_.tokens.resize(id + 1);
    SR_CHECK(d_.tokens[id].empty(), "{}: id {} belongs to two tokens; the second is '{}'", name_, id, token);
    d_.tokens[id] = std::move(bytes);
  }

  void read_model() {
    const Json& model = part_member(root_, "model");
    SR_CHECK(model.is_object(), "{}: model is missing", name_);
    const std::string type = part_member(model, "type").is_null() ? "BPE" : part_type(model, "model", name_);
    if (type == "BPE") return read_bpe(model);
    if (type == "WordPiece") return read_word_piece(model);
    if (type == "Unigram") return read_unigram(model);
    fail(ErrorCode::kUnsupported, "{}: model {} is not supported", name_, type);
  }

  /// A member that is a string, or "" when it is absent.
  std::string text_or_empty(const Json& model, const char* key) const {
    return part_member(model, key).is_null() ? "" : io::json_string(model, key, name_);
  }

  void read_bpe(const Json& model) {
    const Json& dropout = part_member(model, "dropout");
    SR_CHECK_AS(kUnsupported, dropout.is_null() || dropout == 0.0,
                "{}: model has dropout {}, which is not supported: ids would be random", name_,
                dropout.dump());
    CharacterBpe::Options options;
    options.prefix = text_or_empty(model, "continuing_subword_prefix");
    options.suffix = text_or_empty(model, "end_of_word_suffix");
    read_vocabulary(part_member(model, "vocab"));
    const auto is_characters = [](const SplitStage& s) { return s.kind == SplitStage::kCharacters; };
    const bool plain = options.prefix.empty() && options.suffix.empty();
    if (plain && std::count_if(stages_.begin(), stages_.end(), is_characters) == 1 &&
        is_characters(stages_.back()) && has_all_bytes()) {
      d_.byte_level = true;
      stages_.pop_back();
    }
    place_vocabulary();
    std::vector<MergeRule> rules = read_merges(part_member(model, "merges"), options.prefix.size());
    ignore_merges_ = part_flag(model, "ignore_merges", false, name_);
    if (d_.byte_level) {
      d_.model = std::make_shared<ByteBpe>(Bpe(byte_ids_, rules));
      return;
    }
    options.unknown = read_unknown(model);
    options.unknown.fuse = part_flag(model, "fuse_unk", false, name_);
    if (plain && !ignore_merges_ && words_begin_with_mark_ && model_ids_.find(kWordMark) != Bpe::kNone) {
      SplitStage words;
      words.kind = SplitStage::kWordStart;
      words.literal = kWordMark;
      stages_.push_back(words);
    }
    const size_t longest = options.prefix.size() + 4 + options.suffix.size();
    d_.model = std::make_shared<CharacterBpe>(Bpe(byte_ids_, rules), trie(longest), std::move(options));
  }

  void read_word_piece(const Json& model) {
    read_vocabulary(part_member(model, "vocab"));
    place_vocabulary();
    WordPiece::Options options;
    options.prefix = text_or_empty(model, "continuing_subword_prefix");
    const std::string unknown = io::json_string(model, "unk_token", name_);
    options.unknown = model_ids_.find(unknown);
    SR_CHECK(options.unknown != Bpe::kNone, "{}: unk_token '{}' is not in model.vocab", name_, unknown);
    if (!part_member(model, "max_input_chars_per_word").is_null()) {
      const int64_t most = io::json_int(model, "max_input_chars_per_word", name_);
      SR_CHECK(most >= 0, "{}: max_input_chars_per_word is {}", name_, most);
      options.most_characters = static_cast<uint64_t>(most);
    }
    d_.model = std::make_shared<WordPiece>(trie(SIZE_MAX), std::move(options));
  }

  void read_unigram(const Json& model) {
    const Json& vocab = part_member(model, "vocab");
    SR_CHECK(vocab.is_array() && !vocab.empty(),
             "{}: model.vocab is {}, expected an array of tokens and scores", name_,
             vocab.is_array() ? "empty" : vocab.type_name());
    std::vector<double> scores;
    for (const Json& row : vocab) {
      SR_CHECK(row.is_array() && row.size() == 2 && row[0].is_string() && row[0] != "" && row[1].is_number(),
               "{}: row {} of model.vocab is not a token and its score", name_, scores.size());
      model_ids_.assign(row[0].get_ref<const std::string&>(), static_cast<uint32_t>(scores.size()));
      d_.tokens.push_back(row[0].get<std::string>());
      scores.push_back(row[1].get<double>());
    }
    Unknown unknown = read_unknown(model);
    if (const Json& id = part_member(model, "unk_id"); !id.is_null()) {
      unknown.id = read_id(id, "unk_id");
      SR_CHECK(*unknown.id < scores.size(), "{}: unk_id is {}, model.vocab has {} tokens", name_, *unknown.id,
               scores.size());
    }
    d_.model = std::make_shared<Unigram>(trie(SIZE_MAX), std::move(scores), unknown);
  }

  Unknown read_unknown(const Json& model) const {
    Unknown unknown;
    unknown.byte_fallback = part_flag(model, "byte_fallback", false, name_);
    if (const std::string token = text_or_empty(model, "unk_token"); !token.empty()) {
      unknown.id = model_ids_.find(token);
      SR_CHECK(*unknown.id != Bpe::kNone, "{}: unk_token '{}' is not in model.vocab", name_, token);
    }
    for (int b = 0; b < 256; ++b) unknown.byte_ids[b] = model_ids_.find(fmt::format("<0x{:02X}>", b));
    return unknown;
  }

  /// The model's tokens of at most `longest` bytes.
  Trie trie(size_t longest) const {
    std::vector<std::pair<std::string_view, uint32_t>> strings;
    model_ids_.for_each([&](std::string_view token, uint32_t id) {
      if (token.size() <= longest) strings.emplace_back(token, id);
    });
    return Trie(std::move(strings));
  }

  void read_vocabulary(const Json& vocab) {
    SR_CHECK(vocab.is_object(), "{}: model.vocab is {}, expected an object of tokens and ids", name_,
             vocab.type_name());
    io::JsonScanner scanner(parsed_.text, name_, parsed_.vocab);
    size_t tokens = 0;
    uint32_t largest = 0;
    std::string of_largest;
    each_member(scanner, [&](const std::string& token) {
      if (token.empty()) fail(ErrorCode::kInvalid, "{}: model.vocab holds an empty token", name_);
      uint32_t id = 0;
      if (!scanner.small_number(id))
        fail(ErrorCode::kInvalid, "{}: token '{}' has id {}, expected a small number", name_, token,
             scanner.skip().substr(0, 40));
      if (!model_ids_.add(token, id)) scanner.refuse(fmt::format("key '{}' stands twice", token));
      if (++tokens == 1 || id > largest) largest = id, of_largest = token;
    });
    count_ids(tokens);
    if (tokens > 0) read_id(largest, of_largest);
  }

  /// Whether each byte has a token, of one character of the byte alphabet; then byte_ids_ are those.
  bool has_all_bytes() {
    for (int b = 0; b < 256; ++b) {
      byte_ids_[b] = model_ids_.find(to_characters(std::string(1, static_cast<char>(b))));
      if (byte_ids_[b] == Bpe::kNone) return false;
    }
    return true;
  }

  void place_vocabulary() {
    model_ids_.for_each([&](std::string_view token, uint32_t id) {
      auto bytes = d_.byte_level ? to_bytes(token) : std::nullopt;
      place(id, bytes ? std::move(*bytes) : std::string(token), token);
    });
  }

  uint32_t merge_part(std::string_view token, size_t place) const {
    const uint32_t id = model_ids_.find(token);
    SR_CHECK(id != Bpe::kNone, "{}: merge {} names the token '{}', which model.vocab does not have", name_,
             place, token);
    return id;
  }

  /// The next of merges, "a b" or ["a", "b"]: both parts in `text`, the left one `left` bytes long.
  void read_pair(io::JsonScanner& scanner, size_t i, std::string& text, size_t& left) const {
    if (scanner.peek() == '"') {
      text = scanner.string();
      left = text.find(' ');
      SR_CHECK(left != text.npos && text.find(' ', left + 1) == text.npos,
               "{}: merge {} is '{}', expected two tokens with one space between", name_, i, text);
      text.erase(left, 1);
      return;
    }
    if (!scanner.take('['))
      fail(ErrorCode::kInvalid, "{}: merge {} is {}, expected two tokens", name_, i,
           scanner.skip().substr(0, 40));
    text = scanner.string();
    left = text.size();
    scanner.expect(',');
    text += scanner.string();
    scanner.expect(']');
  }

  /// `prefix`: bytes at the beginning of a right part that the result does not have.
  std::vector<MergeRule> read_merges(const Json& merges, size_t prefix) {
    SR_CHECK(merges.is_array(), "{}: model.merges is {}, expected an array", name_, merges.type_name());
    io::JsonScanner scanner(parsed_.text, name_, parsed_.merges);
    std::vector<MergeRule> rules;
    std::string both;
    size_t left = 0;
    scanner.expect('[');
    if (scanner.take(']')) return rules;
    do {
      const size_t i = rules.size();
      read_pair(scanner, i, both, left);
      const std::string_view right = std::string_view(both).substr(left);
      MergeRule rule{merge_part(std::string_view(both).substr(0, left), i), merge_part(right, i), 0};
      SR_CHECK(right.size() >= prefix, "{}: merge {} joins '{}', which is shorter than its prefix", name_, i,
               right);
      both.erase(left, prefix);
      rule.result = merge_part(both, i);
      rules.push_back(rule);
      if (!d_.byte_level && words_begin_with_mark_) words_begin_with_mark_ = marks_only_begin(both);
    } while (scanner.take(','));
    scanner.expect(']');
    return rules;
  }

  /// Whether the mark stands nowhere after something else.
  static bool marks_only_begin(std::string_view token) {
    for (size_t at = token.find(kWordMark); at != token.npos;
         at = token.find(kWordMark, at + kWordMark.size()))
      if (at > 0 && !token.substr(0, at).ends_with(kWordMark)) return false;
    return true;
  }

  void read_added_tokens() {
    const Json& list = part_member(root_, "added_tokens");
    SR_CHECK(list.is_null() || list.is_array(), "{}: added_tokens is {}, expected an array", name_,
             list.type_name());
    std::vector<AddedToken> raw, normalized;
    std::set<std::string> seen;
    for (const Json& row : list) {
      AddedToken t;
      t.content = io::json_string(row, "content", name_);
      SR_CHECK(!t.content.empty(), "{}: added_tokens holds an empty token", name_);
      SR_CHECK(seen.insert(t.content).second, "{}: added_tokens holds '{}' twice", name_, t.content);
      t.id = read_id(part_member(row, "id"), t.content);
      t.single_word = part_flag(row, "single_word", false, name_);
      t.lstrip = part_flag(row, "lstrip", false, name_);
      t.rstrip = part_flag(row, "rstrip", false, name_);
      t.special = part_flag(row, "special", false, name_);
      t.normalized = part_flag(row, "normalized", !t.special, name_);
      add(t);
      added_ids_.push_back(t.id);
      (t.normalized ? normalized : raw).push_back(std::move(t));
    }
    std::vector<std::string> spellings;
    for (const AddedToken& t : raw) spellings.push_back(t.content);
    d_.raw_added = AddedTokens(std::move(raw), spellings);
    spellings.clear();
    for (const AddedToken& t : normalized) {
      spellings.push_back(d_.normalizer.apply(t.content));
      if (spellings.back() != t.content) d_.normalized_spellings[t.id] = spellings.back();
    }
    d_.normalized_added = AddedTokens(std::move(normalized), spellings);
  }

  /// An added token is new, or it is in the vocabulary under the same id; its bytes are its content.
  void add(const AddedToken& t) {
    const uint32_t known = model_ids_.find(t.content);
    if (known != Bpe::kNone) {
      SR_CHECK(known == t.id, "{}: token '{}' has id {} in model.vocab and {} in added_tokens", name_,
               t.content, known, t.id);
      d_.tokens[t.id] = t.content;
    } else {
      place(t.id, t.content, t.content);
    }
    if (d_.special.size() < d_.tokens.size()) d_.special.resize(d_.tokens.size());
    d_.special[t.id] = t.special;
  }

  void make_decoder() {
    const Json& part = part_member(root_, "decoder");
    DecoderParts parts = read_decoder(part, name_);
    if (d_.byte_level) {  // the tokens are bytes already
      SR_CHECK_AS(kUnsupported,
                  part.is_null() || (parts.whole.empty() && parts.steps.size() == 1 &&
                                     parts.steps[0].kind == DecoderStep::kBytes),
                  "{}: decoder {} is not supported with the pre_tokenizer ByteLevel", name_,
                  part_type(part, "decoder", name_));
      return;
    }
    if (part.is_null()) {
      parts.steps.emplace_back();
      parts.steps[0].kind = DecoderStep::kJoin;
    }
    d_.decoder = Decoder(std::move(parts.steps), std::move(parts.whole));
  }

  void read_post_processor(const Json& part) {
    if (part.is_null()) return;
    const std::string type = part_type(part, "post_processor", name_);
    if (type == "ByteLevel") return;
    if (type == "Sequence") {
      for (const Json& p : part_member(part, "processors")) read_post_processor(p);
      return;
    }
    std::vector<uint32_t> before, after;
    if (type == "BertProcessing" || type == "RobertaProcessing") {
      wrap({read_marker(part, "cls")}, {read_marker(part, "sep")});
      return;
    }
    SR_CHECK_AS(kUnsupported, type == "TemplateProcessing", "{}: post_processor {} is not supported", name_,
                type);
    bool text_seen = false;
    const Json& single = part_member(part, "single");
    SR_CHECK(single.is_array(), "{}: TemplateProcessing has no array 'single'", name_);
    for (const Json& item : single) {
      const Json& special = part_member(item, "SpecialToken");
      if (special.is_null()) {
        SR_CHECK(!part_member(item, "Sequence").is_null() && !text_seen,
                 "{}: TemplateProcessing.single is not special tokens around one Sequence", name_);
        text_seen = true;
        continue;
      }
      const std::string token = io::json_string(special, "id", name_);
      const Json& ids = part_member(part_member(part_member(part, "special_tokens"), token.c_str()), "ids");
      SR_CHECK(ids.is_array(), "{}: TemplateProcessing names '{}', which its special_tokens do not have",
               name_, token);
      for (const Json& id : ids) (text_seen ? after : before).push_back(read_id(id, token));
    }
    SR_CHECK(text_seen, "{}: TemplateProcessing.single has no Sequence", name_);
    wrap(before, after);
  }
  /// The id of ["[SEP]", 102].
  uint32_t read_marker(const Json& part, const char* key) const {
    const Json& row = part_member(part, key);
    SR_CHECK(row.is_array() && row.size() == 2 && row[0].is_string(), "{}: {} is not a token and its id",
             name_, key);
    return read_id(row[1], row[0].get<std::string>());
  }
  /// The later processor wraps the earlier.
  void wrap(const std::vector<uint32_t>& before, const std::vector<uint32_t>& after) {
    d_.before.insert(d_.before.begin(), before.begin(), before.end());
    d_.after.insert(d_.after.end(), after.begin(), after.end());
    for (const uint32_t id : d_.before) check_id(id);
    for (const uint32_t id : d_.after) check_id(id);
  }
  void check_id(uint32_t id) const {
    SR_CHECK(id < d_.tokens.size() && !d_.tokens[id].empty(),
             "{}: post_processor adds id {}, which has no token", name_, id);
  }

  /// The maps from bytes to ids, once `tokens` has come to rest.
  void index() {
    d_.special.resize(d_.tokens.size());
    const auto add = [&](TokenIndex& to, uint32_t id) {
      if (d_.find(to, d_.tokens[id]) == TokenIndex::kNone) to.add(d_.tokens[id], id);
    };
    d_.ids.reserve(d_.tokens.size());
    for (const uint32_t id : added_ids_) add(d_.ids, id);
    for (uint32_t id = 0; id < d_.tokens.size(); ++id)
      if (!d_.tokens[id].empty()) add(d_.ids, id);
    if (!ignore_merges_) return;
    model_ids_.for_each([&](std::string_view token, uint32_t id) {
      if (!d_.byte_level || to_bytes(token)) add(d_.whole_pieces, id);
    });
  }

  const Parsed& parsed_;
  const Json& root_;
  std::string name_;
  TokenizerData d_;
  TokenMap model_ids_;
  std::array<uint32_t, 256> byte_ids_{};
  std::vector<SplitStage> stages_;
  std::vector<uint32_t> added_ids_;
  size_t most_ids_ = 0;
  bool ignore_merges_ = false, words_begin_with_mark_ = true;
};

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view json, const std::string& name) {
  TokenizerData data = Reader(parse(json, name), name).read();
  data.json = json;
  return data;
}

}  // namespace suiren::text
