#include "suiren/data/tokens.h"

#include <algorithm>
#include <cstring>

#include "suiren/base/error.h"

namespace suiren::data {
namespace {

template <class Id>
Id id_at(const MappedFile& file, int64_t index) {
  Id id;
  std::memcpy(&id, file.bytes().data() + static_cast<size_t>(index) * sizeof(Id), sizeof(Id));
  return id;
}

template <class Id>
uint32_t largest(const MappedFile& file, int64_t begin, int64_t end) {
  uint32_t most = 0;
  for (int64_t i = begin; i < end; ++i) most = std::max<uint32_t>(most, id_at<Id>(file, i));
  return most;
}

}  // namespace

Tokens::Tokens(const std::vector<std::string>& paths, int width) : width_(width) {
  for (const std::string& path : paths) {
    MappedFile file(path);
    const auto bytes = static_cast<int64_t>(file.bytes().size());
    SR_CHECK(bytes % width == 0,
             "{} has {} bytes, which is no multiple of {}; it is cut short or not a .u{} token file", path,
             bytes, width, 8 * width);
    const int64_t end = size_ + bytes / width;
    parts_.push_back({std::move(file), size_, end});
    size_ = end;
  }
  if (!paths.empty()) name_ = paths.front();
}

Tokens Tokens::open(const std::string& path) {
  const int width = path.ends_with(".u16") ? 2 : path.ends_with(".u32") ? 4 : 0;
  SR_CHECK(width != 0, "{}: a token file ends in .u16 or .u32 (raw little-endian ids)", path);
  Tokens tokens({path}, width);
  SR_CHECK(tokens.size() > 0, "{} is empty; token ids are expected", path);
  return tokens;
}

const Tokens::Part& Tokens::part_of(int64_t position) const {
  const auto after = std::upper_bound(parts_.begin(), parts_.end(), position,
                                      [](int64_t p, const Part& part) { return p < part.end; });
  SR_CHECK(position >= 0 && after != parts_.end(), "token {} of {} is asked for, there are {}", position,
           name_, size_);
  return *after;
}

uint32_t Tokens::operator[](int64_t position) const {
  uint32_t id = 0;
  read(position, std::span<uint32_t>(&id, 1));
  return id;
}

template <class T>
void Tokens::read(int64_t start, std::span<T> out) const {
  for (size_t done = 0; done < out.size();) {
    const int64_t position = start + static_cast<int64_t>(done);
    const Part& part = part_of(position);
    const size_t n = std::min(out.size() - done, static_cast<size_t>(part.end - position));
    for (size_t j = 0; j < n; ++j) {
      const int64_t index = position - part.begin + static_cast<int64_t>(j);
      out[done + j] = width_ == 2 ? static_cast<T>(id_at<uint16_t>(part.file, index))
                                  : static_cast<T>(id_at<uint32_t>(part.file, index));
    }
    done += n;
  }
}
template void Tokens::read(int64_t, std::span<int32_t>) const;
template void Tokens::read(int64_t, std::span<int64_t>) const;
template void Tokens::read(int64_t, std::span<uint32_t>) const;

void Tokens::check_ids(int64_t vocab_size) const {
  constexpr int64_t kBlock = 1 << 16;
  for (const Part& part : parts_) {
    const int64_t n = part.end - part.begin;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      const int64_t end = std::min(n, begin + kBlock);
      const uint32_t most =
          width_ == 2 ? largest<uint16_t>(part.file, begin, end) : largest<uint32_t>(part.file, begin, end);
      if (most < vocab_size) continue;
      for (int64_t i = part.begin + begin;; ++i)
        SR_CHECK((*this)[i] < vocab_size,
                 "{} is id {}, but the model's vocabulary has {}; these tokens were made with "
                 "another tokenizer",
                 place(i), (*this)[i], vocab_size);
    }
  }
}

std::string Tokens::place(int64_t position) const {
  const Part& part = part_of(position);
  return fmt::format("{}, token {}", part.file.path(), position - part.begin);
}

}  // namespace suiren::data
