#include "suiren/train/checkpoint.h"

#include <fcntl.h>
#include <stdio.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "suiren/base/digest.h"
#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "suiren/io/json.h"
#include "suiren/io/safetensors.h"

namespace suiren::train {
namespace {

namespace fs = std::filesystem;
using io::Json;
constexpr int kFormatVersion = 1;
constexpr const char* kTensorFiles[] = {"model.safetensors", "optimizer.safetensors"};

std::string digest(std::span<const uint8_t> bytes) {
  return sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Bytes before the tensors: the length and the JSON header. The length itself is checked against the file.
std::span<const uint8_t> header_of(std::span<const uint8_t> file, const std::string& path) {
  SR_CHECK(file.size() >= 8, "{} is damaged: it is cut short", path);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  SR_CHECK(length <= file.size() - 8, "{} is damaged: its header is cut short", path);
  return file.subspan(0, 8 + length);
}

// Writes tensors and returns their part of the manifest.
Json write_tensors(const std::string& path, const NamedTensors& tensors) {
  io::TensorEntries entries;
  for (const auto& [name, t] : tensors) entries.add(name, t);
  std::vector<std::string> digests;
  io::write_safetensors(path, entries.list(), {{"format", "pt"}}, &digests);
  const MappedFile file(path);
  Json row{{"bytes", file.bytes().size()},
           {"header", digest(header_of(file.bytes(), path))},
           {"tensors", Json::object()}};
  for (size_t i = 0; i < digests.size(); ++i) row["tensors"][entries.list()[i].name] = digests[i];
  return row;
}

NamedTensors read_tensors(const std::string& path, const Json& row) {
  const MappedFile file(path);
  const int64_t written = io::json_int(row, "bytes", path);
  SR_CHECK(std::cmp_equal(file.bytes().size(), written), "{} is damaged: it has {} bytes, {} were written",
           path, file.bytes().size(), written);
  SR_CHECK(digest(header_of(file.bytes(), path)) == row.at("header").get<std::string>(),
           "{} is damaged: the digest of its header differs", path);
  const io::SafeTensors tensors = io::SafeTensors::from_bytes(file.bytes(), path);
  NamedTensors out;
  for (const io::TensorEntry& e : tensors.entries()) {
    const auto known = row.at("tensors").find(e.name);
    SR_CHECK(known != row.at("tensors").end() && digest(e.bytes) == known->get<std::string>(),
             "{} is damaged: the digest of tensor '{}' differs", path, e.name);
    out.emplace_back(e.name, Tensor::from_bytes(e.bytes, Shape(std::span<const int64_t>(e.shape)), e.dtype));
  }
  SR_CHECK(out.size() == row.at("tensors").size(), "{} is damaged: it holds {} tensors, {} were written",
           path, out.size(), row.at("tensors").size());
  return out;
}

std::string folder_name(int64_t step) { return fmt::format("step-{:06}", step); }

void write_files(const std::string& folder, const Checkpoint& c) {
  Json manifest{{"format_version", kFormatVersion}, {"step", c.step}, {"files", Json::object()}};
  manifest["files"][kTensorFiles[0]] = write_tensors(folder + "/" + kTensorFiles[0], c.model);
  manifest["files"][kTensorFiles[1]] = write_tensors(folder + "/" + kTensorFiles[1], c.optimizer);
  write_file(folder + "/state.json", c.state);
  manifest["files"]["state.json"] = {{"bytes", c.state.size()}, {"sha256", sha256(c.state)}};
  const std::string text = manifest.dump(1) + "\n";
  write_file(folder + "/manifest.json", text);
  write_file(folder + "/manifest.sha256", sha256(text) + "\n");
}

// Puts `from` in place of `to` in one step, whether `to` is there or not.
void replace_folder(const std::string& from, const std::string& to) {
  const bool exists = fs::exists(to);
  const int failed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), exists ? RENAME_EXCHANGE : 0);
  SR_CHECK_AS(kIo, failed == 0, "cannot move {} to {}: {}", from, to, std::strerror(errno));
  sync_directory(fs::path(to).parent_path().string());
  if (exists) fs::remove_all(from);
}

}  // namespace

std::string checkpoint_path(const std::string& run, int64_t step) {
  return run + "/checkpoints/" + folder_name(step);
}

void save_checkpoint(const std::string& run, const Checkpoint& c, int64_t keep) {
  const std::string target = checkpoint_path(run, c.step),
                    folder = run + "/checkpoints/." + folder_name(c.step) + ".partial";
  const bool first = !fs::exists(run + "/checkpoints");
  fs::remove_all(folder);
  make_directories(folder);
  if (first) sync_directory(run);
  try {
    write_files(folder, c);
    sync_directory(folder);
    replace_folder(folder, target);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
  const auto steps = list_checkpoints(run);
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i)
    if (steps[i] != c.step) fs::remove_all(checkpoint_path(run, steps[i]));
}

Checkpoint load_checkpoint(const std::string& folder) {
  const std::string manifest_path = folder + "/manifest.json", text = read_file(manifest_path);
  SR_CHECK(read_file(folder + "/manifest.sha256") == sha256(text) + "\n",
           "{} is damaged: its digest differs from manifest.sha256", manifest_path);
  const Json manifest = io::parse_json(text, manifest_path);
  try {
    const int64_t version = io::json_int(manifest, "format_version", manifest_path);
    SR_CHECK(version == kFormatVersion, "{} has format version {}, this suiren reads {}", folder, version,
             kFormatVersion);
    const Json& files = manifest.at("files");
    Checkpoint c;
    c.step = io::json_int(manifest, "step", manifest_path);
    c.state = read_file(folder + "/state.json");
    SR_CHECK(sha256(c.state) == files.at("state.json").at("sha256").get<std::string>(),
             "{}/state.json is damaged: its digest differs", folder);
    c.model = read_tensors(folder + "/" + kTensorFiles[0], files.at(kTensorFiles[0]));
    c.optimizer = read_tensors(folder + "/" + kTensorFiles[1], files.at(kTensorFiles[1]));
    return c;
  } catch (const Json::exception& e) {
    fail(ErrorCode::kInvalid, "{} is damaged: {}", manifest_path, e.what());
  }
}

std::vector<int64_t> list_checkpoints(const std::string& run) {
  std::vector<int64_t> steps;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run + "/checkpoints", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() < 11 || !name.starts_with("step-") ||
        name.find_first_not_of("0123456789", 5) != std::string::npos)
      continue;
    steps.push_back(std::strtoll(name.c_str() + 5, nullptr, 10));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::optional<Checkpoint> load_latest(const std::string& run) {
  const auto steps = list_checkpoints(run);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    try {
      return load_checkpoint(checkpoint_path(run, *step));
    } catch (const Error& e) {
      warn("{}; passed over", e.what());
    }
  }
  return std::nullopt;
}

}  // namespace suiren::train
