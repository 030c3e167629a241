#include "suiren/data/shards.h"

#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/reader.h"

namespace suiren::data {

namespace fs = std::filesystem;

/// Checks index.json against itself and against the files beside it.
class IndexReader {
 public:
  IndexReader(const std::string& folder, bool verify)
      : folder_(folder), path_(folder + "/index.json"), verify_(verify) {}

  Shards read() {
    SR_CHECK_AS(kNotFound, fs::is_directory(folder_), "{} is no folder; shards are made by suiren data build",
                folder_);
    SR_CHECK_AS(
        kNotFound, fs::exists(path_),
        "{} has no index.json: it holds no shards, or a build that did not finish; run suiren data build",
        folder_);
    const io::Json index = io::read_json(path_);
    SR_CHECK(io::json_string(index, "format", path_) == "suiren-shards", "{} does not describe suiren shards",
             path_);
    const int64_t version = io::json_int(index, "version", path_);
    SR_CHECK(version == 1, "{} has version {}, this suiren reads 1; build the shards again", path_, version);

    Shards shards;
    shards.folder_ = folder_;
    const std::string dtype = io::json_string(index, "dtype", path_);
    SR_CHECK(dtype == "u16" || dtype == "u32", "{}: dtype is '{}', expected u16 or u32", path_, dtype);
    width_ = dtype == "u16" ? 2 : 4;
    shards.vocab_size_ = io::json_int(index, "vocab_size", path_);
    SR_CHECK(shards.vocab_size_ > 0 && shards.vocab_size_ <= (width_ == 2 ? 65536 : INT32_MAX),
             "{}: vocab_size {} does not fit {}", path_, shards.vocab_size_, dtype);
    const int64_t end_id = io::json_int(index, "end_id", path_);
    SR_CHECK(end_id >= 0 && end_id < shards.vocab_size_, "{}: end_id {} is not in a vocabulary of {}", path_,
             end_id, shards.vocab_size_);
    shards.end_id_ = static_cast<uint32_t>(end_id);
    shards.end_token_ = io::json_string(index, "end_token", path_);
    const io::Json& tokenizer = io::json_member(index, "tokenizer", path_);
    shards.tokenizer_digest_ = io::json_string(tokenizer, "sha256", path_ + ": tokenizer");
    if (verify_) check_digest(shards.tokenizer_path(), tokenizer);
    shards.train_ = split(index, "train");
    shards.holdout_ = split(index, "holdout");
    return shards;
  }

 private:
  Shards::Split split(const io::Json& index, const std::string& name) {
    const io::Json& json = io::json_member(index, name, path_);
    const std::string where = path_ + ": " + name;
    Shards::Split split;
    split.counts.documents = io::json_int(json, "documents", where);
    split.counts.tokens = io::json_int(json, "tokens", where);
    split.counts.bytes = io::json_int(json, "bytes", where);
    SR_CHECK(split.counts.documents >= 0 && split.counts.tokens >= 0 && split.counts.bytes >= 0,
             "{} counts are negative", where);

    const io::Json& files = io::json_member(json, "files", where);
    SR_CHECK(files.is_array(), "{}: files is not an array", where);
    std::vector<std::string> paths;
    int64_t total = 0;
    for (const io::Json& file : files) {
      const int64_t tokens = io::json_int(file, "tokens", where);
      paths.push_back(file_path(file, where));
      check_size(paths.back(), io::checked_mul(tokens, width_, where));
      if (verify_) check_digest(paths.back(), file);
      SR_CHECK(!__builtin_add_overflow(total, tokens, &total), "{}: token counts are out of range", where);
    }
    SR_CHECK(total == split.counts.tokens, "{}: its files hold {} tokens, tokens says {}", where, total,
             split.counts.tokens);
    split.tokens = std::make_shared<Tokens>(paths, width_);
    const io::Json& offsets = io::json_member(json, "offsets", where);
    read_offsets(split, file_path(offsets, where), where);
    if (verify_) check_digest(split.offsets->path(), offsets);
    return split;
  }

  void read_offsets(Shards::Split& split, const std::string& path, const std::string& where) {
    SR_CHECK(split.counts.documents < INT64_MAX, "{}: documents is out of range", where);
    check_size(path, io::checked_mul(split.counts.documents + 1, 8, where));
    split.offsets = std::make_shared<MappedFile>(path);
    io::Reader reader(split.offsets->bytes(), path);
    const uint64_t first = reader.u64();
    reader.seek(static_cast<uint64_t>(split.counts.documents) * 8);
    const uint64_t last = reader.u64();
    SR_CHECK(
        (first == 0 || split.counts.documents == 0) && last == static_cast<uint64_t>(split.counts.tokens),
        "{} runs from {} to {}, expected 0 to {}; it belongs to another build", path, first, last,
        split.counts.tokens);
  }

  /// The path of a file named in the index: beside it, nowhere else.
  std::string file_path(const io::Json& json, const std::string& where) const {
    const std::string name = io::json_string(json, "file", where);
    SR_CHECK(!name.empty() && name.find('/') == std::string::npos && name.find('\0') == std::string::npos,
             "{}: '{}' is not the name of a file in the folder", where, name);
    return folder_ + "/" + name;
  }

  void check_size(const std::string& path, int64_t wanted) const {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    SR_CHECK_AS(kNotFound, !error, "{}, which {} names, cannot be read: {}; build the shards again", path,
                path_, error.message());
    SR_CHECK(size == static_cast<uintmax_t>(wanted),
             "{} has {} bytes, but {} says {}; it is damaged, build the shards again", path, size, path_,
             wanted);
  }

  void check_digest(const std::string& path, const io::Json& json) const {
    const std::string wanted = io::json_string(json, "sha256", path_),
                      found = sha256(MappedFile(path).text());
    SR_CHECK(found == wanted, "{} is damaged: its digest is {}, {} says {}; build the shards again", path,
             found.substr(0, 12), path_, wanted.substr(0, 12));
  }

  std::string folder_, path_;
  bool verify_;
  int width_ = 2;
};

Shards Shards::open(const std::string& folder, bool verify) { return IndexReader(folder, verify).read(); }

std::pair<int64_t, int64_t> Shards::Split::document(int64_t i) const {
  SR_CHECK(i >= 0 && i < counts.documents, "document {} is asked for, {} has {}", i, offsets->path(),
           counts.documents);
  uint64_t range[2];
  std::memcpy(range, offsets->bytes().data() + static_cast<size_t>(i) * 8, sizeof range);
  SR_CHECK(range[0] <= range[1] && range[1] <= static_cast<uint64_t>(counts.tokens),
           "{} is damaged: document {} runs from {} to {}", offsets->path(), i, range[0], range[1]);
  return {static_cast<int64_t>(range[0]), static_cast<int64_t>(range[1])};
}

void Shards::require_tokenizer(const std::string& digest) const {
  SR_CHECK(digest == tokenizer_digest_,
           "{}/index.json was built with another tokenizer (digest {}, the model's is {}); build the shards "
           "again with "
           "suiren data build --tokenizer",
           folder_, tokenizer_digest_.substr(0, 12), digest.substr(0, 12));
}

}  // namespace suiren::data
