// suiren tokenizer train | encode | decode

#include <cstdio>

#include "cli/command.h"
#include "suiren/base/file.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/data/documents.h"
#include "suiren/data/tokens.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/text/tokenizer.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

struct TrainArgs {
  std::vector<std::string> input;
  text::BpeOptions bpe;
  data::ImportOptions import;
  std::string output;
};

void train_tokenizer(TrainArgs& a) {
  catch_interrupts();
  train::ProgressLine progress;
  a.bpe.progress = [&](std::string_view stage, int64_t done, int64_t total) {
    check_interrupt("the training of the tokenizer");
    if (progress.due())
      progress.show(
          fmt::format("tokenizer  {} {}/{}", stage, train::format_count(done), train::format_count(total)));
  };
  a.import.progress = [&](int64_t done, int64_t total) {
    check_interrupt("the training of the tokenizer");
    if (progress.due())
      progress.show(fmt::format("tokenizer  read {} of {}", train::format_bytes(static_cast<double>(done)),
                                train::format_bytes(static_cast<double>(total))));
  };
  text::BpeTrainer trainer(a.bpe);
  data::for_each_document(a.input, a.import, [&](std::string_view d) { trainer.add_document(d); });
  const auto bytes = static_cast<double>(trainer.bytes());
  const text::Tokenizer t = trainer.train();
  t.save(a.output);
  progress.finish(fmt::format("tokenizer  {} tokens from {} in {}", train::format_count(t.vocab_size()),
                              train::format_bytes(bytes), a.output));
  if (t.vocab_size() < a.bpe.vocab_size)
    warn("the text has no more pairs: {} tokens instead of the {} asked for", t.vocab_size(),
         a.bpe.vocab_size);
}

struct EncodeArgs {
  std::string tokenizer, input, text, output;
  bool add_special = false, has_text = false;
};

template <class Id>
void write_ids(const std::string& path, const std::vector<uint32_t>& ids) {
  const std::vector<Id> narrow(ids.begin(), ids.end());
  FileWriter w(path);
  w.write(narrow.data(), narrow.size() * sizeof(Id));
  w.commit();
}

void encode(const EncodeArgs& a) {
  SR_CHECK(a.input.empty() != !a.has_text, "give either --input FILE or --text S");
  const text::Tokenizer t = text::Tokenizer::load(a.tokenizer);
  const std::vector<uint32_t> ids = t.encode(a.has_text ? a.text : read_file(a.input), true, a.add_special);
  if (a.output.empty()) {
    std::string line;
    for (uint32_t id : ids) line += (line.empty() ? "" : " ") + std::to_string(id);
    std::puts(line.c_str());
  } else if (a.output.ends_with(".u16")) {
    SR_CHECK(t.vocab_size() <= 65536, "{}: ids of a vocabulary of {} need 32 bits; name the output .u32",
             a.output, t.vocab_size());
    write_ids<uint16_t>(a.output, ids);
  } else {
    SR_CHECK(a.output.ends_with(".u32"), "--output {}: the name must end in .u16 or .u32", a.output);
    write_ids<uint32_t>(a.output, ids);
  }
}

void decode(const std::string& tokenizer, const std::string& ids) {
  const text::Tokenizer t = text::Tokenizer::load(tokenizer);
  std::vector<uint32_t> list;
  for (int64_t id : parse_ids(ids)) list.push_back(static_cast<uint32_t>(id));
  const std::string bytes = t.decode(list);
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

}  // namespace

void add_tokenizer(CLI::App& app, Globals& g) {
  CLI::App* c = add_command(app, "tokenizer", "train a byte-level BPE tokenizer; encode and decode text", "");
  c->require_subcommand(1);

  static TrainArgs t;
  CLI::App* train =
      add_command(*c, "train", "learn merges from text (ids equal Hugging Face's BpeTrainer)",
                  "  suiren tokenizer train --input corpus.txt --vocab-size 8192 --output tokenizer.json\n"
                  "  suiren tokenizer train --input poems/ --template "
                  "'{title|rhythmic}\\n{author}\\n{paragraphs}' --vocab-size 8192 --output t.json");
  train->add_option("--input", t.input, "files and folders: .txt .jsonl .json, also .zst and .gz")
      ->required();
  train->add_option("--vocab-size", t.bpe.vocab_size, "specials, 256 bytes and merges together")->required();
  train->add_option("--pattern", t.bpe.pattern, "gpt2, cl100k, qwen2, o200k, or a regular expression")
      ->capture_default_str();
  train->add_option("--special", t.bpe.specials,
                    "special tokens; they take the first ids (default <|endoftext|>)");
  add_import_options(*train, t.import);
  train->add_option("--output", t.output, "the tokenizer.json to write")->required();
  train->callback([&g] { g.run = [] { train_tokenizer(t); }; });

  static EncodeArgs e;
  CLI::App* enc =
      add_command(*c, "encode", "text to ids; without --output they go to stdout",
                  "  suiren tokenizer encode --tokenizer tokenizer.json --text '床前明月光'\n"
                  "  suiren tokenizer encode --tokenizer tokenizer.json --input book.txt --output book.u16");
  enc->add_option("--tokenizer", e.tokenizer, "a tokenizer.json, or a folder that holds one")->required();
  enc->add_option("--input", e.input, "a file, taken as one text");
  CLI::Option* text = enc->add_option("--text", e.text, "the text itself");
  enc->add_option("--output", e.output, "a .u16 or .u32 file");
  enc->add_flag("--add-special", e.add_special, "add what the tokenizer's post-processor adds (BOS, EOS)");
  enc->callback([&g, text] {
    e.has_text = text->count() > 0;
    g.run = [] { encode(e); };
  });

  static std::string tokenizer, ids;
  CLI::App* dec = add_command(*c, "decode", "ids to text, exactly the bytes",
                              "  suiren tokenizer decode --tokenizer tokenizer.json --ids 1,2,3");
  dec->add_option("--tokenizer", tokenizer, "a tokenizer.json, or a folder that holds one")->required();
  dec->add_option("--ids", ids, "numbers with commas")->required();
  dec->callback([&g] { g.run = [] { decode(tokenizer, ids); }; });
}

}  // namespace suiren::cli
