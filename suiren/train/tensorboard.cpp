#include "suiren/train/tensorboard.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::train {
namespace {

constexpr auto kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0u);
    table[i] = c;
  }
  return table;
}();

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Protocol-buffer wire format: a key is (field << 3 | type); type 0 varint, 1 eight bytes, 2 length-prefixed,
// 5 four bytes.
void varint(std::string& out, uint64_t v) {
  for (; v >= 128; v >>= 7) out += static_cast<char>(v | 128);
  out += static_cast<char>(v);
}
template <class T>
void fixed(std::string& out, int field, T v) {
  varint(out, static_cast<uint64_t>(field << 3 | (sizeof(T) == 8 ? 1 : 5)));
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}
void bytes(std::string& out, int field, const std::string& v) {
  varint(out, static_cast<uint64_t>(field << 3 | 2));
  varint(out, v.size());
  out += v;
}

}  // namespace

uint32_t masked_crc32c(const void* data, size_t size) {
  uint32_t c = ~0u;
  for (size_t i = 0; i < size; ++i) c = kTable[(c ^ static_cast<const uint8_t*>(data)[i]) & 255] ^ (c >> 8);
  c = ~c;
  return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

TensorBoardWriter::TensorBoardWriter(const std::string& folder) {
  make_directories(folder);
  char host[256] = "localhost";
  gethostname(host, sizeof host - 1);
  const std::string path =
      fmt::format("{}/events.out.tfevents.{}.{}.{}", folder, static_cast<int64_t>(now()), host, getpid());
  out_.open(path, std::ios::binary | std::ios::app);
  SR_CHECK_AS(kIo, out_.good(), "cannot write {}: {}", path, std::strerror(errno));
  std::string event;  // Event { wall_time = 1, file_version = 3 }
  fixed(event, 1, now());
  bytes(event, 3, "brain.Event:2");
  record(event);
}

void TensorBoardWriter::scalars(int64_t step, std::span<const std::pair<std::string, double>> values) {
  std::string summary;
  for (const auto& [tag, value] : values) {
    std::string v;  // Summary.Value { tag = 1, simple_value = 2 }
    bytes(v, 1, tag);
    fixed(v, 2, static_cast<float>(value));
    bytes(summary, 1, v);
  }
  std::string event;  // Event { wall_time = 1, step = 2, summary = 5 }
  fixed(event, 1, now());
  varint(event, 2 << 3);
  varint(event, static_cast<uint64_t>(step));
  bytes(event, 5, summary);
  record(event);
}

void TensorBoardWriter::record(const std::string& event) {
  const uint64_t size = event.size();
  const uint32_t size_crc = masked_crc32c(&size, sizeof size),
                 data_crc = masked_crc32c(event.data(), event.size());
  out_.write(reinterpret_cast<const char*>(&size), 8).write(reinterpret_cast<const char*>(&size_crc), 4);
  out_.write(event.data(), static_cast<int64_t>(size))
      .write(reinterpret_cast<const char*>(&data_crc), 4)
      .flush();
}

}  // namespace suiren::train
