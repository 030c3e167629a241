// suiren generate and suiren chat on a small random model with the golden chat files.

#include <poll.h>
#include <pty.h>

#include "suiren/models/transformer.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

class Talk : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    make("m", 8);
  }
  void make(const std::string& name, int64_t head_dim) const {
    models::TransformerConfig c;
    c.vocab_size = 300, c.hidden_size = 32, c.intermediate_size = 48, c.num_hidden_layers = 2;
    c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = head_dim,
    c.max_position_embeddings = 256;
    c.initializer_range = 0.3, c.bos_token_id = 0, c.eos_token_ids = {1};
    models::Transformer(c, 1).save(at(name));
    for (const auto& file : fs::directory_iterator("tests/golden/infer/chat")) fs::copy(file, at(name));
  }
  json generate(std::vector<std::string> more) const {
    more.insert(more.begin(), {"generate", "--model", at("m"), "--prompt", "the cat", "--json"});
    return json::parse(must(more));
  }
};

TEST_F(Talk, TheCommandLineGoesBeforeTheModelsSettings) {
  const json by_file = generate({"--seed", "4", "--ignore-eos"});
  EXPECT_EQ(by_file, generate({"--seed", "4", "--ignore-eos", "--temperature", "0.6", "--top-p", "0.95",
                               "--top-k", "20", "--repetition-penalty", "1.05"}));
  EXPECT_NE(by_file["ids"], generate({"--seed", "4", "--ignore-eos", "--temperature", "2"})["ids"]);
  EXPECT_NE(by_file["ids"], generate({"--seed", "5", "--ignore-eos"})["ids"]);
}

TEST_F(Talk, GuessesChangeNothingAndRoundingLittle) {
  const std::vector<std::string> base{"--seed",        "4",  "--ignore-eos", "--max-tokens", "60",
                                      "--temperature", "0.3"};
  const auto with = [&](const std::string& option, const std::string& value) {
    auto all = base;
    all.insert(all.end(), {option, value});
    return generate(all);
  };
  const json plain = generate(base), guessed = with("--speculate", "4");
  EXPECT_EQ(guessed["ids"], plain["ids"]);
  EXPECT_LE(guessed["accepted"], guessed["drafted"]);
  EXPECT_EQ(with("--cache-type", "f32"), plain);
  EXPECT_EQ(with("--cache-type", "f16")["ids"].size(), 60u);
  EXPECT_EQ(run({"generate", "--model", at("m"), "--prompt", "a", "--cache-type", "i8"}).code, 2);
  const Outcome narrow = run({"generate", "--model", at("m"), "--prompt", "a", "--cache-type", "q8_0"});
  EXPECT_EQ(narrow.code, 2);
  EXPECT_NE(narrow.err.find(
                "a q8_0 cache holds blocks of 32 numbers, and a head of this model is 8 wide; take f16"),
            std::string::npos)
      << narrow.err;
}

TEST_F(Talk, KeepsKeysAndValuesInBlocks) {
  make("wide", 32);
  const auto with = [&](const std::string& type, const std::string& threads) {
    return json::parse(must({"generate", "--model", at("wide"), "--prompt", "the cat", "--json", "--seed",
                             "4", "--ignore-eos", "--max-tokens", "60", "--logprobs", "--cache-type", type,
                             "--threads", threads}));
  };
  const json f32 = with("f32", "1"), blocks = with("q8_0", "1");
  EXPECT_EQ(blocks["ids"].size(), 60u);
  EXPECT_NE(blocks["logprobs"], f32["logprobs"]);
  EXPECT_EQ(blocks["logprobs"], with("q8_0", "2")["logprobs"]);
  const auto logits = [&](const std::string& type) {
    must({"eval", "--model", at("wide"), "--ids", "5,9,2,7", "--logits-out", at("l.npy"), "--cache-type",
          type});
    return read_file(at("l.npy"));
  };
  EXPECT_EQ(logits("f32"), logits("f32"));
  EXPECT_NE(logits("q8_0"), logits("f32"));
}

TEST_F(Talk, StopStringsEndTheText) {
  const std::vector<std::string> base{"--seed", "4", "--ignore-eos", "--max-tokens", "40"};
  const json all = generate(base);
  EXPECT_EQ(all["finish_reason"], "length");
  const std::string text = all["text"];
  ASSERT_GT(text.size(), 20u);
  // A stop string that begins and ends inside tokens: three bytes of ASCII, as they stand in the middle.
  size_t middle = text.size() / 2;
  const auto ascii = [&](size_t at) {
    return at + 3 <= text.size() &&
           std::all_of(text.begin() + static_cast<long>(at), text.begin() + static_cast<long>(at + 3),
                       [](char c) { return c > 31 && c < 127; });
  };
  while (middle < text.size() && !ascii(middle)) ++middle;
  ASSERT_LT(middle, text.size());
  const std::string stop = text.substr(middle, 3);
  auto with = base;
  with.insert(with.end(), {"--stop", "never written", "--stop", stop});
  const json cut = generate(with);
  EXPECT_EQ(cut["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(cut["finish_reason"], "stop");
  EXPECT_LT(cut["ids"].size(), all["ids"].size());
  // As a person sees it: whole, and cut.
  const auto shown = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"generate", "--model", at("m"), "--prompt", "the cat"});
    return must(more);
  };
  const std::string whole = shown(base);
  EXPECT_EQ(shown(with), whole.substr(0, whole.find(stop)) + "\n");
}

