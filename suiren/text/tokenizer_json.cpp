#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/tokenizer_data.h"

namespace suiren::text {

namespace {

using io::Json;

/// Ids leave gaps, but not more than this: a damaged id must not make us allocate gigabytes.
constexpr size_t kMostGaps = 1 << 16, kIdsPerToken = 4;

/// Reads one file; every message opens with the file's name.
class Reader {
 public:
  Reader(const Json& root, std::string name) : root_(root), name_(std::move(name)) {}

  TokenizerData read() {
    SR_CHECK(root_.is_object(), "{}: the top of a tokenizer.json is an object, found {}", name_,
             root_.type_name());
    refuse_part("normalizer");
    const size_t tokens =
        member(member(root_, "model"), "vocab").size() + member(root_, "added_tokens").size();
    most_ids_ = kMostGaps + kIdsPerToken * tokens;
    read_model();
    read_added_tokens();
    d_.pre_tokenizer = PreTokenizer(read_pre_tokenizer(member(root_, "pre_tokenizer")));
    SR_CHECK_AS(kUnsupported, byte_level_, "{}: pre_tokenizer has no ByteLevel; {}", name_, kFamily);
    read_decoder();
    read_post_processor(member(root_, "post_processor"));
    index();
    return std::move(d_);
  }

 private:
  static constexpr std::string_view kFamily = "suiren reads byte-level BPE tokenizers (GPT-2, Llama 3, Qwen)";

  /// A member, or null when it is absent.
  static const Json& member(const Json& object, const char* key) {
    static const Json null;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? null : *found;
  }
  std::string type_of(const Json& part, const char* what) const {
    const Json& type = member(part, "type");
    SR_CHECK(type.is_string(), "{}: {} has no type", name_, what);
    return type.get<std::string>();
  }
  bool flag(const Json& part, const char* key, bool otherwise) const {
    const Json& value = member(part, key);
    SR_CHECK(value.is_null() || value.is_boolean(), "{}: {} is {}, expected true or false", name_, key,
             value.dump());
    return value.is_null() ? otherwise : value.get<bool>();
  }
  void refuse_part(const char* key) const {
    const Json& part = member(root_, key);
    if (part.is_null()) return;
    const std::string type = type_of(part, key);
    const Json& inside = member(part, "normalizers");
    SR_CHECK_AS(kUnsupported, type == "Sequence" && inside.is_array() && inside.empty(),
                "{}: {} {} is not supported; {} without normalizers", name_, key, type, kFamily);
  }
  uint32_t read_id(const Json& value, const std::string& token) const {
    const auto most = static_cast<double>(most_ids_);
    SR_CHECK(value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < most,
             "{}: token '{}' has id {}, expected a number from 0 to {} in a file of so many tokens", name_,
             token, value.dump(), most_ids_ - 1);
    return value.get<uint32_t>();
  }
  void place(uint32_t id, std::string bytes, const std::string& token) {
    if (id >= d_.tokens.size()) d_.tokens.resize(id + 1);
    SR_CHECK(d_.tokens[id].empty(), "{}: id {} belongs to two tokens; the second is '{}'", name_, id, token);
    d_.tokens[id] = std::move(bytes);
  }

  void read_model() {
    const Json& model = member(root_, "model");
    SR_CHECK(model.is_object(), "{}: model is missing", name_);
    const std::string type = member(model, "type").is_null() ? "BPE" : type_of(model, "model");
    SR_CHECK_AS(kUnsupported, type == "BPE", "{}: model {} is not supported; {}", name_, type, kFamily);
    SR_CHECK_AS(kUnsupported, !flag(model, "byte_fallback", false),
                "{}: model has byte_fallback (SentencePiece style), which is not supported; {}", name_,
                kFamily);
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix", "dropout"}) {
      const Json& value = member(model, key);
      SR_CHECK_AS(kUnsupported, value.is_null() || value == "" || value == 0.0,
                  "{}: model has {} {}, which is not supported; {}", name_, key, value.dump(), kFamily);
    }
    read_vocabulary(member(model, "vocab"));
    read_merges(member(model, "merges"));
    ignore_merges_ = flag(model, "ignore_merges", false);
  }

