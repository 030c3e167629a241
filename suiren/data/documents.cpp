#include "suiren/data/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "suiren/data/input_stream.h"
#include "suiren/data/record_template.h"
#include "suiren/io/json.h"
#include "suiren/io/utf8.h"

namespace suiren::data {
namespace {

namespace fs = std::filesystem;

enum class Format { kText, kJsonLines, kJson };

Format format_of(std::string_view path) {
  path = without_compression(path);
  return path.ends_with(".jsonl")  ? Format::kJsonLines
         : path.ends_with(".json") ? Format::kJson
                                   : Format::kText;
}

bool is_known(std::string_view path) {
  return format_of(path) != Format::kText || without_compression(path).ends_with(".txt");
}

int64_t size_on_disk(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

std::string_view strip_newlines(std::string_view text) {
  const auto begin = text.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of("\r\n") + 1 - begin);
}

/// Reads all inputs, one file after the other, and hands out documents.
class Importer {
 public:
  Importer(const std::vector<std::string>& files, const ImportOptions& options,
           FunctionRef<void(std::string_view)> emit)
      : options_(options),
        template_(options.json_template.empty() ? "{text}" : options.json_template),
        emit_(emit) {
    for (const std::string& file : files) total_ += size_on_disk(file);
  }

  int64_t documents() const { return documents_; }

  void import(const std::string& path) {
    const int64_t before = documents_;
    path_ = path;
    const auto input = InputStream::open(path);
    switch (format_of(path)) {
      case Format::kText:
        read_text(*input);
        break;
      case Format::kJsonLines:
        read_json_lines(*input);
        break;
      case Format::kJson:
        read_json();
        break;
    }
    if (documents_ == before) warn("{} holds no documents", path);
    done_ += size_on_disk(path);
    report(0);
  }

 private:
  void emit(std::string_view document) {
    if (document.empty()) return;
    ++documents_;
    emit_(document);
  }

  void report(int64_t consumed) const {
    if (options_.progress) options_.progress(done_ + consumed, total_);
  }

  /// The text as it may be used: checked, or mended under --lossy. `offset` and `line` say where it begins.
  std::string_view checked(std::string_view text, int64_t offset, int64_t line) {
    if (const void* nul = std::memchr(text.data(), 0, text.size())) {
      fail(ErrorCode::kInvalid, "{} is binary: a NUL byte stands at offset {} (line {}); text is expected",
           path_, offset + (static_cast<const char*>(nul) - text.data()),
           line + std::count(text.data(), static_cast<const char*>(nul), '\n'));
    }
    if (!options_.lossy) {
      io::check_utf8(text, path_, offset, line);
      return text;
    }
    if (io::find_invalid_utf8(text) == std::string_view::npos) return text;
    mended_ = io::replace_invalid_utf8(text);
    return mended_;
  }

  void read_text(InputStream& input) {
    LineReader lines(input);
    std::string document;
    std::string_view line;
    while (lines.next(line)) {
      line = checked(line, lines.offset(), lines.number());
      if (is_separator(line)) {
        emit(strip_newlines(document));
        document.clear();
        if (lines.number() % 64 == 0) report(input.consumed());
      } else {
        document.append(line).push_back('\n');
      }
    }
    emit(strip_newlines(document));
  }

  bool is_separator(std::string_view line) const {
    if (options_.separator.empty()) return is_blank(line);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line == options_.separator;
  }

  void read_json_lines(InputStream& input) {
    LineReader lines(input);
    std::string_view line;
    while (lines.next(line)) {
      if (is_blank(line)) continue;
      line = checked(line, lines.offset(), lines.number());
      emit_record(io::parse_json(line, path_, io::DuplicateKeys::kLastWins, lines.number()), lines.number(),
                  "line");
      if (lines.number() % 64 == 0) report(input.consumed());
    }
  }

  void read_json() {
    const std::string bytes = read_all(path_);
    if (is_blank(bytes)) return;
    const io::Json json = io::parse_json(checked(bytes, 0, 1), path_, io::DuplicateKeys::kLastWins);
    if (!json.is_array()) return emit_record(json, 1, "record");
    int64_t number = 0;
    for (const io::Json& record : json) emit_record(record, ++number, "record");
  }

  void emit_record(const io::Json& record, int64_t number, const char* unit) {
    template_.render(record, fmt::format("{}, {} {}", path_, unit, number), rendered_);
    emit(rendered_);
  }

  const ImportOptions& options_;
  RecordTemplate template_;
  FunctionRef<void(std::string_view)> emit_;
  std::string path_, mended_, rendered_;
  int64_t documents_ = 0, done_ = 0, total_ = 0;
};

}  // namespace

std::vector<std::string> list_inputs(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const auto status = fs::status(path, error);
    SR_CHECK_AS(kNotFound, status.type() != fs::file_type::not_found,
                "cannot read {}: no such file; check the path", path);
    if (status.type() != fs::file_type::directory) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    std::error_code unreadable;  // a dangling link is no input
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
      if (is_known(at->path().native()) && fs::is_regular_file(at->path(), unreadable))
        found.push_back(at->path());
    }
    SR_CHECK(!error, "cannot read the folder {}: {}", path, error.message());
    SR_CHECK(!found.empty(), "the folder {} holds no .txt, .jsonl or .json files (nor such .gz or .zst)",
             path);
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

void for_each_document(const std::vector<std::string>& paths, const ImportOptions& options,
                       FunctionRef<void(std::string_view)> f) {
  SR_CHECK(!paths.empty(), "no input files are given");
  SR_CHECK(options.separator.find('\n') == std::string::npos, "the document separator must be a single line");
  const auto files = list_inputs(paths);
  Importer importer(files, options, f);
  for (const std::string& file : files) importer.import(file);
  SR_CHECK(importer.documents() > 0, "{} {} no documents: nothing but empty lines; give files with text",
           fmt::format("{}", fmt::join(paths, ", ")), paths.size() == 1 ? "holds" : "hold");
}

}  // namespace suiren::data