TEST_F(Talk, LogProbabilitiesAndBias) {
  const json g = generate({"--max-tokens", "8", "--logprobs", "--prompt-logprobs", "--ignore-eos"});
  ASSERT_EQ(g["logprobs"].size(), 8u);
  EXPECT_EQ(g["prompt_logprobs"].size(), 2u);  // of three ids
  for (const json& p : g["logprobs"]) EXPECT_LT(p.get<double>(), 0);
  const json forced = generate({"--max-tokens", "3", "--logit-bias", "65=500", "--logit-bias", "66=400"});
  EXPECT_EQ(forced["ids"], (json{65, 65, 65}));
  const json other = generate({"--max-tokens", "3", "--logit-bias", "65=-inf", "--logit-bias", "66=500"});
  EXPECT_EQ(other["ids"], (json{66, 66, 66}));
}

TEST_F(Talk, GenerateSaysWhatIsWrong) {
  const auto refused = [&](std::vector<std::string> more, const std::string& message) {
    more.insert(more.begin(), {"generate", "--model", at("m")});
    const Outcome o = run(more);
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_NE(o.err.find(message), std::string::npos) << o.err;
    EXPECT_TRUE(o.out.empty()) << o.out;
  };
  refused({"--prompt", "a", "--logprobs"}, "--logprobs and --prompt-logprobs need --json");
  refused({"--prompt", "a", "--logit-bias", "3"}, "'3' is no ID=BIAS");
  refused({"--prompt", "a", "--logit-bias", "x=2"}, "--logit-bias: 'x' is no token id");
  refused({"--prompt", "a", "--logit-bias", "300=2"}, "logit_bias names token 300, but there are 300 logits");
  refused({"--prompt", "a", "--stop", ""}, "a stop string is empty");
  refused({"--prompt", "a", "--min-p", "2"}, "min_p is 2");
  refused({"--prompt", std::string(3000, 'x')}, "tokens, but the model has 256 positions");
  put("m/generation_config.json", R"({"top_k": -3})");
  refused({"--prompt", "a"}, "generation_config.json: top_k is -3");
}

/// suiren chat with `typed` as its standard input.
class Chat : public Talk {
 protected:
  Outcome chat(const std::string& typed, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"chat", at("m"), "--max-tokens", "8", "--ignore-eos", "--temperature", "0.9"});
    const int before = dup(0), input = open(put("typed", typed).c_str(), O_RDONLY);
    dup2(input, 0);
    const Outcome o = run(more);
    dup2(before, 0);
    close(before), close(input);
    return o;
  }
  std::vector<json> saved() const {
    std::vector<json> messages;
    std::ifstream file(at("saved"));
    for (std::string line; std::getline(file, line);) messages.push_back(json::parse(line));
    return messages;
  }
};

TEST_F(Chat, AConversationThroughAPipe) {
  const std::string save = "/save " + at("saved") + "\n";
  const Outcome o = chat("the cat?\nyes\\\nand no\n\"\"\"/a\n\nb\"\"\"\n" + save, {"--system", "the mat"});
  ASSERT_EQ(o.code, 0) << o.err;
  const auto messages = saved();
  ASSERT_EQ(messages.size(), 7u);
  EXPECT_EQ(messages[0], (json{{"role", "system"}, {"content", "the mat"}}));
  EXPECT_EQ(messages[1], (json{{"role", "user"}, {"content", "the cat?"}}));
  EXPECT_EQ(messages[3]["content"], "yes\nand no");
  EXPECT_EQ(messages[5]["content"], "/a\n\nb");
  for (const size_t i : {2, 4, 6}) EXPECT_EQ(messages[i]["role"], "assistant");
  EXPECT_NE(o.err.find("tok/s"), std::string::npos) << o.err;
  // The same again, and nothing but the answers.
  const Outcome quiet = chat("the cat?\n", {"--system", "the mat", "--quiet"});
  EXPECT_TRUE(quiet.err.empty()) << quiet.err;
  EXPECT_TRUE(o.out.starts_with(quiet.out));
  EXPECT_NE(chat("the cat?\n", {"--system", "the mat", "--quiet", "--seed", "1"}).out, quiet.out);
}

