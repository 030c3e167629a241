#include "suiren/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include "suiren/base/error.h"

namespace suiren {
namespace {

constexpr size_t kBufferSize = 1 << 20;

[[noreturn]] void fail_io(const char* what, const std::string& path, int error) {
  fail(ErrorCode::kIo, "cannot {} {}: {}", what, path, std::strerror(error));
}

/// Opens for reading and looks at what it is; the caller closes. Folders are refused.
int open_for_reading(const std::string& path, struct stat& info) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int error = errno;
    SR_CHECK_AS(kNotFound, error != ENOENT && error != ENOTDIR,
                "cannot read {}: no such file; check the path", path);
    fail(ErrorCode::kInvalid, "cannot read {}: {}", path, std::strerror(error));
  }
  if (::fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
    ::close(fd);
    fail(ErrorCode::kInvalid, "cannot read {}: it is a folder, a file is expected", path);
  }
  return fd;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// fsync, except where a file system has none (a pipe, some network mounts).
void sync(int fd, const std::string& path) {
  while (::fsync(fd) != 0) {
    if (errno == EINTR) continue;
    if (errno == EINVAL || errno == ENOTSUP) return;
    fail_io("sync", path, errno);
  }
}

// The mappings that are open, by their first byte.
std::mutex mappings_mutex;
std::map<const uint8_t*, size_t> mappings;

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  struct stat info {};
  const int fd = open_for_reading(path, info);
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    fail(ErrorCode::kInvalid, "cannot map {}: it is a pipe or a device, a regular file is expected", path);
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {  // an empty mapping is an error to mmap
    void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (mapped == MAP_FAILED) fail(ErrorCode::kInvalid, "cannot map {}: {}", path, std::strerror(error));
    data_ = static_cast<const uint8_t*>(mapped);
    const std::lock_guard lock(mappings_mutex);
    mappings.emplace(data_, size_);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  const std::lock_guard lock(mappings_mutex);
  mappings.erase(data_);
  ::munmap(const_cast<uint8_t*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      path_(std::move(other.path_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(path_, other.path_);
  return *this;
}

void forget_pages(std::span<const uint8_t> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(bytes.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size()) / page * page;
  if (begin >= end) return;
  const std::lock_guard lock(mappings_mutex);
  const auto after = mappings.upper_bound(bytes.data());
  if (after == mappings.begin()) return;
  const auto& [data, size] = *std::prev(after);
  if (bytes.data() + bytes.size() <= data + size)
    ::madvise(reinterpret_cast<void*>(begin), end - begin,
              MADV_DONTNEED);  // a hint: what fails changes nothing
}

std::string read_file(const std::string& path) {
  struct stat info {};
  const int fd = open_for_reading(path, info);
  std::string text;
  text.resize(S_ISREG(info.st_mode) ? static_cast<size_t>(info.st_size) + 1 : 65536);
  size_t size = 0;
  for (;;) {  // pipes and /proc do not know their size: read until nothing comes
    const ssize_t n = ::read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      fail(ErrorCode::kInvalid, "cannot read {}: {}", path, std::strerror(error));
    }
    if (n == 0) break;
    size += static_cast<size_t>(n);
    if (size == text.size()) text.resize(size * 2);
  }
  ::close(fd);
  text.resize(size);
  return text;
}

FileWriter::FileWriter(const std::string& path) : path_(path) {
  static std::atomic<int> counter{0};
  struct stat info {};
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) fail(ErrorCode::kIo, "cannot write {}: it is a folder", path);
  if (exists && !S_ISREG(info.st_mode)) {  // a pipe or a device is written in place
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    temporary_ = fmt::format("{}.tmp-{}-{}", path, ::getpid(), counter.fetch_add(1));
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  if (fd_ < 0) fail_io("write", path, errno);
  buffer_.reserve(kBufferSize);
}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::write(const void* data, size_t size) {
  SR_CHECK_AS(kInternal, fd_ >= 0, "{} was written after commit", path_);
  size_ += static_cast<int64_t>(size);
  const char* p = static_cast<const char*>(data);
  while (size > 0) {
    const size_t n = std::min(size, kBufferSize - buffer_.size());
    buffer_.append(p, n);
    p += n;
    size -= n;
    if (buffer_.size() == kBufferSize) flush();
  }
}

void FileWriter::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno != EINTR) fail_io("write", path_, errno);
    if (n > 0) done += static_cast<size_t>(n);
  }
  buffer_.clear();
}

void FileWriter::commit() {
  SR_CHECK_AS(kInternal, fd_ >= 0, "{} was committed twice", path_);
  flush();
  sync(fd_, path_);
  if (temporary_.empty()) {
    ::close(std::exchange(fd_, -1));
    return;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("write", path_, errno);
  temporary_.clear();
  if (::close(std::exchange(fd_, -1)) != 0) fail_io("write", path_, errno);
  sync_directory(parent_of(path_));
}

void write_file(const std::string& path, std::string_view text) {
  FileWriter file(path);
  file.write(text);
  file.commit();
}

void make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path))
    fail(ErrorCode::kIo, "cannot create the folder {}: {}", path,
         error ? error.message() : "a file is in the way");
}

void sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail_io("sync the folder", path, errno);
  try {
    sync(fd, path);
  } catch (...) {
    ::close(fd);
    throw;
  }
  ::close(fd);
}

}  // namespace suiren
