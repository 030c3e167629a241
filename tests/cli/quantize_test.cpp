// suiren quantize on a golden model: formats, the report, and a file that generates.

#include "suiren/io/gguf.h"
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
