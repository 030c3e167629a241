#include "suiren/infer/conversation.h"

#include <nlohmann/json.hpp>

#include "tests/models/support.h"

namespace suiren::infer {
namespace {

using models::contains;
using models::message;

class Conversations : public testing::Test {
 protected:
  Conversations() : folder_("conversation") {
    models::TransformerConfig c = models::small_config();
    c.vocab_size = 300, c.bos_token_id = 0, c.eos_token_ids = {1}, c.max_position_embeddings = 200;
    models::Transformer(c, 1).save(folder_.path());
    for (const auto& file : std::filesystem::directory_iterator("tests/golden/infer/chat"))
      std::filesystem::copy(file, folder_.path());
    model_ = LanguageModel::load(folder_.path());
    options_.generate.max_tokens = 10;
    options_.generate.sampling.temperature = 0.9;
  }
  static bool any(std::string_view) { return true; }
  models::Folder folder_;
  LanguageModel model_;
  ConversationOptions options_;
};

TEST_F(Conversations, AnAnswerIsWhatTheRenderedMessagesGive) {
  Conversation talk(model_, options_);
  talk.set_system("the mat");
  std::string shown;
  talk.say("the cat?", any);
  const Answer a = talk.say("one", [&](std::string_view text) {
    shown += text;
    return true;
  });
  EXPECT_EQ(shown, a.text);
  ASSERT_EQ(talk.messages().size(), 5u);
  nlohmann::ordered_json asked = nlohmann::ordered_json::array();
  for (size_t i = 0; i < 4; ++i)
    asked.push_back({{"role", talk.messages()[i].role}, {"content", talk.messages()[i].content}});
  const auto prompt = model_.encode_rendered(model_.render(asked, true));
  GenerateOptions o = options_.generate;
  o.eos_token_ids = model_.end_tokens;
  EXPECT_EQ(a.generation.ids, generate(*model_.transformer, prompt, o).ids);
  EXPECT_EQ(a.prompt_tokens, static_cast<int64_t>(prompt.size()));
  // Of the second turn only what is new was computed: at most its own message and the last answer.
  EXPECT_LT(a.generation.computed, a.prompt_tokens - 10);
}

TEST_F(Conversations, AnotherAnswerAndANewBeginning) {
  Conversation talk(model_, options_);
  EXPECT_EQ(message([&] { talk.again(any); }), "there is no answer yet");
  const Answer first = talk.say("the hat", any), second = talk.again(any), third = talk.again(any);
  EXPECT_NE(first.generation.ids, second.generation.ids);
  EXPECT_NE(second.generation.ids, third.generation.ids);
  EXPECT_EQ(second.generation.computed, 1);
  EXPECT_EQ(talk.messages().size(), 2u);
  talk.reset();
  EXPECT_TRUE(talk.messages().empty());
  EXPECT_EQ(talk.say("the hat", any).generation.ids, first.generation.ids);
  talk.set_system("a");
  talk.set_system("b");
  talk.reset();
  EXPECT_EQ(talk.messages(), (std::vector<Message>{{"system", "b"}}));
  talk.set_system("");
  EXPECT_TRUE(talk.messages().empty());
}

TEST_F(Conversations, StoppedAnswersCountAsFarAsTheyCame) {
  Conversation talk(model_, options_);
  int pieces = 0;
  const Answer a = talk.say("the rat", [&](std::string_view) { return ++pieces < 3; });
  EXPECT_EQ(a.generation.ids.size(), 3u);
  EXPECT_EQ(a.generation.finish_reason, "stop");
  EXPECT_EQ(talk.messages().back().role, "assistant");
  talk.say("and?", any);
  EXPECT_EQ(talk.messages().size(), 4u);
}

TEST_F(Conversations, BeyondTheContextNothingChanges) {
  options_.context = 60;
  Conversation talk(model_, options_);
  talk.say("one", any);
  const auto before = talk.messages();
  const std::string error = message([&] { talk.say(std::string(300, '#'), any); });
  EXPECT_TRUE(contains(error, "the conversation has 3") && contains(error, "the context is 60")) << error;
  EXPECT_EQ(talk.messages(), before);
  options_.generate.max_tokens = 1000;
  options_.generate.ignore_eos = true;
  Conversation full(model_, options_);
  const Answer a = full.say("one", any);
  EXPECT_EQ(a.prompt_tokens + static_cast<int64_t>(a.generation.ids.size()), 60);
}

TEST_F(Conversations, MessagesAreLinesOfJson) {
  Conversation talk(model_, options_);
  talk.set_system("你\n\"好\"");
  talk.say(std::string("a\xff") + "b", any);
  const std::string lines = talk.to_jsonl();
  EXPECT_EQ(lines.substr(0, lines.find('\n')), R"({"role":"system","content":"你\n\"好\""})");
  size_t count = 0;
  for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1, ++count) {
    const auto j = nlohmann::json::parse(lines.substr(at, lines.find('\n', at) - at));
    EXPECT_EQ(j["role"], talk.messages()[count].role);
    EXPECT_EQ(j["content"], talk.messages()[count].content);
  }
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(talk.messages()[1].content,
            "a\xEF\xBF\xBD"
            "b");
}

}  // namespace
}  // namespace suiren::infer
