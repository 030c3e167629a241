// The other commands on small inputs of our own, and what each says to bad ones.

#include <cmath>

#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

std::string corpus() {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += "The " + std::to_string(i * i % 97) + " lamps of street " + std::to_string(i) +
            "\nburn low, 灯火 " + std::to_string(i % 7) + " 盏。\n\n";
  return text;
}

class Pipeline : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    put("corpus.txt", corpus());
    must({"tokenizer", "train", "--input", at("corpus.txt"), "--vocab-size", "400", "--output",
          at("tokenizer.json"), "--quiet"});
    must({"data", "build", "--tokenizer", at("tokenizer.json"), "--input", at("corpus.txt"), "--holdout",
          "0.1", "--output", at("data"), "--quiet"});
    put("lm.yaml",
        "output: " + at("lm") +
            "\nmodel: {hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: "
            "1, intermediate_size: 64, "
            "vocab_size: 400, max_position_embeddings: 48, tie_word_embeddings: true}\ndata: {shards: " +
            at("data") +
            "}\nbatch: {sequences: 4}\nsteps: 40\noptimizer: {lr: 1.0e-2}\nschedule: {name: wsd, "
            "warmup_steps: 2, decay_steps: 10}\n"
            "checkpoint: {every: 20}\neval: {every: 10}\n");
  }
};

TEST_F(Pipeline, FromTextToAModelThatContinuesIt) {
  const json trained = json::parse(must({"train", "--config", at("lm.yaml"), "--json", "--quiet"}));
  EXPECT_EQ(trained["steps"], 40);
  EXPECT_LT(trained["heldout_loss"].get<double>(), 4.5);  // ln 400 = 5.99 at the start
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
                           "generation_config.json"})
    EXPECT_TRUE(fs::exists(at(std::string("lm/model/") + name))) << name;
  const std::string report = read_file(at("lm/report.html"));
  EXPECT_NE(report.find("<svg"), std::string::npos);
  EXPECT_EQ(
      report.find("http://") == std::string::npos || report.find("http://www.w3.org") != std::string::npos,
      true);

  const json by_shards =
      json::parse(must({"eval", "--model", at("lm/model"), "--shards", at("data"), "--json", "--quiet"}));
  const json index = json::parse(read_file(at("data/index.json")));
  EXPECT_EQ(by_shards["tokens"], index["holdout"]["tokens"]);
  const double bits = by_shards["loss"].get<double>() * by_shards["tokens"].get<double>() / std::log(2.0) /
                      index["holdout"]["bytes"].get<double>();
  EXPECT_NEAR(by_shards["bits_per_byte"].get<double>(), bits, 1e-9);
  EXPECT_NEAR(by_shards["perplexity"].get<double>(), std::exp(by_shards["loss"].get<double>()), 1e-9);

  const std::vector<std::string> greedy{"generate",     "--model", at("lm/model"),  "--prompt", "The ",
                                        "--max-tokens", "12",      "--temperature", "0",        "--json"};
  const json g = json::parse(must(greedy));
  EXPECT_EQ(json::parse(must(greedy)), g);
  EXPECT_EQ(json::parse(must({"--threads", "1", "generate", "--model", at("lm/model"), "--prompt", "The ",
                              "--max-tokens", "12", "--temperature", "0", "--json"})),
            g);
  std::string ids;
  for (const auto& id : g["ids"]) ids += (ids.empty() ? "" : ",") + std::to_string(id.get<int>());
  ASSERT_FALSE(ids.empty());
  EXPECT_EQ(must({"tokenizer", "decode", "--tokenizer", at("lm/model"), "--ids", ids}),
            g["text"].get<std::string>());
}

