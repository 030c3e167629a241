#include "tests/train/file_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace suiren::train {
namespace {

long calls = 0, fatal = 0;
std::vector<FileCall>* recorded = nullptr;

void count_call() {
  if (++calls == fatal) raise(SIGKILL);
}

template <class F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}
uint64_t inode_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_ino : 0;
}

// The path that (folder, path) of an ...at() call means.
std::string full(int folder, const char* path) {
  if (folder == AT_FDCWD || path[0] == '/') return path;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(folder)).string() + "/" + path;
}
FileCall entry(FileCall::Kind kind, const std::string& path) {
  const std::filesystem::path p(path);
  FileCall c{kind};
  c.folder = inode_of(p.parent_path().string());
  c.name = p.filename().string();
  c.inode = inode_of(path);
  return c;
}
void record(FileCall c) {
  std::vector<FileCall>* to = recorded;
  recorded = nullptr;  // what the log itself needs is not recorded
  to->push_back(std::move(c));
  recorded = to;
}
// Runs the call; what it did, said by `describe` before it, is recorded when it went well.
template <class Call, class Describe>
int watched(Call call, Describe describe) {
  count_call();
  if (!recorded) return call();
  FileCall c = describe();
  const int result = call();
  if (result == 0) record(std::move(c));
  return result;
}

}  // namespace

void die_at_call(long n) {
  calls = 0;
  fatal = n;
}
void record_calls(std::vector<FileCall>* log) { recorded = log; }

extern "C" {

int open(const char* path, int flags, ...) {
  static auto real = next<int (*)(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const auto mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (!(flags & O_CREAT)) return real(path, flags);
  count_call();
  const bool fresh = recorded && inode_of(path) == 0;
  const int fd = real(path, flags, mode);
  if (fresh && fd >= 0) record(entry(FileCall::kLink, path));
  return fd;
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  if (fd > 2) count_call();
  const ssize_t n = real(fd, data, size);
  if (recorded && fd > 2 && n > 0) {
    FileCall c{FileCall::kWrite};
    c.inode = inode_of(fd);
    c.data.assign(static_cast<const char*>(data), static_cast<size_t>(n));
    record(std::move(c));
  }
  return n;
}

int fsync(int fd) {
  static auto real = next<int (*)(int)>("fsync");
  return watched([&] { return real(fd); },
                 [&] {
                   FileCall c{FileCall::kSync};
                   c.inode = inode_of(fd);
                   return c;
                 });
}

int rename(const char* from, const char* to) {
  static auto real = next<int (*)(const char*, const char*)>("rename");
  return watched([&] { return real(from, to); },
                 [&] {
                   FileCall c = entry(FileCall::kMove, from);
                   c.to = std::filesystem::path(to).filename().string();
                   return c;
                 });
}

int renameat2(int a, const char* from, int b, const char* to, unsigned flags) {
  static auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return watched([&] { return real(a, from, b, to, flags); },
                 [&] {
                   FileCall c =
                       entry(flags & RENAME_EXCHANGE ? FileCall::kSwap : FileCall::kMove, full(a, from));
                   const std::string target = full(b, to);
                   c.to = std::filesystem::path(target).filename().string();
                   c.other = inode_of(target);
                   return c;
                 });
}

int mkdir(const char* path, mode_t mode) {
  static auto real = next<int (*)(const char*, mode_t)>("mkdir");
  count_call();
  const int result = real(path, mode);
  if (recorded && result == 0) {
    FileCall c = entry(FileCall::kLink, path);
    c.makes_folder = true;
    record(std::move(c));
  }
  return result;
}

int unlink(const char* path) {
  static auto real = next<int (*)(const char*)>("unlink");
  return watched([&] { return real(path); }, [&] { return entry(FileCall::kRemove, path); });
}
int rmdir(const char* path) {
  static auto real = next<int (*)(const char*)>("rmdir");
  return watched([&] { return real(path); }, [&] { return entry(FileCall::kRemove, path); });
}
int remove(const char* path) {
  static auto real = next<int (*)(const char*)>("remove");
  return watched([&] { return real(path); }, [&] { return entry(FileCall::kRemove, path); });
}
int unlinkat(int folder, const char* path, int flags) {
  static auto real = next<int (*)(int, const char*, int)>("unlinkat");
  return watched([&] { return real(folder, path, flags); },
                 [&] { return entry(FileCall::kRemove, full(folder, path)); });
}

}  // extern "C"

}  // namespace suiren::train
