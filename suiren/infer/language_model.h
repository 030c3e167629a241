#pragma once
// A model of text with all that belongs to its use: transformer, tokenizer, chat template, end tokens,
// sampling defaults. Safe to read from several threads.

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/infer/model_settings.h"
#include "suiren/models/transformer.h"
#include "suiren/text/chat_template.h"
#include "suiren/text/tokenizer.h"

namespace suiren::infer {

struct LanguageModel {
  std::string path;
  std::unique_ptr<models::Transformer> transformer;
  std::optional<text::Tokenizer> tokenizer;
  ModelSettings settings;  ///< settings.sampling: the defaults of this model
  /// Any of these ends a text: generation_config.json's, or config.json's where that names none, and the
  /// tokenizer's eos_token.
  std::vector<int64_t> end_tokens;

  /// From a folder as Hugging Face lays it out, or a GGUF file (NAME.gguf, of several the first), whose
  /// matrices stay in their block formats, with keys and values in f16 unless all of its matrices are f32.
  /// Tokenizer and chat template may be absent; the template is not parsed before it is used.
  static LanguageModel load(const std::string& path, const nn::Placement& at = {});

  /// The tokenizer, or Error{kNotFound} that says what lacks it.
  const text::Tokenizer& require_tokenizer() const;
  /// The ids of a text that opens a sequence: what the tokenizer adds before it (BOS, where its
  /// post-processor or tokenizer_config.json says so), once even if the text begins with it.
  std::vector<int64_t> encode(std::string_view text) const;
  /// The ids of a text that is complete as it stands, as a chat template writes it.
  std::vector<int64_t> encode_rendered(std::string_view text) const;
  /// The text of a conversation: an array of {"role", "content"}, in the order of its keys. `arguments` are
  /// what else the template reads ("tools", "enable_thinking" ...). Error{kNotFound} without a template, and
  /// what ChatTemplate throws.
  std::string render(const nlohmann::ordered_json& messages, bool add_generation_prompt,
                     const nlohmann::ordered_json& arguments, const text::RenderOptions& options = {}) const;
  std::string render(const nlohmann::ordered_json& messages, bool add_generation_prompt) const;
};

}  // namespace suiren::infer
