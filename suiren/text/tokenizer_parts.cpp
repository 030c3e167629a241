#include "suiren/text/tokenizer_parts.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"

namespace suiren::text {

namespace {

using io::Json;

[[noreturn]] void refuse(const char* what, const std::string& type, const std::string& name) {
  fail(ErrorCode::kUnsupported, "{}: {} {} is not supported", name, what, type);
}

/// The parts of a Sequence, or nothing when `part` is none.
const Json* sequence(const Json& part, const std::string& type, const char* list, const std::string& name) {
  if (type != "Sequence") return nullptr;
  const Json& parts = part_member(part, list);
  SR_CHECK(parts.is_array(), "{}: a Sequence has no {}", name, list);
  return &parts;
}

/// {"String": ...} or {"Regex": ...}, not empty.
struct TextPattern {
  std::string literal;
  std::vector<Regex> regex;
};

TextPattern read_pattern(const Json& part, const char* what, const std::string& name) {
  const Json& pattern = part_member(part, "pattern");
  if (const Json& literal = part_member(pattern, "String"); literal.is_string()) {
    SR_CHECK(literal != "", "{}: a {} has an empty pattern", name, what);
    return {literal.get<std::string>(), {}};
  }
  const Json& regex = part_member(pattern, "Regex");
  SR_CHECK(regex.is_string(), "{}: a {} has no pattern (Regex or String)", name, what);
  TextPattern out;
  try {
    out.regex.emplace_back(regex.get<std::string>());
  } catch (const Error& e) {
    fail(e.code(), "{}: {}", name, e.message());
  }
  return out;
}

uint64_t read_count(const Json& part, const char* key, const std::string& name) {
  const int64_t n = io::json_int(part, key, name);
  SR_CHECK(n >= 0, "{}: {} is {}, expected a number >= 0", name, key, n);
  return static_cast<uint64_t>(n);
}

std::string read_replacement(const Json& part, const std::string& name) {
  const std::string replacement = io::json_string(part, "replacement", name);
  SR_CHECK(!replacement.empty(), "{}: a Metaspace has an empty replacement", name);
  SR_CHECK(replacement.size() <= 4, "{}: a Metaspace has the replacement '{}', expected one character", name,
           replacement);
  return replacement;
}

SplitStage::Prefix read_prefix(const Json& part, const std::string& name) {
  const Json& scheme = part_member(part, "prepend_scheme");
  if (scheme.is_null())
    return part_flag(part, "add_prefix_space", true, name) ? SplitStage::kAlways : SplitStage::kNever;
  if (scheme == "always") return SplitStage::kAlways;
  if (scheme == "first") return SplitStage::kFirst;
  SR_CHECK(scheme == "never", "{}: a Metaspace has the unknown prepend_scheme {}", name, scheme.dump());
  return SplitStage::kNever;
}

SplitBehavior read_behavior(const Json& part, const char* what, const std::string& name) {
  static const std::pair<const char*, SplitBehavior> kBehaviors[] = {
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous}};
  const std::string behavior = io::json_string(part, "behavior", name);
  const auto* known = std::find_if(std::begin(kBehaviors), std::end(kBehaviors),
                                   [&](const auto& b) { return b.first == behavior; });
  SR_CHECK(known != std::end(kBehaviors), "{}: a {} has the unknown behavior {}", name, what, behavior);
  return known->second;
}

SplitStage read_split(const Json& part, const std::string& name) {
  SplitStage stage;
  stage.invert = part_flag(part, "invert", false, name);
  stage.behavior = read_behavior(part, "Split", name);
  const Json& regex = part_member(part_member(part, "pattern"), "Regex");
  if (const auto scanner = regex.is_string() ? pattern_of_regex(regex.get<std::string>()) : std::nullopt) {
    stage.pattern = *scanner;
    // Its matches cover all text, so to remove what lies between them is to isolate them.
    if (stage.behavior == SplitBehavior::kRemoved && stage.invert) stage.behavior = SplitBehavior::kIsolated;
    return stage;
  }
  TextPattern pattern = read_pattern(part, "Split", name);
  stage.kind = pattern.regex.empty() ? SplitStage::kLiteral : SplitStage::kRegex;
  stage.literal = std::move(pattern.literal);
  stage.regex = std::move(pattern.regex);
  return stage;
}

SplitStage stage_of(SplitStage::Kind kind, SplitBehavior behavior = SplitBehavior::kIsolated) {
  SplitStage stage;
  stage.kind = kind;
  stage.behavior = behavior;
  return stage;
}

std::vector<SplitStage> read_metaspace(const Json& part, const std::string& name) {
  SplitStage spaces = stage_of(SplitStage::kMetaspace),
             cut = stage_of(SplitStage::kLiteral, SplitBehavior::kMergedWithNext);
  spaces.literal = cut.literal = read_replacement(part, name);
  spaces.prefix = read_prefix(part, name);
  if (!part_flag(part, "split", true, name)) return {spaces};
  return {spaces, cut};
}

std::vector<SplitStage> read_byte_level(const Json& part, const std::string& name) {
  std::vector<SplitStage> stages;
  if (part_flag(part, "add_prefix_space", true, name)) stages.push_back(stage_of(SplitStage::kPrefixSpace));
  if (part_flag(part, "use_regex", true, name)) {
    stages.push_back(stage_of(SplitStage::kScan));
    stages.back().pattern = Pattern::kGpt2;
  }
  stages.push_back(stage_of(SplitStage::kCharacters));
  return stages;
}

NormalizerStep sets(uint8_t removed, uint8_t spaces = 0, uint8_t apart = 0) {
  NormalizerStep step;
  step.kind = NormalizerStep::kSets;
  step.removed = removed, step.spaces = spaces, step.apart = apart;
  return step;
}

NormalizerStep form(NormalForm f) {
  NormalizerStep step;
  step.form = f;
  return step;
}

NormalizerStep lowercase() {
  NormalizerStep step;
  step.kind = NormalizerStep::kLowercase;
  return step;
}

std::vector<NormalizerStep> read_bert(const Json& part, const std::string& name) {
  std::vector<NormalizerStep> steps;
  const bool lower = part_flag(part, "lowercase", true, name);
  if (part_flag(part, "clean_text", true, name)) steps.push_back(sets(kBertControl, kBertSpace));
  if (part_flag(part, "handle_chinese_chars", true, name)) steps.push_back(sets(0, 0, kChineseCharacter));
  if (part_flag(part, "strip_accents", lower, name)) {
    steps.push_back(form(NormalForm::kNfd));
    steps.push_back(sets(kNonspacingMark));
  }
  if (lower) steps.push_back(lowercase());
  return steps;
}

DecoderStep decoder_step(DecoderStep::Kind kind, std::string literal = "") {
  DecoderStep step;
  step.kind = kind;
  step.literal = std::move(literal);
  return step;
}

std::vector<DecoderStep> read_decoder_steps(const Json& part, const std::string& type,
                                            const std::string& name) {
  if (type == "ByteLevel") return {decoder_step(DecoderStep::kBytes)};
  if (type == "ByteFallback") return {decoder_step(DecoderStep::kByteFallback)};
  if (type == "Replace") {
    TextPattern pattern = read_pattern(part, "Replace", name);
    DecoderStep step = decoder_step(DecoderStep::kReplace, std::move(pattern.literal));
    step.regex = std::move(pattern.regex);
    step.content = io::json_string(part, "content", name);
    return {step};
  }
  if (type == "Metaspace") {
    DecoderStep step = decoder_step(DecoderStep::kMetaspace, read_replacement(part, name));
    step.drops_first = read_prefix(part, name) != SplitStage::kNever;
    return {step};
  }
  if (type == "WordPiece") {
    std::vector<DecoderStep> steps{
        decoder_step(DecoderStep::kWordPiece, io::json_string(part, "prefix", name))};
    if (part_flag(part, "cleanup", true, name)) steps.push_back(decoder_step(DecoderStep::kCleanUp));
    return steps;
  }
  if (type == "Strip") {
    DecoderStep step = decoder_step(DecoderStep::kStrip, io::json_string(part, "content", name));
    SR_CHECK(!step.literal.empty(), "{}: a Strip has an empty content", name);
    step.start = read_count(part, "start", name), step.stop = read_count(part, "stop", name);
    return {step};
  }
  if (type != "BPEDecoder") refuse("decoder", type, name);
  DecoderStep step = decoder_step(DecoderStep::kSuffix, io::json_string(part, "suffix", name));
  SR_CHECK(!step.literal.empty(), "{}: a BPEDecoder has an empty suffix", name);
  return {step};
}

void add_decoder(const Json& part, const std::string& name, DecoderParts& out) {
  const std::string type = part_type(part, "decoder", name);
  if (const Json* parts = sequence(part, type, "decoders", name)) {
    for (const Json& p : *parts) add_decoder(p, name, out);
    return;
  }
  if (type == "Fuse") {
    out.fused = true;
    return;
  }
  SR_CHECK_AS(kUnsupported, !out.fused || (type == "Strip" && out.whole.empty()),
              "{}: decoder {} after {} is not supported", name, type, out.whole.empty() ? "Fuse" : "Strip");
  for (DecoderStep& step : read_decoder_steps(part, type, name))
    (out.fused ? out.whole : out.steps).push_back(std::move(step));
}

}  // namespace

