// suiren convert on golden models: there and back.

#include <cstring>
#include <set>

#include "suiren/io/gguf.h"
#include "tests/cli/cli.h"

namespace suiren::cli_test {
namespace {

const std::string kFamilies = "tests/golden/families/";
const std::string kChat = "tests/golden/infer/chat/";

/// Two files of the same tensors with the same bytes; their headers may differ.
void expect_same_tensors(const std::string& a, const std::string& b) {
  const auto parse = [](const std::string& text) {
    uint64_t size = 0;
    std::memcpy(&size, text.data(), sizeof size);
    json header = json::parse(text.substr(8, size));
    header.erase("__metadata__");
    for (auto& [name, t] : header.items()) {
      const uint64_t begin = t["data_offsets"][0], end = t["data_offsets"][1];
      t["data_offsets"] = sha256(text.substr(8 + size + begin, end - begin));
    }
    return header;
  };
  EXPECT_EQ(parse(read_file(a)), parse(read_file(b)));
}

TEST_F(Cli, ConvertsAFolderToGgufAndBackBitForBit) {
  for (const std::string name : {"llama", "gemma2", "mixtral", "gpt2", "gpt_oss", "deepseek_v3"}) {
    const std::string folder = at(name);
    fs::copy(kFamilies + name, folder);
    fs::copy(kChat + "tokenizer.json", folder);
    fs::copy(kChat + "tokenizer_config.json", folder);
    const json j = json::parse(
        must({"convert", "--input", folder, "--output", at(name + ".gguf"), "--to", "gguf", "--json"}));
    EXPECT_EQ(j["bytes"], fs::file_size(at(name + ".gguf")));
    must({"convert", "--input", at(name + ".gguf"), "--output", at(name + "-back"), "--to", "hf"});
    for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json"})
      EXPECT_EQ(read_file(at(name + "-back/" + file)), read_file(folder + "/" + file))
          << name << ": " << file;
    expect_same_tensors(at(name + "-back/model.safetensors"), folder + "/model.safetensors");
  }
}

TEST_F(Cli, ConvertSaysWhatTokenizerAFileHas) {
  must({"convert", "--input", kFamilies + "llama", "--output", at("bare.gguf"), "--to", "gguf"});
  EXPECT_EQ(io::Gguf::open(at("bare.gguf")).string("tokenizer.ggml.model"),
            "none");  // llama.cpp wants the key
  EXPECT_EQ(json::parse(must({"inspect", at("bare.gguf"), "--json"}))["tokenizer"], "");
  must({"generate", "--model", at("bare.gguf"), "--ids", "1,2", "--max-tokens", "1"});
  must({"convert", "--input", at("bare.gguf"), "--output", at("bare-back"), "--to", "hf"});
  EXPECT_FALSE(fs::exists(at("bare-back/tokenizer.json")));
  // A tokenizer that the fields of GGUF cannot say stands as text alone, and is used.
  fs::copy(kFamilies + "llama", at("words"));
  json tokenizer{{"pre_tokenizer", {{"type", "Whitespace"}}},
                 {"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}}}, {"merges", json::array()}}}};
  for (int id = 2; id < 320; ++id) tokenizer["model"]["vocab"]["t" + std::to_string(id)] = id;
  write_file(at("words/tokenizer.json"), tokenizer.dump());
  must({"convert", "--input", at("words"), "--output", at("words.gguf"), "--to", "gguf"});
  EXPECT_EQ(json::parse(must({"inspect", at("words.gguf"), "--json"}))["tokenizer"], "tokenizer.json");
  const auto ids = [&](std::vector<std::string> prompt) {
    prompt.insert(prompt.begin(), {"generate", "--model", at("words.gguf"), "--max-tokens", "4",
                                   "--temperature", "0", "--no-bos", "--ignore-eos", "--json"});
    return json::parse(must(prompt))["ids"];
  };
  EXPECT_EQ(ids({"--prompt", "a b"}), ids({"--ids", "0,1"}));
}

TEST_F(Cli, ConvertChangesDtypesAndCutsShards) {
  const std::string llama = kFamilies + "llama";
  must({"convert", "--input", llama, "--output", at("h.gguf"), "--to", "gguf", "--dtype", "f16"});
  const io::Gguf half = io::Gguf::open(at("h.gguf"));
  EXPECT_EQ(half.entry("blk.0.ffn_up.weight").format.name(), "f16");
  EXPECT_EQ(half.entry("blk.0.ffn_norm.weight").format.name(), "f32");
  must({"convert", "--input", at("h.gguf"), "--output", at("b"), "--to", "hf", "--dtype", "bf16",
        "--shard-size", "100KB"});
  const json index = json::parse(read_file(at("b/model.safetensors.index.json")));
  std::set<std::string> files;
  for (const auto& [name, file] : index["weight_map"].items()) files.insert(file);
  EXPECT_GT(files.size(), 1U);
  for (const std::string& file : files) EXPECT_LT(fs::file_size(at("b/" + file)), 110000U);
  EXPECT_EQ(json::parse(read_file(at("b/config.json")))["dtype"], "bfloat16");
  EXPECT_EQ(json::parse(must({"inspect", at("b"), "--json"}))["parameters"],
            json::parse(must({"inspect", llama, "--json"}))["parameters"]);
}

TEST_F(Cli, ConvertRefusesBadInputWithASentence) {
  const auto refused = [&](std::vector<std::string> args, const std::string& part) {
    args.insert(args.begin(), "convert");
    const Outcome o = run(args);
    EXPECT_EQ(o.code, 2) << o.err;
    EXPECT_NE(o.err.find(part), o.err.npos) << o.err;
  };
  const std::string llama = kFamilies + "llama", file = "tests/golden/gguf/mixtral.gguf";
  refused({"--input", at("none"), "--output", at("x"), "--to", "hf"}, "there is no such file");
  refused({"--input", llama, "--output", at("x"), "--to", "onnx"}, "--to is 'onnx'; there are gguf and hf");
  refused({"--input", file, "--output", at("x"), "--to", "gguf"}, "is no folder");
  refused({"--input", llama, "--output", at("x"), "--to", "gguf", "--dtype", "f12"}, "--dtype is 'f12'");
  refused({"--input", file, "--output", at("x"), "--to", "hf", "--shard-size", "big"},
          "--shard-size is 'big'");
  refused({"--input", file, "--output", llama, "--to", "hf"}, "is there already");
  EXPECT_FALSE(fs::exists(at("x")));
  EXPECT_FALSE(fs::exists(at(".x.partial")));
}

}  // namespace
}  // namespace suiren::cli_test
