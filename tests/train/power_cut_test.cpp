// Row R2: what a file system may hold after a power cut at any moment of a save. The calls of a save are
// recorded; after each, what was not synced may be lost: bytes written (all, half, or their place filled with
// zeros) and changes of folders (any of them, in any combination). In each such state the loader finds the
// old checkpoint or the new one, and once the save has returned, the new one.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "suiren/base/file.h"
#include "suiren/base/log.h"
#include "suiren/base/philox.h"
#include "tests/train/checkpoints.h"
#include "tests/train/file_calls.h"

namespace suiren::train {
namespace {

namespace fs = std::filesystem;

// A file system: folders as entries by name, files as bytes, both by inode.
struct Disk {
  std::map<uint64_t, std::map<std::string, uint64_t>> folders;
  std::map<uint64_t, std::string> files;
  uint64_t root = 0;
};

uint64_t inode(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

void read_folder(const fs::path& path, Disk& disk) {
  auto& entries = disk.folders[inode(path)];
  for (const auto& e : fs::directory_iterator(path)) {
    entries[e.path().filename().string()] = inode(e.path());
    if (e.is_directory())
      read_folder(e.path(), disk);
    else
      disk.files[inode(e.path())] = read_file(e.path().string());
  }
}
Disk read_disk(const fs::path& path) {
  Disk disk;
  disk.root = inode(path);
  read_folder(path, disk);
  return disk;
}

void write_folder(const Disk& disk, uint64_t folder, const fs::path& path) {
  fs::create_directory(path);
  const auto entries = disk.folders.find(folder);
  if (entries == disk.folders.end()) return;
  for (const auto& [name, node] : entries->second) {
    if (disk.folders.count(node)) {
      write_folder(disk, node, path / name);
    } else if (const auto file = disk.files.find(node); file != disk.files.end()) {
      std::ofstream(path / name, std::ios::binary) << file->second;
    }
  }
}
// The tree under the root as text: to compare disks, and to try each once.
std::string describe(const Disk& disk, uint64_t folder) {
  std::string text = "(";
  if (const auto entries = disk.folders.find(folder); entries != disk.folders.end())
    for (const auto& [name, node] : entries->second) {
      const auto file = disk.files.find(node);
      text += name + (disk.folders.count(node) ? describe(disk, node)
                                               : ":" + (file == disk.files.end() ? "" : file->second) + ";");
    }
  return text + ")";
}

bool changes_folder(const FileCall& c) { return c.kind != FileCall::kWrite && c.kind != FileCall::kSync; }

void apply(Disk& disk, const FileCall& c) {
  auto& entries = disk.folders[c.folder];
  switch (c.kind) {
    case FileCall::kLink:
      entries[c.name] = c.inode;
      break;
    case FileCall::kMove:
      if (const auto at = entries.find(c.name); at != entries.end() && at->second == c.inode)
        entries.erase(at);
      entries[c.to] = c.inode;
      break;
    case FileCall::kSwap:
      entries[c.to] = c.inode;
      entries[c.name] = c.other;
      break;
    case FileCall::kRemove:
      entries.erase(c.name);
      break;
    case FileCall::kWrite:
    case FileCall::kSync:
      break;
  }
}

enum Bytes { kAllBytes, kNoBytes, kHalfOfThem, kZeros, kBytesKinds };

std::string surviving(const std::string& data, Bytes kind) {
  if (kind == kAllBytes) return data;
  if (kind == kHalfOfThem) return data.substr(0, data.size() / 2);
  return kind == kZeros ? std::string(data.size(), '\0') : "";
}

// `before`, and then the first `count` calls, without the changes of folders in `lost`.
Disk after_calls(const Disk& before, const std::vector<FileCall>& calls, size_t count,
                 const std::set<size_t>& lost, Bytes kind) {
  Disk disk = before;
  std::map<uint64_t, size_t> synced;  // how many bytes of a file are safe
  std::map<uint64_t, std::string> written;
  for (size_t i = 0; i < count; ++i) {
    const FileCall& c = calls[i];
    if (c.kind == FileCall::kLink)
      (void)(c.makes_folder ? disk.folders[c.inode].size() : written[c.inode].size());
    if (c.kind == FileCall::kWrite) written[c.inode] += c.data;
    if (c.kind == FileCall::kSync) synced[c.inode] = written[c.inode].size();
    if (changes_folder(c) && !lost.count(i)) apply(disk, c);
  }
  for (const auto& [node, data] : written)
    disk.files[node] = data.substr(0, synced[node]) + surviving(data.substr(synced[node]), kind);
  for (const auto& [node, entries] : disk.folders) disk.files.erase(node);
  return disk;
}

// The changes of folders among the first `count` calls that no later sync of the folder made safe.
std::vector<size_t> unsafe_changes(const std::vector<FileCall>& calls, size_t count) {
  std::vector<size_t> unsafe;
  for (size_t i = 0; i < count; ++i) {
    const FileCall& c = calls[i];
    if (changes_folder(c)) unsafe.push_back(i);
    if (c.kind == FileCall::kSync)
      std::erase_if(unsafe, [&](size_t u) { return calls[u].folder == c.inode; });
  }
  return unsafe;
}

// Calls f with each set of changes that may be lost: all sets of a few, many of more.
void for_each_loss(const std::vector<size_t>& unsafe, const std::function<void(const std::set<size_t>&)>& f) {
  constexpr size_t kFew = 7, kMany = 128;
  const size_t n = unsafe.size();
  const auto lose = [&](uint64_t mask) {
    std::set<size_t> lost;
    for (size_t i = 0; i < n; ++i)
      if (mask >> i & 1) lost.insert(unsafe[i]);
    f(lost);
  };
  if (n <= kFew) {
    for (uint64_t mask = 0; mask < uint64_t{1} << n; ++mask) lose(mask);
    return;
  }
  for (size_t i = 0; i <= n; ++i) lose(~uint64_t{0} << i);  // an order that is kept: the later ones are lost
  for (size_t i = 0; i < n; ++i) lose(uint64_t{1} << i);
  for (size_t i = 0; i < kMany; ++i) lose(philox(7, n, i)[0] | uint64_t{philox(7, n, i)[1]} << 32);
}

class PowerCut : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kQuiet);
    folder_ = fs::temp_directory_path() / ("suiren-power-cut-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "run");
  }
  void TearDown() override {
    fs::remove_all(folder_);
    set_log_level(LogLevel::kInfo);
  }

