#include "suiren/infer/conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/infer/text_stream.h"
#include "suiren/io/utf8.h"

namespace suiren::infer {
namespace {

nlohmann::ordered_json as_json(const Message& m) { return {{"role", m.role}, {"content", m.content}}; }

bool opens_with_system(const std::vector<Message>& messages) {
  return !messages.empty() && messages[0].role == "system";
}

}  // namespace

Conversation::Conversation(const LanguageModel& model, ConversationOptions options)
    : model_(model), options_(std::move(options)), generator_(*model.transformer) {
  model.require_tokenizer();
  StopStrings check(options_.stop);
  options_.generate.sampling.validate();
}

void Conversation::set_system(const std::string& text) {
  if (opens_with_system(messages_)) messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), {"system", io::replace_invalid_utf8(text)});
}

void Conversation::reset() {
  messages_.resize(opens_with_system(messages_) ? 1 : 0);
  attempt_ = 0;
}

Answer Conversation::say(const std::string& text, const OnText& on_text) {
  std::vector<Message> asked = messages_;
  asked.push_back({"user", io::replace_invalid_utf8(text)});
  return answer(std::move(asked), 0, on_text);
}

Answer Conversation::again(const OnText& on_text) {
  SR_CHECK(!messages_.empty() && messages_.back().role == "assistant", "there is no answer yet");
  return answer({messages_.begin(), messages_.end() - 1}, attempt_ + 1, on_text);
}

// The answer to `messages`; both are then the conversation.
Answer Conversation::answer(std::vector<Message> messages, uint64_t attempt, const OnText& on_text) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Message& m : messages) json.push_back(as_json(m));
  const std::vector<int64_t> ids = model_.encode_rendered(model_.render(json, true));
  Answer a{.prompt_tokens = static_cast<int64_t>(ids.size())};
  const int64_t positions = model_.transformer->positions();
  const int64_t context = options_.context > 0 ? std::min(options_.context, positions) : positions;
  const int64_t room = context - a.prompt_tokens;
  SR_CHECK(room > 0, "the conversation has {} tokens, and the context is {}: begin anew, or say less",
           a.prompt_tokens, context);
  GenerateOptions options = options_.generate;
  options.max_tokens = std::min(options.max_tokens, room);
  options.sampling.seed += attempt;
  options.eos_token_ids = model_.end_tokens;
  TextStream stream(model_.require_tokenizer(), options_.stop);
  bool wanted = true;
  const auto show = [&](const std::string& more) {
    a.text += more;
    wanted = on_text(more) && wanted;
  };
  a.generation = generator_.run(ids, options, [&](int64_t id) {
    show(stream.push(id));
    return wanted && !stream.stopped();
  });
  show(stream.finish());
  messages.push_back({"assistant", io::replace_invalid_utf8(a.text)});
  messages_ = std::move(messages);
  attempt_ = attempt;
  return a;
}

std::string Conversation::to_jsonl() const {
  std::string lines;
  for (const Message& m : messages_) lines += as_json(m).dump() + "\n";
  return lines;
}

}  // namespace suiren::infer
