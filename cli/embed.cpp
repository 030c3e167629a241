// suiren embed: texts to vectors.

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/base/interrupt.h"
#include "suiren/base/log.h"
#include "suiren/data/input_stream.h"
#include "suiren/data/record_template.h"
#include "suiren/infer/embedder.h"
#include "suiren/io/json.h"
#include "suiren/io/npy.h"
#include "suiren/io/utf8.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string model, input, record_template = "{text}", output;
};

/// The texts of a file, one after another: its lines, or the records of its lines.
class Texts {
 public:
  explicit Texts(const Args& a)
      : name_(a.input == "-" ? "standard input" : a.input),
        input_(data::InputStream::open(a.input == "-" ? "/dev/stdin" : a.input)),
        lines_(*input_),
        records_(data::without_compression(a.input).ends_with(".jsonl")),
        template_(a.record_template) {}

  /// Each line is a text, an empty one too, so that row i belongs to line i + 1; of records, empty lines are
  /// none. False at the end.
  bool next(std::string& text) {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
      if (line.ends_with('\r')) line.remove_suffix(1);
    } while (records_ && line.find_first_not_of(" \t") == line.npos);
    const size_t bad = io::find_invalid_utf8(line);
    SR_CHECK(bad == line.npos, "{}, line {}: byte {} is not UTF-8; convert the file to it", name_,
             lines_.number(), bad + 1);
    if (records_) {
      const auto record = io::parse_json(line, name_, io::DuplicateKeys::kLastWins, lines_.number());
      template_.render(record, fmt::format("{}, line {}", name_, lines_.number()), text);
    } else {
      text = line;
    }
    return true;
  }

 private:
  std::string name_;
  std::unique_ptr<data::InputStream> input_;
  data::LineReader lines_;
  bool records_;
  data::RecordTemplate template_;
};

struct Totals {
  int64_t texts = 0, tokens = 0, cut = 0;
};

void print_vector(int64_t index, const infer::Embedder::Text& text, std::span<const float> v, bool json) {
  if (!json) return fmt::print("{}\n", fmt::join(v, " "));
  fmt::print("{{\"index\":{},\"tokens\":{},\"truncated\":{},\"embedding\":[{}]}}\n", index, text.ids.size(),
             text.cut > 0, fmt::join(v, ","));
}

// Calls f(first index, texts, vectors) with some hundreds of texts at a time, so that memory stays bounded.
template <class F>
Totals embed_all(const Args& a, const infer::Embedder& model, F&& f) {
  constexpr size_t kTexts = 512;
  constexpr int64_t kTokens = 1 << 16;
  train::ProgressLine line;
  const auto start = std::chrono::steady_clock::now();
  Texts texts(a);
  Totals total;
  std::string text;
  for (bool more = true; more;) {
    std::vector<infer::Embedder::Text> batch;
    int64_t tokens = 0;
    while (batch.size() < kTexts && tokens < kTokens && (more = texts.next(text))) {
      batch.push_back(model.encode(text));
      tokens += static_cast<int64_t>(batch.back().ids.size());
      total.cut += batch.back().cut > 0;
    }
    check_interrupt("suiren embed");
    f(total.texts, batch, model.embed(batch));
    total.texts += static_cast<int64_t>(batch.size());
    total.tokens += tokens;
    if (!line.due()) continue;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    line.show(fmt::format("embedded {} texts, {} tokens/s", train::format_count(total.texts),
                          train::format_count(static_cast<int64_t>(static_cast<double>(total.tokens) /
                                                                   std::max(seconds.count(), 1e-9)))));
  }
  line.finish();
  SR_CHECK(total.texts > 0, "{} holds no text", a.input);
  if (total.cut > 0)
    warn("{} of {} texts {} longer than {} tokens; only their beginning counts", total.cut, total.texts,
         total.cut == 1 ? "is" : "are", model.max_tokens());
  return total;
}

void run(const Args& a, const Globals& g) {
  SR_CHECK(a.output.empty() || a.output.ends_with(".npy"), "--output {}: the name must end in .npy",
           a.output);
  catch_interrupts();
  const infer::Embedder model = infer::Embedder::load(a.model, {.device = Device(g.device)});
  const auto width = static_cast<size_t>(model.dimensions());
  std::vector<float> matrix;
  const Totals total = embed_all(
      a, model,
      [&](int64_t first, std::span<const infer::Embedder::Text> texts, const std::vector<float>& v) {
        if (!a.output.empty()) return void(matrix.insert(matrix.end(), v.begin(), v.end()));
        for (size_t i = 0; i < texts.size(); ++i)
          print_vector(first + static_cast<int64_t>(i), texts[i], std::span(v).subspan(i * width, width),
                       g.json);
      });
  if (a.output.empty()) return;
  const int64_t shape[] = {total.texts, model.dimensions()};
  io::write_npy(a.output, shape, matrix);
  if (g.json)
    fmt::print("{}\n", nlohmann::json{{"output", a.output},
                                      {"texts", total.texts},
                                      {"dimensions", model.dimensions()},
                                      {"tokens", total.tokens},
                                      {"truncated", total.cut}}
                           .dump());
  else
    fmt::print("{}: {} vectors of {} numbers from {} tokens\n", a.output, train::format_count(total.texts),
               model.dimensions(), train::format_count(total.tokens));
}

}  // namespace

void add_embed(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c =
      add_command(app, "embed", "vectors of texts from an encoder (BERT, RoBERTa): near ones mean alike",
                  "  suiren embed --model all-MiniLM-L6-v2 --input lines.txt --json\n"
                  "  suiren embed --model all-MiniLM-L6-v2 --input articles.jsonl --template "
                  "'{title}\\n{body}' --output vectors.npy\n"
                  "  echo 'a fox in the snow' | suiren embed --model all-MiniLM-L6-v2 --input -");
  c->add_option("--model", a.model, "a folder with config.json, tokenizer.json and model.safetensors")
      ->required();
  c->add_option("--input", a.input,
                "a file of texts, one a line, or of records (.jsonl); also .gz and .zst; - is "
                "standard input")
      ->required();
  c->add_option("--template", a.record_template, "the text of a record: fields in braces")
      ->capture_default_str();
  c->add_option("--output", a.output,
                "write float32 [texts, dimensions] as .npy; else a line for each vector");
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
