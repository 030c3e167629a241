#include "suiren/data/input_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "suiren/base/error.h"

namespace suiren::data {
namespace {

constexpr size_t kChunk = 1 << 16;
constexpr int kWindowLog = 27;  // 128 MiB, as zstd --long asks for; a header may claim terabytes

class PlainStream : public InputStream {
 public:
  explicit PlainStream(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    SR_CHECK_AS(kNotFound, fd_ >= 0 || (errno != ENOENT && errno != ENOTDIR),
                "cannot read {}: no such file; check the path", path);
    SR_CHECK(fd_ >= 0, "cannot read {}: {}", path, std::strerror(errno));
  }
  ~PlainStream() override { ::close(fd_); }
  size_t read(char* out, size_t size) override {
    for (;;) {
      const ssize_t n = ::read(fd_, out, size);
      if (n < 0 && errno == EINTR) continue;
      SR_CHECK(n >= 0, "cannot read {}: {}", path_, std::strerror(errno));
      consumed_ += n;
      return static_cast<size_t>(n);
    }
  }
  int64_t consumed() const override { return consumed_; }

 private:
  std::string path_;
  int fd_;
  int64_t consumed_ = 0;
};

/// What the two decompressors share: a chunk of compressed bytes and how far it has been used.
class CompressedStream : public InputStream {
 public:
  explicit CompressedStream(const std::string& path) : path_(path), file_(path), chunk_(kChunk) {}
  int64_t consumed() const override { return file_.consumed(); }

 protected:
  /// True when compressed bytes are at hand.
  bool refill() {
    if (at_ == size_) at_ = 0, size_ = file_.read(chunk_.data(), chunk_.size());
    return at_ < size_;
  }
  [[noreturn]] void damaged(const char* why) const {
    fail(ErrorCode::kInvalid, "{} cannot be decompressed: {}; it is damaged or not what its name says", path_,
         why);
  }

  std::string path_;
  PlainStream file_;
  std::vector<char> chunk_;
  size_t at_ = 0, size_ = 0;
};

class GzipStream : public CompressedStream {
 public:
  explicit GzipStream(const std::string& path) : CompressedStream(path) {
    SR_CHECK_AS(kInternal, inflateInit2(&z_, 15 + 16) == Z_OK, "zlib cannot start");  // 16: gzip headers
  }
  ~GzipStream() override { inflateEnd(&z_); }
  size_t read(char* out, size_t size) override {
    z_.next_out = reinterpret_cast<Bytef*>(out);
    z_.avail_out = static_cast<uInt>(std::min(size, kChunk));
    const uInt wanted = z_.avail_out;
    while (z_.avail_out == wanted) {
      if (!refill()) {
        if (inside_ || !begun_) damaged("it ends too early");
        break;
      }
      if (!inside_) inflateReset(&z_), inside_ = begun_ = true;  // members may follow each other
      z_.next_in = reinterpret_cast<Bytef*>(chunk_.data() + at_);
      z_.avail_in = static_cast<uInt>(size_ - at_);
      const int status = inflate(&z_, Z_NO_FLUSH);
      at_ = size_ - z_.avail_in;
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
        damaged(z_.msg ? z_.msg : "bad gzip data");
      if (status == Z_STREAM_END) inside_ = false;
    }
    return wanted - z_.avail_out;
  }

 private:
  z_stream z_{};
  bool inside_ = false, begun_ = false;
};

class ZstdStream : public CompressedStream {
 public:
  explicit ZstdStream(const std::string& path) : CompressedStream(path), z_(ZSTD_createDStream()) {
    SR_CHECK_AS(kInternal, z_ != nullptr, "libzstd cannot start");
    ZSTD_DCtx_setParameter(z_, ZSTD_d_windowLogMax, kWindowLog);
  }
  ~ZstdStream() override { ZSTD_freeDStream(z_); }
  size_t read(char* out, size_t size) override {
    ZSTD_outBuffer to{out, size, 0};
    while (to.pos == 0) {
      if (!refill() && !pending_output_) {
        if (inside_ || !begun_) damaged("it ends too early");
        break;
      }
      ZSTD_inBuffer from{chunk_.data(), size_, at_};
      const size_t status = ZSTD_decompressStream(z_, &to, &from);
      SR_CHECK(ZSTD_getErrorCode(status) != ZSTD_error_frameParameter_windowTooLarge,
               "{} wants a window of more than {} MiB to be decompressed; compress it again without --long",
               path_, (1 << kWindowLog) >> 20);
      if (ZSTD_isError(status)) damaged(ZSTD_getErrorName(status));
      at_ = from.pos;
      begun_ = true;
      inside_ = status != 0;
      pending_output_ = to.pos == to.size && inside_;  // it may hold more than there was room for
    }
    return to.pos;
  }

 private:
  ZSTD_DStream* z_;
  bool inside_ = false, begun_ = false, pending_output_ = false;
};

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

std::unique_ptr<InputStream> InputStream::open(const std::string& path) {
  SR_CHECK(!is_folder(path), "cannot read {}: it is a folder, a file is expected", path);
  if (path.ends_with(".gz")) return std::make_unique<GzipStream>(path);
  if (path.ends_with(".zst")) return std::make_unique<ZstdStream>(path);
  return std::make_unique<PlainStream>(path);
}

std::string_view without_compression(std::string_view path) {
  for (const std::string_view ending : {".gz", ".zst"})
    if (path.ends_with(ending)) return path.substr(0, path.size() - ending.size());
  return path;
}

std::string read_all(const std::string& path) {
  const auto input = InputStream::open(path);
  std::string text;
  for (size_t size = 0;;) {
    text.resize(std::max(size + kChunk, size + size / 2));
    const size_t n = input->read(text.data() + size, text.size() - size);
    size += n;
    if (n == 0) {
      text.resize(size);
      return text;
    }
  }
}

bool LineReader::next(std::string_view& line) {
  size_t searched = begin_;
  for (;;) {
    const void* newline = std::memchr(buffer_.data() + searched, '\n', end_ - searched);
    if (newline != nullptr || (ended_ && begin_ < end_)) {
      const size_t stop =
          newline ? static_cast<size_t>(static_cast<const char*>(newline) - buffer_.data()) : end_;
      line = std::string_view(buffer_).substr(begin_, stop - begin_);
      begin_ = newline ? stop + 1 : end_;
      offset_ = next_offset_;
      next_offset_ += static_cast<int64_t>(line.size()) + (newline != nullptr);
      ++number_;
      return true;
    }
    if (ended_) return false;
    if (begin_ > 0) {  // keep the unfinished line, make room behind it
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    searched = end_;
    if (buffer_.size() - end_ < kChunk) buffer_.resize(std::max(end_ + kChunk, buffer_.size() * 2));
    const size_t n = input_.read(buffer_.data() + end_, buffer_.size() - end_);
    end_ += n;
    ended_ = n == 0;
  }
}

}  // namespace suiren::data