const Json& part_member(const Json& object, const char* key) {
  static const Json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? null : *found;
}

std::string part_type(const Json& part, const char* what, const std::string& name) {
  const Json& type = part_member(part, "type");
  SR_CHECK(type.is_string(), "{}: {} has no type", name, what);
  return type.get<std::string>();
}

bool part_flag(const Json& part, const char* key, bool otherwise, const std::string& name) {
  const Json& value = part_member(part, key);
  SR_CHECK(value.is_null() || value.is_boolean(), "{}: {} is {}, expected true or false", name, key,
           value.dump());
  return value.is_null() ? otherwise : value.get<bool>();
}

std::vector<NormalizerStep> read_normalizer(const Json& part, const std::string& name) {
  if (part.is_null()) return {};
  const std::string type = part_type(part, "normalizer", name);
  std::vector<NormalizerStep> steps;
  if (const Json* parts = sequence(part, type, "normalizers", name)) {
    for (const Json& p : *parts)
      for (NormalizerStep& s : read_normalizer(p, name)) steps.push_back(std::move(s));
    return steps;
  }
  if (type == "NFC") return {form(NormalForm::kNfc)};
  if (type == "NFD") return {form(NormalForm::kNfd)};
  if (type == "NFKC") return {form(NormalForm::kNfkc)};
  if (type == "NFKD") return {form(NormalForm::kNfkd)};
  if (type == "Lowercase") return {lowercase()};
  if (type == "StripAccents") return {sets(kAccent)};
  if (type == "Nmt") return {sets(kNmtControl, kNmtSpace)};
  if (type == "BertNormalizer") return read_bert(part, name);
  NormalizerStep step;
  if (type == "Prepend") {
    step.kind = NormalizerStep::kPrepend;
    step.content = io::json_string(part, "prepend", name);
  } else if (type == "Replace") {
    TextPattern pattern = read_pattern(part, "Replace", name);
    step.kind = NormalizerStep::kReplace;
    step.literal = std::move(pattern.literal), step.regex = std::move(pattern.regex);
    step.content = io::json_string(part, "content", name);
  } else if (type == "Strip") {
    step.kind = NormalizerStep::kStrip;
    step.left = part_flag(part, "strip_left", true, name);
    step.right = part_flag(part, "strip_right", true, name);
  } else {
    refuse("normalizer", type, name);
  }
  return {step};
}

