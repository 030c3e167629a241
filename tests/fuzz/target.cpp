#include "tests/fuzz/target.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "suiren/base/error.h"
#include "suiren/base/log.h"
#include "tests/fuzz/memory.h"

namespace suiren::fuzz {
namespace {

constexpr int64_t kSlack = 16 << 20;

std::vector<const Target*>& registered() {
  static std::vector<const Target*> list;
  return list;
}

}  // namespace

Target::Target(const char* target_name, void (*function)(Bytes), uint64_t bytes, uint64_t more)
    : name(target_name), parse(function), expansion(bytes), window(more) {
  registered().push_back(this);
}

const std::vector<const Target*>& targets() { return registered(); }

std::string check(const Target& target, Bytes bytes) {
  set_log_level(LogLevel::kQuiet);
  const int64_t before = memory_held();
  reset_peak();
  try {
    target.parse(bytes);
  } catch (const Error&) {
  }
  const int64_t peak = memory_peak() - before;
  const int64_t allowed = static_cast<int64_t>(target.expansion * bytes.size() + target.window) + kSlack;
  if (peak <= allowed) return "";
  return fmt::format("{}: {} bytes of input took {} bytes of memory at once, {} are allowed", target.name,
                     bytes.size(), peak, allowed);
}

Bytes take_part(Bytes& bytes) {
  if (bytes.size() < 2) return std::exchange(bytes, {});
  const size_t wanted = bytes[0] | bytes[1] << 8;
  const Bytes part = bytes.subspan(2, std::min(wanted, bytes.size() - 2));
  bytes = bytes.subspan(2 + part.size());
  return part;
}

const std::string& scratch_folder() {
  namespace fs = std::filesystem;
  struct Folder {
    std::string path;
    Folder() {
      const fs::path memory = "/dev/shm";
      const fs::path parent = ::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
      path = parent / fmt::format("suiren-fuzz-{}", ::getpid());
      fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }
  };
  static const Folder folder;
  return folder.path;
}

std::string put(const std::string& name, std::string_view text) {
  const std::string path = scratch_folder() + "/" + name;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool whole = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) ::close(fd);
  if (!whole) broken("cannot write " + path);
  return path;
}

void broken(const std::string& sentence) {
  std::fprintf(stderr, "%s\n", sentence.c_str());
  std::abort();
}

}  // namespace suiren::fuzz
