#include <algorithm>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "suiren/data/shards.h"

namespace suiren::data {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr size_t kBatchBytes = 8 << 20;  // text that is encoded at once
constexpr size_t kTaskBytes = 64 << 10;  // text that a thread takes at once
constexpr const char* kStaging = ".building";

/// A file and its digest, written together.
class DigestedFile {
 public:
  DigestedFile(const std::string& folder, const std::string& name)
      : name_(name), file_(folder + "/" + name) {}
  void write(const void* data, size_t size) {
    file_.write(data, size);
    hash_.update(data, size);
  }
  int64_t size() const { return file_.size(); }
  const std::string& name() const { return name_; }
  /// Commits and returns the digest.
  std::string finish() {
    file_.commit();
    return hash_.hex();
  }

 private:
  std::string name_;
  FileWriter file_;
  Sha256 hash_;
};

/// Writes one split: its token files and document offsets.
class SplitWriter {
 public:
  SplitWriter(const std::string& folder, const std::string& name, int width, int64_t shard_bytes)
      : folder_(folder),
        name_(name),
        width_(width),
        shard_bytes_(shard_bytes),
        offsets_(folder, name + ".offsets.u64") {}

  void add(std::string_view document, const std::vector<uint32_t>& ids) {
    const auto begin = static_cast<uint64_t>(counts_.tokens);
    offsets_.write(&begin, sizeof begin);
    ++counts_.documents;
    counts_.bytes += static_cast<int64_t>(document.size());
    counts_.tokens += static_cast<int64_t>(ids.size());
    if (width_ == 2) {
      narrow_.assign(ids.begin(), ids.end());
      write(reinterpret_cast<const char*>(narrow_.data()), narrow_.size() * 2);
    } else {
      write(reinterpret_cast<const char*>(ids.data()), ids.size() * 4);
    }
  }

  /// Ends the files; the split's part of index.json.
  OrderedJson finish() {
    const auto end = static_cast<uint64_t>(counts_.tokens);
    offsets_.write(&end, sizeof end);
    if (!file_) open_next();
    close();
    OrderedJson offsets = {{"file", offsets_.name()}, {"sha256", offsets_.finish()}};
    return {{"documents", counts_.documents},
            {"tokens", counts_.tokens},
            {"bytes", counts_.bytes},
            {"files", files_},
            {"offsets", offsets}};
  }
  const SplitCounts& counts() const { return counts_; }

 private:
  void write(const char* data, size_t size) {
    while (size > 0) {
      if (file_ && file_->size() >= shard_bytes_) close();
      if (!file_) open_next();
      const size_t n = std::min(size, static_cast<size_t>(shard_bytes_ - file_->size()));
      file_->write(data, n);
      data += n;
      size -= n;
    }
  }
  void open_next() {
    const std::string number = name_ == "train" ? fmt::format("-{:05}", files_.size()) : "";
    file_.emplace(folder_, fmt::format("{}{}.u{}", name_, number, 8 * width_));
  }
  void close() {
    const int64_t tokens = file_->size() / width_;
    const std::string name = file_->name();
    files_.push_back({{"file", name}, {"tokens", tokens}, {"sha256", file_->finish()}});
    file_.reset();
  }

  std::string folder_, name_;
  int width_;
  int64_t shard_bytes_;
  DigestedFile offsets_;
  std::optional<DigestedFile> file_;
  OrderedJson files_ = OrderedJson::array();
  SplitCounts counts_;
  std::vector<uint16_t> narrow_;
};

/// Collects documents, encodes them on all threads, and hands them on in their order.
class Encoder {
 public:
  Encoder(const text::Tokenizer& tokenizer, uint32_t end_id,
          FunctionRef<void(std::string_view, const std::vector<uint32_t>&)> emit)
      : tokenizer_(tokenizer), end_id_(end_id), emit_(emit) {}

  void add(std::string_view document) {
    if (task_bytes_ == 0 || task_bytes_ > kTaskBytes) {
      tasks_.push_back(documents_.size());
      task_bytes_ = 0;
    }
    documents_.emplace_back(document);
    task_bytes_ += document.size() + 1;
    batch_bytes_ += document.size() + 1;
    if (batch_bytes_ >= kBatchBytes) flush();
  }

  void flush() {
    std::vector<std::vector<uint32_t>> ids(documents_.size());
    parallel_tasks(static_cast<int64_t>(tasks_.size()), [&](int64_t task) {
      const auto t = static_cast<size_t>(task);
      const size_t end = t + 1 < tasks_.size() ? tasks_[t + 1] : documents_.size();
      for (size_t i = tasks_[t]; i < end; ++i) {
        ids[i] = tokenizer_.encode(documents_[i], /*parse_special=*/false);
        ids[i].push_back(end_id_);
      }
    });
    for (size_t i = 0; i < ids.size(); ++i) emit_(documents_[i], ids[i]);
    documents_.clear();
    tasks_.clear();
    task_bytes_ = batch_bytes_ = 0;
  }

