#include "suiren/io/npy.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

const std::string kModel = "tests/golden/embedding/bert";

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    out.push_back(json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

TEST_F(Cli, EmbedWritesALineForEachText) {
  const json reference = json::parse(read_file(kModel + "/reference.json"));
  std::string text, records;
  for (const json& t : reference["texts"]) {
    text += t.get<std::string>() + "\r\n";
    records += json{{"title", t}, {"id", 3}}.dump() + "\n\n";
  }
  const std::string out = must({"embed", "--model", kModel, "--input", put("t.txt", text), "--json"});
  const std::vector<json> lines = lines_of(out);
  ASSERT_EQ(lines.size(), reference["texts"].size());
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["index"], i);
    EXPECT_EQ(lines[i]["tokens"], reference["ids"][i].size());
    for (size_t j = 0; j < 32; ++j)
      ASSERT_NEAR(lines[i]["embedding"][j].get<double>(), reference["vectors"][i][j].get<double>(), 2e-6)
          << i;
  }
  EXPECT_EQ(must({"embed", "--model", kModel, "--input", put("t.jsonl", records), "--template", "{title}",
                  "--json"}),
            out);
}

TEST_F(Cli, EmbedWritesAMatrixAndSaysWhatIsCut) {
  const std::string model = "tests/golden/embedding/roberta";  // at most 40 tokens
  const std::string input = put("t.txt", "dog\n\n" + std::string(200, 'x') + " fox\n");
  const Outcome r = run({"embed", "--model", model, "--input", input, "--output", at("v.npy"), "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.err.find("1 of 3 texts is longer than 40 tokens; only their beginning counts"),
            std::string::npos)
      << r.err;
  const json said = json::parse(r.out);
  EXPECT_EQ(said["texts"], 3);
  EXPECT_EQ(said["truncated"], 1);
  const io::Npy matrix = io::Npy::open(at("v.npy"));
  EXPECT_EQ(matrix.shape(), (std::vector<int64_t>{3, 32}));
  const std::vector<json> lines = lines_of(must({"embed", "--model", model, "--input", input, "--json"}));
  const std::vector<double> numbers = matrix.to_doubles();
  for (size_t i = 0; i < numbers.size(); ++i)
    EXPECT_EQ(lines[i / 32]["embedding"][i % 32].get<float>(), static_cast<float>(numbers[i])) << i;
  EXPECT_EQ(lines[2]["truncated"], true);
  EXPECT_EQ(lines[2]["tokens"], 40);
}

TEST_F(Cli, EmbedRefusesByName) {
  const auto refused = [&](const std::string& model, const std::string& input, const std::string& sentence) {
    const Outcome r = run({"embed", "--model", model, "--input", input});
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(r.err.find(sentence), std::string::npos) << r.err;
  };
  const std::string text = put("t.txt", "dog\n");
  refused("tests/golden/families/llama", text, "model_type 'llama' is no encoder");
  refused("model.gguf", text, "model.gguf is a GGUF file");
  refused(kModel, put("empty.txt", ""), "empty.txt holds no text");
  refused(kModel, put("bytes.txt", "dog\n\xff\n"), "bytes.txt, line 2: byte 1 is not UTF-8");
  refused(kModel, put("bad.jsonl", "{\"text\": \"a\"}\n{\"txt\": 1}\n"), "bad.jsonl, line 2");
  refused(kModel, at("none.txt"), "none.txt");
  const Outcome r = run({"embed", "--model", kModel, "--input", text, "--output", at("v.txt")});
  EXPECT_EQ(r.code, 2);
  for (const char* command : {"generate", "chat"}) {
    std::vector<std::string> args{command};
    if (command == std::string("generate")) args.insert(args.end(), {"--prompt", "dog", "--model"});
    args.push_back(kModel);
    const Outcome refusal = run(args);
    EXPECT_EQ(refusal.code, 2);
    EXPECT_NE(refusal.err.find("model_type 'bert' is an encoder, which writes no text; suiren embed"),
              std::string::npos)
        << refusal.err;
  }
}

}  // namespace
}  // namespace suiren::cli_test
