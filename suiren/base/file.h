#pragma once
// Files: mapped reads, and writes that are whole or not at all. Objects are not shared between threads.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace suiren {

/// A file mapped read-only. Throws Error{kNotFound} when it is missing, {kInvalid} when it is a folder or
/// unreadable; the message names the path and the reason.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const { return path_; }

 private:
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  std::string path_;
};

/// Takes the whole pages of `bytes`, of a MappedFile, out of this process's memory; they stay in the system's
/// file cache and come back when they are read. Bytes that lie elsewhere are left alone.
void forget_pages(std::span<const uint8_t> bytes);

/// The whole file as a string. Errors as MappedFile.
std::string read_file(const std::string& path);

/// Writes `path` whole or not at all: bytes go to a temporary beside it; commit() syncs it, renames it over
/// `path` and syncs the folder. Without commit() the temporary is removed and `path` stays as it was.
/// Throws Error{kIo} naming the path and the reason (disk full, permission) as soon as a write fails.
class FileWriter {
 public:
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  int64_t size() const { return size_; }  ///< bytes written so far
  void commit();

 private:
  void flush();
  std::string path_, temporary_, buffer_;
  int fd_ = -1;
  int64_t size_ = 0;
};

/// FileWriter in one call.
void write_file(const std::string& path, std::string_view text);
/// Creates the folder and its parents; no error when it is there. Error{kIo} names what is in the way.
void make_directories(const std::string& path);
/// fsync of a folder, so that a rename in it survives a power cut.
void sync_directory(const std::string& path);

}  // namespace suiren