  void read_vocabulary(const Json& vocab) {
    SR_CHECK(vocab.is_object(), "{}: model.vocab is {}, expected an object of tokens and ids", name_,
             vocab.type_name());
    for (const auto& [token, value] : vocab.items()) {
      SR_CHECK(!token.empty(), "{}: model.vocab holds an empty token", name_);
      const uint32_t id = read_id(value, token);
      const auto bytes = to_bytes(token);
      place(id, bytes ? *bytes : token, token);
      model_ids_.emplace(token, id);
    }
    for (int b = 0; b < 256; ++b) {
      const auto found = model_ids_.find(to_characters(std::string(1, static_cast<char>(b))));
      SR_CHECK(found != model_ids_.end(), "{}: model.vocab has no token for byte 0x{:02x}; {}", name_, b,
               kFamily);
      byte_ids_[b] = found->second;
    }
  }

  uint32_t merge_part(const std::string& token, size_t place) const {
    const auto found = model_ids_.find(token);
    SR_CHECK(found != model_ids_.end(), "{}: merge {} names the token '{}', which model.vocab does not have",
             name_, place, token);
    return found->second;
  }

  void read_merges(const Json& merges) {
    SR_CHECK(merges.is_array(), "{}: model.merges is {}, expected an array", name_, merges.type_name());
    std::vector<MergeRule> rules;
    rules.reserve(merges.size());
    for (size_t i = 0; i < merges.size(); ++i) {
      std::string left, right;
      if (merges[i].is_string()) {
        const auto& both = merges[i].get_ref<const std::string&>();
        const size_t space = both.find(' ');
        SR_CHECK(space != both.npos && both.find(' ', space + 1) == both.npos,
                 "{}: merge {} is '{}', expected two tokens with one space between", name_, i, both);
        left = both.substr(0, space), right = both.substr(space + 1);
      } else {
        SR_CHECK(merges[i].is_array() && merges[i].size() == 2 && merges[i][0].is_string() &&
                     merges[i][1].is_string(),
                 "{}: merge {} is {}, expected two tokens", name_, i, merges[i].type_name());
        left = merges[i][0].get<std::string>(), right = merges[i][1].get<std::string>();
      }
      rules.push_back({merge_part(left, i), merge_part(right, i), merge_part(left + right, i)});
    }
    d_.bpe = Bpe(byte_ids_, rules);
  }

  void read_added_tokens() {
    const Json& list = member(root_, "added_tokens");
    SR_CHECK(list.is_null() || list.is_array(), "{}: added_tokens is {}, expected an array", name_,
             list.type_name());
    std::vector<AddedToken> tokens;
    std::set<std::string> seen;
    for (const Json& row : list) {
      AddedToken t;
      t.content = io::json_string(row, "content", name_);
      SR_CHECK(!t.content.empty(), "{}: added_tokens holds an empty token", name_);
      SR_CHECK(seen.insert(t.content).second, "{}: added_tokens holds '{}' twice", name_, t.content);
      t.id = read_id(member(row, "id"), t.content);
      t.single_word = flag(row, "single_word", false);
      t.lstrip = flag(row, "lstrip", false);
      t.rstrip = flag(row, "rstrip", false);
      t.special = flag(row, "special", false);
      t.normalized = flag(row, "normalized", !t.special);
      add(t);
      tokens.push_back(std::move(t));
    }
    d_.added = AddedTokens(std::move(tokens));
  }

  /// An added token is new, or it is in the vocabulary under the same id; its bytes are its content.
  void add(const AddedToken& t) {
    const auto known = model_ids_.find(t.content);
    if (known != model_ids_.end()) {
      SR_CHECK(known->second == t.id, "{}: token '{}' has id {} in model.vocab and {} in added_tokens", name_,
               t.content, known->second, t.id);
      d_.tokens[t.id] = t.content;
    } else {
      place(t.id, t.content, t.content);
    }
    if (d_.special.size() < d_.tokens.size()) d_.special.resize(d_.tokens.size());
    d_.special[t.id] = t.special;
  }

