#pragma once
// A conversation with a chat model: messages in, answers out, on one KV cache. One thread at a time.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "suiren/infer/generate.h"
#include "suiren/infer/language_model.h"

namespace suiren::infer {

struct Message {
  std::string role;  ///< "system", "user" or "assistant"
  std::string content;
  bool operator==(const Message&) const = default;
};

struct ConversationOptions {
  GenerateOptions generate;       ///< max_tokens: of one answer
  std::vector<std::string> stop;  ///< an answer ends before any of these
  int64_t context = 0;            ///< tokens of all messages at most; 0: the model's positions
};

struct Answer {
  std::string text;
  Generation generation;
  int64_t prompt_tokens = 0;  ///< of the conversation up to the answer
};

/// Called with each piece of an answer that may be shown; false stops it.
using OnText = std::function<bool(std::string_view text)>;

class Conversation {
 public:
  /// `model` must outlive it, and have a tokenizer and a chat template.
  Conversation(const LanguageModel& model, ConversationOptions options);

  /// What the model is told before all else; "" for nothing. The messages stay.
  void set_system(const std::string& text);
  /// Forgets all messages but the system's.
  void reset();
  /// The answer to a message. Only what the rendered conversation does not share with the one before is
  /// computed. A stopped answer counts as far as it came. When it throws, the conversation is as it was:
  /// Error{kInvalid} from the template, or when the context is exceeded, stating both lengths.
  Answer say(const std::string& text, const OnText& on_text);
  /// Another answer in place of the last one: attempt n draws with the seed + n. Error{kInvalid} when there
  /// is none.
  Answer again(const OnText& on_text);

  const std::vector<Message>& messages() const { return messages_; }
  /// A message a line: {"role": ..., "content": ...}.
  std::string to_jsonl() const;

 private:
  Answer answer(std::vector<Message> messages, uint64_t attempt, const OnText& on_text);
  const LanguageModel& model_;
  ConversationOptions options_;
  Generator generator_;
  std::vector<Message> messages_;
  uint64_t attempt_ = 0;
};

}  // namespace suiren::infer
