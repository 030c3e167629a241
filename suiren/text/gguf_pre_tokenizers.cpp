#include "suiren/text/gguf_pre_tokenizers.h"

#include <algorithm>

#include "suiren/text/scanner.h"

namespace suiren::text {

namespace {

const std::vector<GgufPreTokenizer>& rows() {
  static const std::string_view kGpt2 = pattern_regex(Pattern::kGpt2);
  static const std::string_view kCl100k = pattern_regex(Pattern::kCl100k);
  static const std::string_view kQwen2 = pattern_regex(Pattern::kQwen2);
  static const std::string_view kO200k = pattern_regex(Pattern::kO200k);
  static const std::string_view kHanAndKana = "[一-龥぀-ゟ゠-ヿ]+";
  static const std::vector<GgufPreTokenizer> table = {
      {{"gpt-2", "phi-2", "olmo", "mpt", "jais", "gigachat", "roberta-bpe", "jina-es", "jina-de",
        "jina-v2-es", "jina-v2-de", "trillion"},
       {kGpt2}},
      {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
       {kCl100k},
       true,
       true},
      {{"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, {kCl100k}},
      {{"qwen2", "deepseek-r1-qwen"}, {kQwen2}, false, false, true},
      {{"stablelm2", "megrez", "hunyuan", "solar-open", "grok-2"}, {kQwen2}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       {R"(\p{N})", kGpt2}},
      {{"gpt-4o", "llama4", "kanana2"}, {kO200k}},
      {{"qwen35"},
       {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"
        R"(\s*[\r\n]+|\s+(?!\S)|\s+)"}},
      {{"tekken"},
       {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
        R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
        R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
       true,
       true},
      {{"falcon"}, {R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, "[0-9][0-9][0-9]"}},
      {{"deepseek-llm"},
       {"[\\r\\n]",
        // clang-format off
        "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷ"
        "ᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄ"
        "Ⰰ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
        // clang-format on
        "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", "[一-龥ࠀ-一가-퟿]+", R"(\p{N}+)"}},
      {{"deepseek-coder"},
       {"[\\r\\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N})"}},
      {{"deepseek-v3", "hunyuan-dense"},
       {R"(\p{N}{1,3})", kHanAndKana,
        R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
        R"( ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}},
      {{"seed-coder"},
       {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|)"
        R"(\s+(?!\S)|\s+)"}},
  };
  return table;
}

}  // namespace

const GgufPreTokenizer* gguf_pre_tokenizer(std::string_view name) {
  for (const GgufPreTokenizer& row : rows())
    if (std::ranges::find(row.names, name) != row.names.end()) return &row;
  return nullptr;
}

const GgufPreTokenizer* gguf_pre_tokenizer_of(const std::vector<std::string>& patterns, bool ignore_merges) {
  const auto same = [](std::string_view a, std::string_view b) {
    const auto known = pattern_of_regex(a);
    return a == b || (known && known == pattern_of_regex(b));
  };
  for (const GgufPreTokenizer& row : rows())
    if (row.ignore_merges == ignore_merges && std::ranges::equal(row.patterns, patterns, same)) return &row;
  return nullptr;
}

std::string gguf_pre_tokenizer_names() {
  std::string out;
  for (const GgufPreTokenizer& row : rows())
    for (const std::string_view name : row.names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

}  // namespace suiren::text