  std::vector<SplitStage> read_pre_tokenizer(const Json& part) {
    if (part.is_null()) return {};
    const std::string type = type_of(part, "pre_tokenizer");
    std::vector<SplitStage> stages;
    SplitStage stage;
    if (type == "Sequence") {
      const Json& list = member(part, "pretokenizers");
      SR_CHECK(list.is_array(), "{}: the Sequence in pre_tokenizer has no pretokenizers", name_);
      for (const Json& p : list)
        for (SplitStage& s : read_pre_tokenizer(p)) stages.push_back(std::move(s));
      return stages;
    }
    if (type == "ByteLevel") {
      byte_level_ = true;
      stage.kind = SplitStage::kPrefixSpace;
      if (flag(part, "add_prefix_space", true)) stages.push_back(stage);
      stage.kind = SplitStage::kScan, stage.pattern = Pattern::kGpt2;
      if (flag(part, "use_regex", true)) stages.push_back(stage);
      return stages;
    }
    SR_CHECK_AS(kUnsupported, !byte_level_, "{}: pre_tokenizer has {} after ByteLevel; {}", name_, type,
                kFamily);
    if (type == "Digits") {
      stage.kind = flag(part, "individual_digits", false) ? SplitStage::kDigit : SplitStage::kDigits;
      return {stage};
    }
    SR_CHECK_AS(kUnsupported, type == "Split", "{}: pre_tokenizer {} is not supported; {}", name_, type,
                kFamily);
    return {read_split(part)};
  }

