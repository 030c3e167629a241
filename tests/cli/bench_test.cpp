// suiren bench: what it prints, what it compares with, what it says to bad input. No speed is judged here.

#include "suiren/models/transformer.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

class Bench : public Cli {
 protected:
  std::vector<std::string> with(std::vector<std::string> more) const {
    more.insert(more.begin(), {"bench", "--seconds", "0.02", "--quiet"});
    return more;
  }
  json report(std::vector<std::string> more) const {
    more.push_back("--json");
    return json::parse(must(with(more)));
  }
  /// A program in the peer's place that answers every question with one line.
  std::string peer(const std::string& answer) const {
    return put("peer",
               "#!/bin/sh\necho '{\"peer\": \"stub 1.0\"}'\nwhile read -r line; do echo \"$line\" >> " +
                   at("asked") + "; echo '" + answer + "'; done\n");
  }
};

TEST_F(Bench, JsonHasAllThatAFigureIsComparedWith) {
  fs::create_directories(at("none"));
  const json j = report({"gemm", "--figure", "4096x256x768", "--threads", "2", "--results", at("none")});
  for (const char* key : {"what", "version", "date", "cpu", "isa", "threads", "notes", "figures"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["threads"], 2);
  ASSERT_EQ(j["figures"].size(), 3u);
  EXPECT_EQ(j["figures"][0]["name"], "linear 4096x256x768 y");
  for (const json& f : j["figures"]) {
    EXPECT_EQ(f["group"], "gemm");
    EXPECT_EQ(f["unit"], "GFLOP/s");
    const double value = f["value"], roof = f["roof"], before = f["roof_before"], after = f["roof_after"];
    EXPECT_GT(value, 0);
    EXPECT_EQ(roof, std::max(before, after));
    EXPECT_NEAR(f["share"].get<double>(), value / roof, 1e-9 * value / roof);
    EXPECT_EQ(f["steady"].get<bool>(), std::abs(after / before - 1) <= 0.05);
    EXPECT_FALSE(f.contains("peer") || f.contains("last"));
  }
}

TEST_F(Bench, InferenceNamesWhatTheCacheHolds) {
  models::TransformerConfig c;
  c.vocab_size = 97, c.hidden_size = 32, c.intermediate_size = 48, c.num_hidden_layers = 1;
  c.num_attention_heads = 2, c.num_key_value_heads = 1, c.head_dim = 32, c.max_position_embeddings = 512;
  models::Transformer(c, 1).save(at("m"));
  const auto names = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"inference", "--model", at("m")});
    const json j = report(more);
    std::vector<std::string> list;
    for (const json& f : j["figures"]) list.push_back(f["name"]);
    return list;
  };
  EXPECT_EQ(names({}), (std::vector<std::string>{"prefill 512", "decode after 16"}));
  EXPECT_EQ(names({"--cache-type", "q8_0"}),
            (std::vector<std::string>{"prefill 512, q8_0 cache", "decode after 16, q8_0 cache"}));
}

TEST_F(Bench, BesideTheLatestCommittedResultOfThisCpu) {
  json j = report({"gemm", "--figure", "matmul 1024", "--threads", "1"});
  fs::create_directories(at("results"));
  j["date"] = "2020-02-02 10:00";
  j["figures"][0]["value"] = 1000;
  put("results/a.json", j.dump());
  j["date"] = "2020-02-02 12:00";
  j["figures"][0]["value"] = 2000;
  put("results/b.json", j.dump());
  j["date"] = "2021-01-01 00:00";
  j["cpu"] = "another";
  put("results/c.json", j.dump());
  put("results/d.json", "[1, 2]");
  put("results/e.json", "");
  const std::vector<std::string> again{"gemm", "--figure",  "matmul 1024", "--threads",
                                       "1",    "--results", at("results")};
  const json last = report(again)["figures"][0]["last"];
  EXPECT_EQ(last["value"], 2000);
  EXPECT_EQ(last["date"], "2020-02-02 12:00");
  const std::string table = must(with(again));
  EXPECT_NE(table.find("2000"), std::string::npos) << table;
  EXPECT_NE(table.find("%"), std::string::npos);
}

