#include "suiren/text/tokenizer.h"
#include "suiren/io/utf8.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/bench/figures.h"
#include "suiren/data/documents.h"
#include "suiren/text/bpe_trainer.h"
#include "suiren/train/corpus.h"
#include "suiren/train/progress.h"

namespace suiren::bench {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMostBytes = 8 << 20, kTrainBytes = 2 << 20;
constexpr int64_t kVocabulary = 8192;

// The text up to `bytes` at most, without a character that is cut.
std::string_view head(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (text[bytes] & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

// A text, the tokenizer learned from its beginning, and both as files for the peer; gone with the object.
class Corpus {
 public:
  Corpus(std::string name, std::string_view text)
      : name_(std::move(name)),
        text_(head(text, kMostBytes)),
        folder_(fs::temp_directory_path() / fmt::format("suiren-bench-{}-{}", getpid(), name_)) {}
  ~Corpus() {
    std::error_code none;
    fs::remove_all(folder_, none);
  }
  Corpus(const Corpus&) = delete;
  Corpus& operator=(const Corpus&) = delete;

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  std::string file(const char* name) const { return folder_ + "/" + name; }
  std::string_view beginning() const { return head(text_, kTrainBytes); }  ///< what merges are learned from
  text::Tokenizer learn() const {
    text::BpeTrainer trainer({.vocab_size = kVocabulary});
    trainer.add_document(beginning());
    return trainer.train();
  }
  const text::Tokenizer& tokenizer() {
    if (!tokenizer_) {
      tokenizer_ = learn();
      make_directories(folder_);
      tokenizer_->save(file("tokenizer.json"));
      write_file(file("text.txt"), text_);
      write_file(file("beginning.txt"), beginning());
    }
    return *tokenizer_;
  }

 private:
  std::string name_, text_, folder_;
  std::optional<text::Tokenizer> tokenizer_;
};

std::string documents(const std::vector<std::string>& paths, const data::ImportOptions& import) {
  std::string text;
  for (const std::string& path : paths) {
    if (text.size() >= kMostBytes) break;
    data::for_each_document({path}, import, [&](std::string_view d) { text.append(d).append("\n\n"); });
  }
  return text;
}

// The texts of licences: the one English prose that lies on every Debian.
std::string licences() {
  std::vector<std::string> files;
  std::error_code absent;
  for (const auto& f : fs::directory_iterator("/usr/share/common-licenses", absent))
    if (f.is_regular_file() && !f.is_symlink()) files.push_back(f.path());
  std::sort(files.begin(), files.end());
  return files.empty() ? "" : documents(files, {.lossy = true});
}

// The poems that quickstart fetched, or Debian's; none are fetched now.
std::string poems() {
  std::error_code none;
  if (fs::exists(train::cache_directory() + "/chinese-poetry-2.0.1", none)) {
    const train::Corpus c = train::fetch_poems();
    return documents(c.inputs, c.import);
  }
  return fs::exists("/usr/share/games/fortunes/tang300", none)
             ? documents({"/usr/share/games/fortunes/tang300"}, {.separator = "%"})
             : "";
}

// Words of `symbols`, where the n-th word comes up about 1/n as often as the first (Zipf).
std::string made_up(const std::vector<std::string>& symbols, int word_length, const char* between) {
  const auto draw = [](uint64_t stream, uint64_t i) { return philox_uniform(1, stream, i); };
  std::string text;
  for (uint64_t i = 0; text.size() < kTrainBytes; ++i) {
    const auto word = static_cast<uint64_t>(std::pow(20000.0, draw(1, i)));
    const int length = 1 + static_cast<int>(draw(2, word) * word_length);
    for (int j = 0; j < length; ++j)
      text += symbols[static_cast<size_t>(draw(3, 16 * word + static_cast<uint64_t>(j)) *
                                          static_cast<double>(symbols.size()))];
    text += i % 12 == 11 ? "\n" : between;
  }
  return text;
}
std::string made_up_english() {
  std::vector<std::string> letters;
  for (char c = 'a'; c <= 'z'; ++c) letters.emplace_back(1, c);
  return made_up(letters, 9, " ");
}
std::string made_up_chinese() {
  std::vector<std::string> characters;
  for (uint32_t c = 0x4e00; c < 0x4e00 + 3000; ++c) io::append_utf8(characters.emplace_back(), c);
  return made_up(characters, 3, "");
}

using Corpora = std::vector<std::shared_ptr<Corpus>>;

Corpora offline(std::vector<std::string>& notes) {
  Corpora list;
  const auto add = [&](const char* name, std::string text, const char* source, const auto& otherwise) {
    if (text.size() < 100000) text = otherwise(), source = "made-up words of Zipf's law";
    list.push_back(std::make_shared<Corpus>(name, std::move(text)));
    notes.push_back(fmt::format("text {}: {} of {}; --text FILE takes another", name,
                                train::format_bytes(static_cast<double>(list.back()->text().size())),
                                source));
  };
  add("english", licences(), "the licences in /usr/share/common-licenses", made_up_english);
  add("chinese", poems(), "Chinese poems", made_up_chinese);
  return list;
}

std::string digest(const std::vector<uint32_t>& ids) {
  return sha256({reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]});
}

Figure learning(const std::shared_ptr<Corpus>& c) {
  return {.group = "tokenizer",
          .name = "bpe " + c->name(),
          .unit = "MB/s",
          .work = 1e-6 * static_cast<double>(c->beginning().size()),
          .make =
              [c] {
                c->tokenizer();  // for the peer, which compares the merges
                return [c] { c->learn(); };
              },
          .peer = std::make_shared<io::Json>(io::Json{{"kind", "bpe"},
                                                      {"vocabulary", kVocabulary},
                                                      {"tokenizer", c->file("tokenizer.json")},
                                                      {"text", c->file("beginning.txt")}}),
          .check = [](const io::Json& answer) -> std::string {
            return answer.value("same", false) ? "" : "the peer learned other merges";
          }};
}

Figure encoding(const std::shared_ptr<Corpus>& c) {
  return {.group = "tokenizer",
          .name = "encode " + c->name(),
          .unit = "MB/s",
          .work = 1e-6 * static_cast<double>(c->text().size()),
          .make =
              [c] {
                const text::Tokenizer t = c->tokenizer();
                return [c, t] { t.encode(c->text(), false); };
              },
          .peer = std::make_shared<io::Json>(io::Json{
              {"kind", "encode"}, {"tokenizer", c->file("tokenizer.json")}, {"text", c->file("text.txt")}}),
          .check = [c](const io::Json& answer) -> std::string {
            if (answer.value("digest", "") == digest(c->tokenizer().encode(c->text(), false))) return "";
            return "the peer's ids are not the same";
          }};
}

}  // namespace

std::vector<Figure> tokenizer_figures(const std::vector<std::string>& text, std::vector<std::string>& notes) {
  Corpora corpora;
  for (const std::string& path : text)
    corpora.push_back(std::make_shared<Corpus>(fs::path(path).filename(), documents({path}, {})));
  if (text.empty()) corpora = offline(notes);
  std::vector<Figure> list;
  for (const auto& c : corpora) list.push_back(encoding(c)), list.push_back(learning(c));
  return list;
}

}  // namespace suiren::bench
