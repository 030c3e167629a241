// suiren inspect on golden files.

#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

TEST_F(Cli, InspectSaysWhatAFolderHolds) {
  const std::string folder = "tests/golden/families/llama";
  const json config = json::parse(read_file(folder + "/config.json"));
  const int64_t width = config["num_key_value_heads"].get<int64_t>() * config["head_dim"].get<int64_t>();
  const json j = json::parse(must({"inspect", folder, "--json", "--context", "100"}));
  EXPECT_EQ(j["architecture"], "llama");
  EXPECT_EQ(j["layers"], config["num_hidden_layers"]);
  int64_t elements = 0;
  for (const json& t : j["tensors"]) {
    int64_t n = 1;
    for (const json& extent : t["shape"]) n *= extent.get<int64_t>();
    EXPECT_EQ(t["bytes"], 4 * n) << t["name"];
    elements += n;
  }
  EXPECT_EQ(j["parameters"], elements);
  EXPECT_EQ(j["bytes"], 4 * elements);
  EXPECT_EQ(j["run_bytes"], 4 * elements + 3 * 2 * width * 100 * 2);  // keys and values of 3 layers in f16
  EXPECT_GT(j["train_bytes"], 16 * elements);
}

TEST_F(Cli, InspectFoldsLayersUnlessAllAreAskedFor) {
  const std::string folder = "tests/golden/families/llama";
  const std::string folded = must({"inspect", folder}), all = must({"inspect", folder, "--all"});
  EXPECT_NE(folded.find("model.layers.*.self_attn.q_proj.weight"), std::string::npos) << folded;
  EXPECT_NE(folded.find("3 of them"), std::string::npos) << folded;
  EXPECT_EQ(all.find('*'), std::string::npos) << all;
  EXPECT_NE(all.find("model.layers.2.self_attn.q_proj.weight"), std::string::npos) << all;
}

TEST_F(Cli, InspectReadsGguf) {
  const json j = json::parse(must({"inspect", "tests/golden/io/small.gguf", "--json"}));
  EXPECT_EQ(j["format"], "GGUF v3");
  EXPECT_FALSE(j["tensors"].empty());
}

TEST_F(Cli, InspectRefusesWhatIsNoModel) {
  EXPECT_EQ(run({"inspect", at("nothing")}).err,
            "suiren: " + at("nothing") + ": there is no such file or folder\n");
  const Outcome text = run({"inspect", put("notes.txt", "hello")});
  EXPECT_EQ(text.code, 2);
  EXPECT_NE(text.err.find("expected a .gguf or .safetensors file, or a folder"), std::string::npos)
      << text.err;
  EXPECT_EQ(run({"inspect", put("bad.gguf", "GGUF")}).code, 2);
  EXPECT_EQ(run({"inspect", put("bad.safetensors", "12345678")}).code, 2);
  fs::create_directories(at("empty"));
  EXPECT_NE(run({"inspect", at("empty")}).err.find("holds no .safetensors file"), std::string::npos);
}

}  // namespace
}  // namespace suiren::cli_test