TEST_F(Chat, Commands) {
  const std::string save = "/save " + at("saved") + "\n";
  ASSERT_EQ(chat("one\n/regen\n" + save).code, 0);
  const auto regenerated = saved();
  ASSERT_EQ(regenerated.size(), 2u);
  ASSERT_EQ(chat("one\n" + save).code, 0);
  EXPECT_NE(saved()[1], regenerated[1]);
  ASSERT_EQ(chat("one\n/reset\n/system be brief\ntwo\n" + save + "/exit\nnever said\n" + save).code, 0);
  const auto messages = saved();
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0]["content"], "be brief");
  EXPECT_EQ(messages[1]["content"], "two");
  EXPECT_NE(chat("/help\n").out.find("/regen"), std::string::npos);
}

TEST_F(Chat, SaysWhatIsWrong) {
  const auto refused = [&](const std::string& typed, std::vector<std::string> more,
                           const std::string& message) {
    const Outcome o = chat(typed, std::move(more));
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_NE(o.err.find(message), std::string::npos) << o.err;
  };
  refused("/dance\n", {}, "there is no command '/dance'; /help lists them");
  refused("/reset now\n", {}, "/reset takes nothing after it");
  refused("/save\n", {}, "/save needs the name of a file");
  refused("/regen\n", {}, "there is no answer yet");
  refused("one\n", {"--min-p", "7"}, "min_p is 7");
  refused(std::string(200, '#') + "\n", {"--context", "50"}, "and the context is 50");
  refused("one\n", {"--template", put("t.jinja", "{{ raise_exception('no ' + messages[0].role) }}")},
          "no user");
  refused("one\n", {"--template", put("t.jinja", "{% if %}")}, "t.jinja:1:");
  fs::remove(at("m/chat_template.jinja"));
  refused("one\n", {}, "give a Jinja template with --template FILE");
  EXPECT_EQ(chat("one\n", {"--template", put("t.jinja", "{{ messages[0].content }}")}).code, 0);
}

/// suiren chat on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(std::vector<std::string> args) {
    pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ != 0) return;
    setenv("TERM", "xterm", 1);
    args.insert(args.begin(), SUIREN_BINARY);
    std::vector<char*> argv;
    for (auto& a : args) argv.push_back(a.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ~Terminal() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(terminal_);
  }
  void type(const std::string& text) const {
    EXPECT_EQ(write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// Reads until `text` was shown after what the last call waited for.
  void until(const std::string& text) {
    char buffer[4096];
    for (ssize_t n;
         seen_.find(text) == std::string::npos && ready() && (n = read(terminal_, buffer, 4096)) > 0;)
      seen_.append(buffer, static_cast<size_t>(n));
    const size_t at = seen_.find(text);
    ASSERT_NE(at, std::string::npos) << "waited for " << text << ", saw: " << seen_;
    seen_.erase(0, at + text.size());
  }
  /// Waits until anything is shown after what the last call waited for.
  void some() {
    char c = 0;
    if (seen_.empty() && ready() && read(terminal_, &c, 1) == 1) seen_ = c;
    ASSERT_FALSE(seen_.empty());
  }
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  bool ready() const {
    pollfd p{terminal_, POLLIN, 0};
    return poll(&p, 1, 60'000) > 0;
  }
  pid_t pid_;
  int terminal_ = -1;
  std::string seen_;
};

TEST_F(Chat, OnATerminalLinesAreEditedAndCtrlCStopsTheAnswer) {
  // All positions, on and on: an answer of thousands of tokens, unless it is stopped.
  json config = json::parse(read_file(at("m/config.json")));
  config["max_position_embeddings"] = 60000;
  put("m/config.json", config.dump());
  Terminal t({"chat", at("m"), "--ignore-eos"});
  t.until("> ");
  t.type("/dame\x7f\x7fnce\r");  // two characters taken back
  t.until("there is no command '/dance'");
  t.until("> ");
  t.type("half a line\x03");
  t.until("> ");
  t.type("the cat\\\r");
  t.until(". ");
  t.type("sat\r");
  t.until("sat\r\n");
  t.some();  // of the answer
  t.type("\x03");
  t.until("tok/s");
  t.until("> ");
  t.type("/save " + at("saved") + "\r");
  t.until("2 messages");
  t.until("> ");
  t.type("\x1b[A\r");  // the last line again
  t.until("2 messages");
  t.until("> ");
  t.type("\x04");
  EXPECT_EQ(t.wait(), 0);
  ASSERT_EQ(saved().size(), 2u);
  EXPECT_EQ(saved()[0]["content"], "the cat\nsat");
  EXPECT_FALSE(saved()[1]["content"].get<std::string>().empty());
}

}  // namespace
}  // namespace suiren::cli_test
