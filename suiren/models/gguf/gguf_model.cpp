#include "suiren/models/gguf/gguf_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/models/gguf/gguf_config.h"
#include "suiren/models/gguf/rearrange.h"

namespace suiren::models {

namespace {

/// Tokens with these names end a turn, whatever the keys say.
constexpr std::string_view kEnds[] = {"<|eot_id|>",    "<|eom_id|>",      "<|im_end|>", "<end_of_turn>",
                                      "<|endoftext|>", "<|end_of_text|>", "<|return|>", "<|call|>",
                                      "<|user|>",      "<|observation|>"};
constexpr int64_t kControl = 3;

std::vector<int64_t> find_ends(const io::Gguf& file) {
  std::set<int64_t> out;
  for (const char* role : {"eos", "eot", "eom"})
    if (const std::string key = fmt::format("tokenizer.ggml.{}_token_id", role); file.find(key))
      out.insert(file.integer(key));
  if (!file.find("tokenizer.ggml.tokens") || !file.find("tokenizer.ggml.token_type"))
    return {out.begin(), out.end()};
  const std::vector<std::string_view> tokens = file.strings("tokenizer.ggml.tokens");
  const std::vector<int64_t> types = file.integers("tokenizer.ggml.token_type");
  const auto by_channel = std::ranges::find(tokens, "<|call|>") != tokens.end();
  for (size_t id = 0; id < std::min(tokens.size(), types.size()); ++id) {
    if (types[id] != kControl) continue;
    // Where calls have an end of their own, <|end|> closes one message of several.
    if (std::ranges::find(kEnds, tokens[id]) != std::end(kEnds) || (tokens[id] == "<|end|>" && !by_channel))
      out.insert(static_cast<int64_t>(id));
  }
  return {out.begin(), out.end()};
}

}  // namespace

GgufModel::GgufModel(io::Gguf file) : file_(std::move(file)) {
  config_ = TransformerConfig::from_json(gguf_config_json(file_), file_.path());
  if (file_.find("tokenizer.chat_template")) chat_template_ = file_.string("tokenizer.chat_template");
  end_tokens_ = find_ends(file_);
  entries_ = rearrange_gguf(file_, config_);
}

}  // namespace suiren::models