TEST_F(Pipeline, TokensAreScoredInWindowsThatDropTheRemainder) {
  must({"train", "--config", at("lm.yaml"), "--quiet"});
  std::vector<uint16_t> tokens(100);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<uint16_t>(i * 37 % 400);
  put("t.u16", std::string(reinterpret_cast<const char*>(tokens.data()), 200));
  const auto score = [&](std::vector<std::string> more) {
    std::vector<std::string> args{"eval",      "--model", at("lm/model"), "--tokens",
                                  at("t.u16"), "--json",  "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    return json::parse(must(args));
  };
  EXPECT_EQ(score({})["tokens"], 96);  // two windows of 48 in 99 targets
  EXPECT_EQ(score({"--sequence-length", "33"})["tokens"], 99);
  EXPECT_EQ(score({"--sequence-length", "25"})["tokens"], 75);  // a fourth window would want a 101st token
  EXPECT_EQ(score({"--sequence-length", "20", "--limit", "2"})["tokens"], 40);
  EXPECT_FALSE(score({}).contains("bits_per_byte"));
  const Outcome small =
      run({"eval", "--model", at("lm/model"), "--tokens", at("t.u16"), "--sequence-length", "49"});
  EXPECT_EQ(small.code, 2) << "longer than the model's positions";
}

TEST_F(Pipeline, BadInputIsNamedAndLeavesNothingBehind) {
  must({"train", "--config", at("lm.yaml"), "--quiet"});
  put("empty.txt", "");
  put("binary.txt", std::string("ab\0cd", 5));
  put("latin1.txt", "good line\n\nna\xefve\n");
  put("short.u16", std::string("\1\0\2\0", 4));
  put("big.u16", std::string(400, '\xff'));
  must({"tokenizer", "train", "--input", at("corpus.txt"), "--vocab-size", "300", "--output",
        at("other.json"), "--quiet"});
  fs::copy(at("lm/model"), at("lm2"), fs::copy_options::recursive);
  fs::copy_file(at("other.json"), at("lm2/tokenizer.json"), fs::copy_options::overwrite_existing);
  const std::string model = at("lm/model"), t = at("tokenizer.json");
  const struct {
    std::vector<std::string> args;
    int code;
    std::string message;
  } cases[] = {
      {{"tokenizer", "train", "--input", at("missing.txt"), "--vocab-size", "400", "--output", at("x.json")},
       2,
       "missing.txt"},
      {{"tokenizer", "train", "--input", at("empty.txt"), "--vocab-size", "400", "--output", at("x.json")},
       2,
       "empty.txt"},
      {{"tokenizer", "train", "--input", at("binary.txt"), "--vocab-size", "400", "--output", at("x.json")},
       2,
       "binary.txt"},
      {{"tokenizer", "train", "--input", at("latin1.txt"), "--vocab-size", "400", "--output", at("x.json")},
       2,
       "--lossy"},
      {{"tokenizer", "train", "--input", at("corpus.txt"), "--vocab-size", "256", "--output", at("x.json")},
       2,
       "256"},
      {{"tokenizer", "train", "--input", at("corpus.txt"), "--vocab-size", "400", "--pattern", "(",
        "--output", at("x.json")},
       2,
       "("},
      {{"tokenizer", "encode", "--tokenizer", t}, 2, "--input"},
      {{"tokenizer", "decode", "--tokenizer", t, "--ids", "1,x"}, 2, "'x'"},
      {{"tokenizer", "decode", "--tokenizer", t, "--ids", "99999"}, 2, "99999"},
      {{"data", "build", "--tokenizer", at("corpus.txt"), "--input", at("corpus.txt"), "--output", at("x")},
       2,
       "corpus.txt"},
      {{"data", "build", "--tokenizer", t, "--input", at("corpus.txt"), "--holdout", "2", "--output",
        at("x")},
       2,
       "2"},
      {{"eval", "--model", at("nowhere"), "--tokens", at("short.u16")}, 2, "nowhere"},
      {{"eval", "--model", model, "--tokens", at("short.u16")}, 2, "2 tokens"},
      {{"eval", "--model", model, "--tokens", at("big.u16")}, 2, "65535"},
      {{"eval", "--model", model}, 2, "--text"},
      {{"eval", "--model", at("lm2"), "--shards", at("data")}, 2, "another tokenizer"},
      {{"generate", "--model", model}, 2, "--prompt"},
      {{"generate", "--model", model, "--ids", "4000"}, 2, "4000"},
      {{"generate", "--model", model, "--ids", "1,2", "--temperature", "-1"}, 2, "temperature"},
      {{"generate", "--model", model, "--prompt", std::string(2000, 'x')}, 2, "48"},
      {{"train", "--config", at("lm.yaml"), "--set", "model.num_attention_heads=3", "--set",
        "output=" + at("x")},
       2,
       "num_attention_heads"},
      {{"train", "--config", at("lm.yaml"), "--set", "data.sequence_length=64", "--set", "output=" + at("x")},
       2,
       "48 positions"},
      {{"train", "--config", at("lm.yaml"), "--set", "batch.sequences=100000", "--set", "output=" + at("x")},
       2,
       "100000"},
      {{"train", "--config", at("lm.yaml"), "--set", "model.vocab_size=300", "--set", "output=" + at("x")},
       2,
       "400"},
      {{"train", "--config", at("lm.yaml"), "--set", "model.hidden_siz=32", "--set", "output=" + at("x")},
       2,
       "hidden_size"},
      {{"train", "--config", at("absent.yaml")}, 2, "absent.yaml"},
      {{"train", "--config", at("lm.yaml"), "--device", "tpu", "--set", "output=" + at("x")}, 2, "tpu"},
      {{"doctor", "--threads", "0"}, 2, "--threads"},
      {{"dance"}, 2, "dance"},
      {{}, 2, "subcommand"},
  };
  for (const auto& c : cases) {
    const Outcome o = run(c.args);
    std::string command;
    for (const auto& a : c.args) command += a.substr(0, 60) + " ";
    EXPECT_EQ(o.code, c.code) << command << "\n" << o.err;
    EXPECT_NE(o.err.find(c.message), std::string::npos) << command << "\n" << o.err;
    EXPECT_TRUE(o.out.empty()) << command << o.out;
    EXPECT_FALSE(fs::exists(at("x.json"))) << command;
    EXPECT_FALSE(fs::exists(at("x/run.json")) || fs::exists(at("x/index.json"))) << command;
  }
}

TEST_F(Cli, GlobalFlagsStandBeforeOrAfter) {
  EXPECT_EQ(json::parse(must({"--json", "ops"})), json::parse(must({"ops", "--json"})));
  EXPECT_EQ(must({"--version"}).substr(0, 7), "suiren ");
  for (const char* command : {"doctor", "ops", "tokenizer", "data", "train", "eval", "generate", "compare",
                              "conform", "quickstart", "bench", "inspect", "chat"})
    EXPECT_NE(must({command, "--help"}).find("Usage: "), std::string::npos) << command;
}

TEST_F(Cli, QuickstartOnTheUsersOwnText) {
  put("notes.txt", corpus());
  const Outcome o = run({"quickstart", "--minutes", "0.05", "--text", at("notes.txt"), "--output", at("q"),
                         "--prompt", "The 4"});
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_NE(o.out.find("The 4"), std::string::npos);
  for (const char* name : {"q/model/model.safetensors", "q/report.html", "q/config.yaml", "q/log.jsonl",
                           "q/tokenizer.json", "q/data/index.json"})
    EXPECT_TRUE(fs::exists(at(name))) << name;
  EXPECT_NE(o.err.find("bits per byte"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("next"), std::string::npos);
  const Outcome again =
      run({"quickstart", "--minutes", "0.05", "--text", at("notes.txt"), "--output", at("q")});
  EXPECT_EQ(again.code, 2) << again.err;
}

}  // namespace
}  // namespace suiren::cli_test