TEST_F(Bench, ThePeerTakesTurnsAndTheRatioIsOurs) {
  const std::string python = peer(R"({"seconds": 0.5, "mode": "eager"})");
  fs::permissions(python, fs::perms::owner_all);
  const json j = report({"gemm", "--figure", "matmul 1024", "--peer", python});
  EXPECT_EQ(j["peer"], "stub 1.0");
  const json& f = j["figures"][0];
  EXPECT_NEAR(f["peer"]["value"].get<double>(), 2 * 1.024 * 1.024 * 1.024 / 0.5, 1e-9);
  EXPECT_EQ(f["peer"]["mode"], "eager");
  EXPECT_NEAR(f["peer"]["ratio"].get<double>() * f["peer"]["value"].get<double>(), f["value"].get<double>(),
              1e-6);
  std::ifstream asked(at("asked"));
  int turns = 0;
  for (std::string line; std::getline(asked, line); ++turns) {
    const json q = json::parse(line);
    EXPECT_EQ(q["kind"], "matmul");
    EXPECT_EQ(q["n"], 1024);
    EXPECT_EQ(q["seconds"], 0.01) << "half the time in each of two turns";
  }
  EXPECT_TRUE(turns == 2 || turns == 4 || turns == 6) << turns << ": twice in each of at most three runs";
}

TEST_F(Bench, WhatThePeerCannotDoIsANote) {
  const std::string python = peer(R"({"error": "no such thing"})");
  fs::permissions(python, fs::perms::owner_all);
  const json j = report({"gemm", "--figure", "256x4096x768 y", "--peer", python});
  EXPECT_FALSE(j["figures"][0].contains("peer"));
  EXPECT_NE(j["notes"].dump().find("no such thing"), std::string::npos);
}

TEST_F(Bench, EncodesTheTextGiven) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "lamp " + std::to_string(i * i) + " burns\n\n";
  const json j = report({"tokenizer", "--text", put("street.txt", text)});
  ASSERT_EQ(j["figures"].size(), 2u);
  EXPECT_EQ(j["figures"][0]["name"], "encode street.txt");
  EXPECT_EQ(j["figures"][1]["name"], "bpe street.txt");
  for (const json& f : j["figures"]) {
    EXPECT_GT(f["value"].get<double>(), 0);
    EXPECT_FALSE(f.contains("share")) << "it has no roof";
  }
}

TEST_F(Bench, TrainsAndMeasuresItsMemory) {
  const json j = report({"train", "--size", "small"});
  ASSERT_EQ(j["figures"].size(), 1u);
  EXPECT_EQ(j["figures"][0]["unit"], "tokens/s");
  EXPECT_GT(j["figures"][0]["memory_bytes"].get<int64_t>(), 1850000 * 16)
      << "weights, gradients, two moments";
}

TEST_F(Bench, BadInputIsNamed) {
  const std::string dead = put("dead", "#!/bin/sh\nexit 3\n");
  fs::permissions(dead, fs::perms::owner_all);
  const struct {
    std::vector<std::string> args;
    const char* says;
  } cases[] = {{{"bench", "speed"}, "speed"},
               {{"bench", "gemm", "--seconds", "0"}, "--seconds is 0"},
               {{"bench", "--size", "huge"}, "huge"},
               {{"bench", "gemm", "--figure", "matmul 7"}, "matmul 1024"},
               {{"bench", "gemm", "--results", at("none")}, "there is no such folder"},
               {{"bench", "gemm", "--peer", at("none")}, "cannot start"},
               {{"bench", "gemm", "--peer", dead}, "ended without an answer"},
               {{"bench", "tokenizer", "--text", at("none")}, "none"}};
  for (const auto& c : cases) {
    const Outcome o = run(c.args);
    EXPECT_EQ(o.code, 2) << c.says;
    EXPECT_NE(o.err.find(c.says), std::string::npos) << c.says << " in: " << o.err;
  }
}

}  // namespace
}  // namespace suiren::cli_test
