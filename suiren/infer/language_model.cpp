#include "suiren/infer/language_model.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/models/gguf/gguf_model.h"
#include "suiren/text/gguf_tokenizer.h"

namespace suiren::infer {
namespace {

std::vector<int64_t> wide(const std::vector<uint32_t>& ids) { return {ids.begin(), ids.end()}; }

std::optional<int64_t> special_id(const LanguageModel& m, const char* key) {
  const auto spelled = m.settings.special_tokens.find(key);
  if (!m.tokenizer || spelled == m.settings.special_tokens.end()) return std::nullopt;
  const auto id = m.tokenizer->id_of(spelled->second);
  return id ? std::optional<int64_t>(*id) : std::nullopt;
}

std::vector<int64_t> end_tokens_of(const LanguageModel& m) {
  std::vector<int64_t> ends = m.settings.end_tokens.value_or(m.transformer->config().eos_token_ids);
  const auto eos = special_id(m, "eos_token");
  if (eos && std::find(ends.begin(), ends.end(), *eos) == ends.end()) ends.push_back(*eos);
  return ends;
}

// How a GGUF file spells the special tokens that templates name.
void name_special_tokens(const io::Gguf& file, LanguageModel& m) {
  for (const char* token : {"bos", "eos", "unknown", "padding"})
    if (const std::string key = std::string("tokenizer.ggml.") + token + "_token_id"; file.find(key)) {
      const int64_t id = file.integer(key);
      SR_CHECK(id >= 0 && id < m.tokenizer->vocab_size(), "{}: {} is {}, but there are {} tokens", m.path,
               key, id, m.tokenizer->vocab_size());
      const std::string_view name = token == std::string_view("unknown")   ? "unk"
                                    : token == std::string_view("padding") ? "pad"
                                                                           : token;
      m.settings.special_tokens[std::string(name) + "_token"] =
          m.tokenizer->bytes_of(static_cast<uint32_t>(id));
    }
}

LanguageModel load_gguf(const std::string& path, const nn::Placement& at) {
  const models::GgufModel file = models::GgufModel::open(path);
  LanguageModel m;
  m.path = path;
  // Beside the weights: of a small model the tokenizer takes as long.
  std::future<text::Tokenizer> tokenizer;
  if (text::has_gguf_tokenizer(file.file()))
    tokenizer = std::async(std::launch::async, [&] { return text::tokenizer_from_gguf(file.file()); });
  m.transformer = models::Transformer::from_entries(file.config(), file.entries(), path, at);
  const auto narrow = [](const io::BlockEntry& e) {
    return e.shape.size() > 1 && e.format != quant::BlockFormat::kF32;
  };
  if (std::ranges::any_of(file.entries(), narrow)) m.transformer->set_cache_dtype(kF16);
  if (tokenizer.valid()) {
    m.tokenizer = tokenizer.get();
    name_special_tokens(file.file(), m);
  }
  m.settings.chat_template = file.chat_template();
  m.settings.chat_template_name = path + ": tokenizer.chat_template";
  m.end_tokens = file.end_tokens();
  return m;
}

}  // namespace

LanguageModel LanguageModel::load(const std::string& path, const nn::Placement& at) {
  if (path.ends_with(".gguf")) return load_gguf(path, at);
  LanguageModel m;
  m.path = path;
  m.transformer = models::Transformer::load(path, at);
  if (std::filesystem::exists(path + "/tokenizer.json")) m.tokenizer = text::Tokenizer::load(path);
  m.settings = ModelSettings::load(path);
  m.end_tokens = end_tokens_of(m);
  return m;
}

const text::Tokenizer& LanguageModel::require_tokenizer() const {
  SR_CHECK_AS(kNotFound, tokenizer, "{} has no tokenizer, so it takes ids and no text", path);
  return *tokenizer;
}

std::vector<int64_t> LanguageModel::encode(std::string_view text) const {
  std::vector<int64_t> ids = wide(require_tokenizer().encode(text, true, true));
  auto bos = special_id(*this, "bos_token");
  if (!bos) bos = transformer->config().bos_token_id;
  if (!bos) return ids;
  const auto opens = [&](size_t i) { return i < ids.size() && ids[i] == *bos; };
  if (settings.add_bos && !opens(0)) ids.insert(ids.begin(), *bos);
  if (opens(0) && opens(1)) ids.erase(ids.begin());
  return ids;
}

std::vector<int64_t> LanguageModel::encode_rendered(std::string_view text) const {
  return wide(require_tokenizer().encode(text));
}

std::string LanguageModel::render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                                  const nlohmann::ordered_json& arguments,
                                  const text::RenderOptions& options) const {
  SR_CHECK_AS(kNotFound, !settings.chat_template.empty(), "{} has no chat template", path);
  nlohmann::ordered_json context(settings.special_tokens);
  context["messages"] = messages;
  context["tools"] = nullptr;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  context.update(arguments);
  return text::ChatTemplate::parse(settings.chat_template, settings.chat_template_name)
      .render(context, options);
}

std::string LanguageModel::render(const nlohmann::ordered_json& messages, bool add_generation_prompt) const {
  return render(messages, add_generation_prompt, nlohmann::ordered_json::object());
}

}  // namespace suiren::infer