std::vector<SplitStage> read_pre_tokenizer(const Json& part, const std::string& name) {
  if (part.is_null()) return {};
  const std::string type = part_type(part, "pre_tokenizer", name);
  std::vector<SplitStage> stages;
  if (const Json* parts = sequence(part, type, "pretokenizers", name)) {
    for (const Json& p : *parts)
      for (SplitStage& s : read_pre_tokenizer(p, name)) stages.push_back(std::move(s));
    // Each would double the bytes of what is not ASCII.
    const auto levels = std::count_if(stages.begin(), stages.end(),
                                      [](const SplitStage& s) { return s.kind == SplitStage::kCharacters; });
    SR_CHECK_AS(kUnsupported, levels <= 1, "{}: pre_tokenizer has ByteLevel {} times; once is supported",
                name, levels);
    return stages;
  }
  using Kind = SplitStage::Kind;
  if (type == "ByteLevel") return read_byte_level(part, name);
  if (type == "Split") return {read_split(part, name)};
  if (type == "Metaspace") return read_metaspace(part, name);
  if (type == "Digits")
    return {stage_of(part_flag(part, "individual_digits", false, name) ? Kind::kDigit : Kind::kDigits)};
  if (type == "WhitespaceSplit") return {stage_of(Kind::kSpaces, SplitBehavior::kRemoved)};
  if (type == "Whitespace") {
    stages = {stage_of(Kind::kWords, SplitBehavior::kRemoved)};
    stages[0].invert = true;
    return stages;
  }
  if (type == "BertPreTokenizer")
    return {stage_of(Kind::kSpaces, SplitBehavior::kRemoved), stage_of(Kind::kPunctuation)};
  if (type == "Punctuation")
    return {stage_of(Kind::kPunctuation, part_member(part, "behavior").is_null()
                                             ? SplitBehavior::kIsolated
                                             : read_behavior(part, "Punctuation", name))};
  if (type != "CharDelimiterSplit") refuse("pre_tokenizer", type, name);
  SplitStage stage = stage_of(Kind::kLiteral, SplitBehavior::kRemoved);
  stage.literal = io::json_string(part, "delimiter", name);
  SR_CHECK(!stage.literal.empty(), "{}: a CharDelimiterSplit has an empty delimiter", name);
  return {stage};
}

DecoderParts read_decoder(const Json& part, const std::string& name) {
  DecoderParts out;
  if (!part.is_null()) add_decoder(part, name, out);
  return out;
}

}  // namespace suiren::text