 private:
  const text::Tokenizer& tokenizer_;
  uint32_t end_id_;
  FunctionRef<void(std::string_view, const std::vector<uint32_t>&)> emit_;
  std::vector<std::string> documents_;
  std::vector<size_t> tasks_;  ///< first document of each task
  size_t task_bytes_ = 0, batch_bytes_ = 0;
};

/// The folder in which a build grows; gone when the build ends, well or not.
class Staging {
 public:
  explicit Staging(const std::string& output) : output_(output), path_(output + "/" + kStaging) {
    created_ = !fs::exists(output);
    make_directories(output);
    fs::remove_all(path_);
    make_directories(path_);
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (created_ && !kept_) fs::remove(output_, ignored);
  }
  const std::string& path() const { return path_; }

  /// Puts the files in the place of an older build. index.json goes first and comes last: without it there is
  /// none.
  void publish(const OrderedJson& index) {
    const auto is_ours = [](const std::string& name) {
      const bool ids = name.ends_with(".u16") || name.ends_with(".u32");
      return (ids && (name.starts_with("train-") || name.starts_with("holdout."))) ||
             name == "train.offsets.u64" || name == "holdout.offsets.u64";
    };
    kept_ = true;
    fs::remove(output_ + "/index.json");
    std::vector<fs::path> old;
    for (const auto& entry : fs::directory_iterator(output_))
      if (entry.is_regular_file() && is_ours(entry.path().filename())) old.push_back(entry.path());
    for (const fs::path& path : old) fs::remove(path);
    for (const auto& entry : fs::directory_iterator(path_))
      fs::rename(entry.path(), fs::path(output_) / entry.path().filename());
    sync_directory(output_);
    write_file(output_ + "/index.json", index.dump(2) + "\n");
  }

 private:
  std::string output_, path_;
  bool created_ = false, kept_ = false;
};

}  // namespace

bool is_held_out(std::string_view document, double share) {
  uint64_t h = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  for (const char c : document) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;  // mixed as in SplitMix64: FNV's high bits alone are weak
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  h ^= h >> 31;
  return static_cast<double>(h >> 11) * 0x1p-53 < share;
}

uint32_t first_special(const text::Tokenizer& tokenizer) {
  for (int64_t id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.is_special(static_cast<uint32_t>(id))) return static_cast<uint32_t>(id);
  fail(ErrorCode::kInvalid,
       "the tokenizer has no special token to end documents with; name a token by --end-token");
}

uint32_t end_token_id(const text::Tokenizer& tokenizer, const std::string& end_token) {
  if (end_token.empty()) return first_special(tokenizer);
  const auto id = tokenizer.id_of(end_token);
  SR_CHECK(id.has_value(), "the end token '{}' is not in the tokenizer", end_token);
  return *id;
}

BuildResult build_shards(const text::Tokenizer& tokenizer, const BuildOptions& options) {
  SR_CHECK(options.holdout >= 0 && options.holdout < 1, "holdout is {}, expected a share in [0, 1)",
           options.holdout);
  const int width = token_width(tokenizer.vocab_size());
  SR_CHECK(options.shard_bytes >= width && options.shard_bytes % width == 0,
           "shard_bytes is {}, expected a multiple of {}", options.shard_bytes, width);
  const uint32_t end_id = end_token_id(tokenizer, options.end_token);
  list_inputs(options.inputs);  // missing input is found before anything is written

  Staging staging(options.output);
  SplitWriter train(staging.path(), "train", width, options.shard_bytes);
  SplitWriter holdout(staging.path(), "holdout", width, std::numeric_limits<int64_t>::max());
  const auto emit = [&](std::string_view document, const std::vector<uint32_t>& ids) {
    (is_held_out(document, options.holdout) ? holdout : train).add(document, ids);
  };
  Encoder encoder(tokenizer, end_id, emit);
  for_each_document(options.inputs, options.import,
                    [&](std::string_view document) { encoder.add(document); });
  encoder.flush();
  SR_CHECK(train.counts().documents > 0,
           "every document is held out, none is left to train on; lower --holdout ({})", options.holdout);
  if (options.holdout > 0 && holdout.counts().documents == 0)
    warn("none of {} documents is held out; raise --holdout ({}) to evaluate", train.counts().documents,
         options.holdout);

  tokenizer.save(staging.path() + "/tokenizer.json");
  const OrderedJson index = {{"format", "suiren-shards"},
                             {"version", 1},
                             {"dtype", width == 2 ? "u16" : "u32"},
                             {"vocab_size", tokenizer.vocab_size()},
                             {"end_token", tokenizer.bytes_of(end_id)},
                             {"end_id", end_id},
                             {"tokenizer", {{"file", "tokenizer.json"}, {"sha256", tokenizer.digest()}}},
                             {"holdout_fraction", options.holdout},
                             {"train", train.finish()},
                             {"holdout", holdout.finish()}};
  staging.publish(index);
  return {train.counts(), holdout.counts()};
}

}  // namespace suiren::data
