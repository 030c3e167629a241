#include "suiren/train/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/json.h"

namespace suiren::train {
namespace {

using io::Json;

std::string to_line(const LogRow& r) {
  // JSON has no NaN; a loss that is none never gets here (the trainer stops first).
  std::string line = fmt::format(
      R"({{"step": {}, "loss": {:.9g}, "grad_norm": {:.9g}, "lr": {:.9g}, "tokens": {}, "tokens_per_second": {:.1f})",
      r.step, r.loss, r.grad_norm, r.lr, r.tokens, r.tokens_per_second);
  if (r.heldout_loss >= 0) line += fmt::format(R"(, "heldout_loss": {:.9g})", r.heldout_loss);
  return line + "}\n";
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path) : path_(path) {
  SR_CHECK(!std::filesystem::exists(path) || std::filesystem::is_directory(path),
           "output {} is a file; give a folder", path);
  make_directories(path);
  const std::string lock = path + "/.lock";
  lock_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  SR_CHECK_AS(kIo, lock_ >= 0, "cannot write in {}: {}", path, std::strerror(errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    close(lock_);
    fail(ErrorCode::kInvalid, "{} is being written by another process; wait for it, or give another output",
         path);
  }
}

RunDirectory::~RunDirectory() { close(lock_); }

bool RunDirectory::has_run() const { return std::filesystem::exists(path_ + "/run.json"); }

RunRecord RunDirectory::read_record() const {
  const std::string name = path_ + "/run.json";
  const Json j = io::read_json(name);
  RunRecord r;
  try {
    for (const auto& [key, value] : j.at("settings").items())
      r.settings.emplace_back(key, value.get<std::string>());
    r.steps = io::json_int(j, "steps", name);
    r.sequence_length = io::json_int(j, "sequence_length", name);
    r.parameters = io::json_int(j, "parameters", name);
    r.data_digest = io::json_string(j, "data_digest", name);
    r.machine = io::json_string(j, "machine", name);
    r.roof_gflops = io::json_number(j, "roof_gflops", name);
    r.finished = io::json_bool(j, "finished", name);
  } catch (const Json::exception& e) {
    fail(ErrorCode::kInvalid, "{} is damaged: {}", name, e.what());
  }
  return r;
}

void RunDirectory::write_record(const RunRecord& r) const {
  Json settings = Json::object();
  for (const auto& [key, value] : r.settings) settings[key] = value;
  io::write_json(path_ + "/run.json", {{"format_version", 1},
                                       {"suiren", SUIREN_VERSION},
                                       {"settings", settings},
                                       {"steps", r.steps},
                                       {"sequence_length", r.sequence_length},
                                       {"parameters", r.parameters},
                                       {"data_digest", r.data_digest},
                                       {"machine", r.machine},
                                       {"roof_gflops", r.roof_gflops},
                                       {"finished", r.finished}});
}

LogFile::LogFile(const std::string& path, int64_t steps) : path_(path) {
  if (std::filesystem::exists(path)) {
    std::string kept;
    for (const LogRow& r : read_log(path))
      if (r.step < steps) kept += to_line(r);
    write_file(path, kept);
  }
  out_.open(path, std::ios::app);
  SR_CHECK_AS(kIo, out_.good(), "cannot write {}: {}", path, std::strerror(errno));
}

void LogFile::append(const LogRow& row) {
  out_ << to_line(row) << std::flush;
  SR_CHECK_AS(kIo, out_.good(), "cannot write {}: {}", path_, std::strerror(errno));
}

std::vector<LogRow> read_log(const std::string& path) {
  std::vector<LogRow> rows;
  const std::string text = read_file(path);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const Json j = Json::parse(text.begin() + static_cast<int64_t>(begin),
                               text.begin() + static_cast<int64_t>(end), nullptr, false);
    if (!j.is_object() || !j.contains("step")) continue;
    const auto number = [&](const char* key, double otherwise) {
      return j.contains(key) && j[key].is_number() ? j[key].get<double>() : otherwise;
    };
    const auto count = [&](const char* key) {
      return j.contains(key) && j[key].is_number_integer() ? j[key].get<int64_t>() : 0;
    };
    rows.push_back({count("step"), number("loss", 0), number("grad_norm", 0), number("lr", 0),
                    count("tokens"), number("tokens_per_second", 0), number("heldout_loss", -1)});
  }
  return rows;
}

}  // namespace suiren::train
