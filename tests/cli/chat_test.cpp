// suiren generate and suiren chat on a small random model with the golden chat files.

#include "suiren/models/transformer.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

class Talk : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    models::TransformerConfig c;
    c.vocab_size = 300, c.hidden_size = 32, c.intermediate_size = 48, c.num_hidden_layers = 2;
    c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = 8, c.max_position_embeddings = 256;
    c.initializer_range = 0.3, c.bos_token_id = 0, c.eos_token_ids = {1};
    models::Transformer(c, 1).save(at("m"));
    for (const auto& file : fs::directory_iterator("tests/golden/infer/chat")) fs::copy(file, at("m"));
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

}  // namespace
}  // namespace suiren::cli_test