  SplitStage read_split(const Json& part) const {
    static const std::pair<const char*, SplitBehavior> kBehaviors[] = {
        {"Isolated", SplitBehavior::kIsolated},
        {"Removed", SplitBehavior::kRemoved},
        {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
        {"MergedWithNext", SplitBehavior::kMergedWithNext},
        {"Contiguous", SplitBehavior::kContiguous}};
    SplitStage stage;
    const Json& pattern = member(part, "pattern");
    stage.invert = flag(part, "invert", false);
    const std::string behavior = io::json_string(part, "behavior", name_);
    const auto* known = std::find_if(std::begin(kBehaviors), std::end(kBehaviors),
                                     [&](const auto& b) { return b.first == behavior; });
    SR_CHECK(known != std::end(kBehaviors), "{}: a Split has the unknown behavior {}", name_, behavior);
    stage.behavior = known->second;
    if (const Json& literal = member(pattern, "String"); literal.is_string()) {
      stage.kind = SplitStage::kLiteral;
      stage.literal = literal.get<std::string>();
      SR_CHECK(!stage.literal.empty(), "{}: a Split has an empty pattern", name_);
      return stage;
    }
    const Json& regex = member(pattern, "Regex");
    SR_CHECK(regex.is_string(), "{}: a Split has no pattern (Regex or String)", name_);
    const auto text = regex.get<std::string>();
    if (const auto scanner = pattern_of_regex(text)) {
      stage.pattern = *scanner;
      // Its matches cover all text, so to remove what lies between them is to isolate them.
      if (stage.behavior == SplitBehavior::kRemoved && stage.invert)
        stage.behavior = SplitBehavior::kIsolated;
      return stage;
    }
    stage.kind = SplitStage::kRegex;
    try {
      stage.regex.emplace_back(text);
    } catch (const Error& e) {
      fail(e.code(), "{}: {}", name_, e.message());
    }
    return stage;
  }

  void read_decoder() const {
    const Json& decoder = member(root_, "decoder");
    if (decoder.is_null()) return;
    const std::string type = type_of(decoder, "decoder");
    SR_CHECK_AS(kUnsupported, type == "ByteLevel", "{}: decoder {} is not supported; {}", name_, type,
                kFamily);
  }

  void read_post_processor(const Json& part) {
    if (part.is_null()) return;
    const std::string type = type_of(part, "post_processor");
    if (type == "ByteLevel") return;
    if (type == "Sequence") {
      for (const Json& p : member(part, "processors")) read_post_processor(p);
      return;
    }
    SR_CHECK_AS(kUnsupported, type == "TemplateProcessing", "{}: post_processor {} is not supported; {}",
                name_, type, kFamily);
    std::vector<uint32_t> before, after;
    bool text_seen = false;
    const Json& single = member(part, "single");
    SR_CHECK(single.is_array(), "{}: TemplateProcessing has no array 'single'", name_);
    for (const Json& item : single) {
      const Json& special = member(item, "SpecialToken");
      if (special.is_null()) {
        SR_CHECK(!member(item, "Sequence").is_null() && !text_seen,
                 "{}: TemplateProcessing.single is not special tokens around one Sequence", name_);
        text_seen = true;
        continue;
      }
      const std::string token = io::json_string(special, "id", name_);
      const Json& ids = member(member(member(part, "special_tokens"), token.c_str()), "ids");
      SR_CHECK(ids.is_array(), "{}: TemplateProcessing names '{}', which its special_tokens do not have",
               name_, token);
      for (const Json& id : ids) (text_seen ? after : before).push_back(read_id(id, token));
    }
    SR_CHECK(text_seen, "{}: TemplateProcessing.single has no Sequence", name_);
    d_.before.insert(d_.before.begin(), before.begin(),
                     before.end());  // the later processor wraps the earlier
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
    for (const AddedToken& t : d_.added.tokens()) d_.ids.emplace(d_.tokens[t.id], t.id);
    for (uint32_t id = 0; id < d_.tokens.size(); ++id)
      if (!d_.tokens[id].empty()) d_.ids.emplace(d_.tokens[id], id);
    if (!ignore_merges_) return;
    for (const auto& [token, id] : model_ids_)
      if (to_bytes(token)) d_.whole_pieces.emplace(d_.tokens[id], id);
  }

  const Json& root_;
  std::string name_;
  TokenizerData d_;
  std::unordered_map<std::string, uint32_t> model_ids_;
  std::array<uint32_t, 256> byte_ids_{};
  size_t most_ids_ = 0;
  bool byte_level_ = false, ignore_merges_ = false;
};

/// A JSON string; characters of other scripts stay as they are.
std::string quoted(const std::string& text) { return Json(text).dump(); }

}  // namespace

TokenizerData parse_tokenizer_json(std::string_view json, const std::string& name) {
  TokenizerData data = Reader(io::parse_json(json, name), name).read();
  data.json = json;
  return data;
}

std::string write_tokenizer_json(const std::vector<std::string>& tokens, size_t specials,
                                 const std::vector<MergeRule>& rules, const std::string& regex) {
  const auto spelled = [&](uint32_t id) {
    return quoted(id < specials ? tokens[id] : to_characters(tokens[id]));
  };
  std::string out =
      "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [";
  for (uint32_t id = 0; id < specials; ++id)
    out += fmt::format(
        "{}\n    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, \"rstrip\": "
        "false, "
        "\"normalized\": false, \"special\": true}}",
        id ? "," : "", id, spelled(id));
  out += fmt::format(
      "\n  ],\n  \"normalizer\": null,\n  \"pre_tokenizer\": {{\"type\": \"Sequence\", \"pretokenizers\": [\n"
      "    {{\"type\": \"Split\", \"pattern\": {{\"Regex\": {}}}, \"behavior\": \"Isolated\", \"invert\": "
      "false}},\n"
      "    {{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": "
      "false}}]}},\n"
      "  \"post_processor\": null,\n"
      "  \"decoder\": {{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
      "\"use_regex\": true}},\n"
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": "
      "false,\n"
      "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {{",
      quoted(regex));
  for (uint32_t id = 0; id < tokens.size(); ++id)
    out += fmt::format("{}\n      {}: {}", id ? "," : "", spelled(id), id);
  out += "\n    },\n    \"merges\": [";
  for (size_t i = 0; i < rules.size(); ++i)
    out += fmt::format("{}\n      [{}, {}]", i ? "," : "", spelled(rules[i].left), spelled(rules[i].right));
  return out + "\n    ]\n  }\n}\n";
}

}  // namespace suiren::text
