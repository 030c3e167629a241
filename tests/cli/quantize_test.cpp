// suiren quantize on a golden model: formats, the report, and a file that generates.

#include "suiren/io/gguf.h"
#include "suiren/models/transformer.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

const std::string kLlama = "tests/golden/families/llama";

TEST_F(Cli, QuantizesAFolderWithTheFormatsOfAMixture) {
  const json j = json::parse(
      must({"quantize", "--input", kLlama, "--output", at("q.gguf"), "--type", "q4_k_m", "--json"}));
  const io::Gguf file = io::Gguf::open(at("q.gguf"));
  // Rows of 64 are no whole blocks of 256: each format gives way to blocks of 32.
  EXPECT_EQ(file.entry("blk.0.attn_q.weight").format.name(), "q5_0");
  EXPECT_EQ(file.entry("output.weight").format.name(), "q8_0");
  EXPECT_EQ(file.entry("blk.0.attn_norm.weight").format.name(), "f32");
  EXPECT_EQ(file.integer("general.file_type"), 15);
  EXPECT_FALSE(j["fallbacks"].empty());
  EXPECT_EQ(j["bytes"], fs::file_size(at("q.gguf")));
  // 5 bits of a random weight: an error of about 1 / 32 of the largest of 32, over the root of 12 and of
  // them.
  EXPECT_GT(j["formats"]["q5_0"]["relative_error"], 0.02);
  EXPECT_LT(j["formats"]["q5_0"]["relative_error"], 0.06);
  EXPECT_LT(j["formats"]["q8_0"]["relative_error"], 0.008);
}

TEST_F(Cli, QuantizedFilesGenerateAndAreQuantizedAgain) {
  must({"quantize", "--input", kLlama, "--output", at("a.gguf"), "--type", "q8_0"});
  const json j = json::parse(must({"generate", "--model", at("a.gguf"), "--ids", "1,5,9", "--max-tokens", "4",
                                   "--temperature", "0", "--json"}));
  EXPECT_EQ(j["ids"].size(), 4U);
  must({"quantize", "--input", at("a.gguf"), "--output", at("b.gguf"), "--type", "q8_0"});
  EXPECT_EQ(read_file(at("a.gguf")), read_file(at("b.gguf")));  // nothing to do is done to no bit
}

TEST_F(Cli, QuantizesByWhatATextShowsOrAFileSays) {
  models::TransformerConfig c;
  c.vocab_size = 300, c.hidden_size = 32, c.intermediate_size = 64, c.num_hidden_layers = 2;
  c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = 8, c.max_position_embeddings = 64;
  c.initializer_range = 0.3;
  models::Transformer(c, 1).save(at("m"));
  for (const auto& file : fs::directory_iterator("tests/golden/infer/chat")) fs::copy(file, at("m"));
  std::string text;
  for (int i = 0; i < 60; ++i) text += "the cat sat on mat " + std::to_string(i) + "\n";
  put("text.txt", text);
  const auto guided = [&](const std::string& output, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"quantize", "--input", at("m"), "--type", "q4_0", "--json", "--output", at(output)});
    return json::parse(must(more))["tensors_with_importance"].get<int>();
  };
  EXPECT_EQ(guided("plain.gguf", {}), 0);
  EXPECT_EQ(guided("text.gguf", {"--calibrate", at("text.txt"), "--imatrix-out", at("kept.gguf")}), 2 * 7);
  EXPECT_EQ(guided("file.gguf", {"--imatrix", at("kept.gguf")}), 2 * 7);
  EXPECT_EQ(read_file(at("text.gguf")), read_file(at("file.gguf")));
  EXPECT_NE(read_file(at("text.gguf")), read_file(at("plain.gguf")));
  const Outcome other =
      run({"quantize", "--input", kLlama, "--output", at("x.gguf"), "--imatrix", at("kept.gguf")});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("it is another model's"), std::string::npos) << other.err;
  EXPECT_FALSE(fs::exists(at("x.gguf")));
}

TEST_F(Cli, QuantizeRefusesBadInputAndLeavesNothing) {
  const auto refused = [&](const std::vector<std::string>& args, const std::string& sentence) {
    const Outcome r = run(args);
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(r.err.find(sentence), std::string::npos) << r.err;
    EXPECT_FALSE(fs::exists(at("x.gguf")));
  };
  refused({"quantize", "--input", kLlama, "--output", at("x.gguf"), "--type", "q9"}, "there are q4_k_m");
  refused({"quantize", "--input", at("none"), "--output", at("x.gguf")}, "there is no such file or folder");
}

}  // namespace
}  // namespace suiren::cli_test