  // Saves `after` over what `run` holds, and looks at every state of the disk in between.
  void save_and_cut(const std::optional<Checkpoint>& before, const Checkpoint& after) {
    const std::string run = (folder_ / "run").string();
    if (before) save_checkpoint(run, *before, 1);
    const Disk start = read_disk(run);
    std::vector<FileCall> calls;
    record_calls(&calls);
    save_checkpoint(run, after, 1);
    record_calls(nullptr);
    const Disk end = read_disk(run);
    const Disk replayed = after_calls(start, calls, calls.size(), {}, kAllBytes);
    ASSERT_EQ(describe(replayed, start.root), describe(end, end.root)) << "the log is not what happened";

    std::set<std::string> tried;
    for (size_t count = 0; count <= calls.size(); ++count)
      for_each_loss(unsafe_changes(calls, count), [&](const std::set<size_t>& lost) {
        for (int kind = 0; kind < kBytesKinds; ++kind) {
          const Disk disk = after_calls(start, calls, count, lost, static_cast<Bytes>(kind));
          const bool done = count == calls.size();
          if (tried.insert(describe(disk, disk.root) + (done ? "done" : "")).second)
            check(disk, before, after, done, count);
        }
      });
    EXPECT_GE(tried.size(), 30u);
    RecordProperty("states", static_cast<int>(tried.size()));
  }

 private:
  void check(const Disk& disk, const std::optional<Checkpoint>& before, const Checkpoint& after, bool done,
             size_t count) {
    const fs::path path = folder_ / "cut";
    fs::remove_all(path);
    write_folder(disk, disk.root, path);
    const auto found = load_latest(path.string());
    const bool is_new = found && same(*found, after);
    const bool is_old = before ? found && same(*found, *before) : !found;
    EXPECT_TRUE(is_new || (!done && is_old))
        << "after call " << count << (done ? ", the last" : "") << ": "
        << (found ? "step " + std::to_string(found->step) : "nothing") << " was found";
  }
  fs::path folder_;
};

TEST_F(PowerCut, InAFirstSave) { save_and_cut(std::nullopt, make_checkpoint(20, 5)); }
TEST_F(PowerCut, InASaveThatRemovesTheOlderOne) {
  save_and_cut(make_checkpoint(10, 1), make_checkpoint(20, 5));
}
TEST_F(PowerCut, InASaveInPlaceOfTheSameStep) {
  save_and_cut(make_checkpoint(10, 1), make_checkpoint(10, 5));
}

}  // namespace
}  // namespace suiren::train
