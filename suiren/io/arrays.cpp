#include "suiren/io/arrays.h"

#include <zlib.h>

#include <algorithm>

#include "suiren/base/file.h"
#include "suiren/io/npy.h"
#include "suiren/io/reader.h"

namespace suiren::io {
namespace {

// Zip: APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr uint64_t kEndBytes = 22,
                   kMostExpansion = 1032;  // deflate cannot do more (RFC 1951: 258 bytes in 2 bits)
constexpr uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1;

struct Type {
  const char* descr;
  DType dtype;
};
const Type kTypes[] = {{"<f8", kF64}, {"<f4", kF32}, {"<f2", kF16},  {"|i1", kI8},
                       {"<i1", kI8},  {"|u1", kU8},  {"<u1", kU8},   {"<i2", kI16},
                       {"<i4", kI32}, {"<i8", kI64}, {"|b1", kBool}, {"<b1", kBool}};

Tensor tensor_of(const Npy& array, const std::string& name, const Device& device) {
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const Type& t) { return array.descr() == t.descr; });
  SR_CHECK_AS(kUnsupported, type != std::end(kTypes),
              "{}: there is no dtype for '{}'; save it as int64 or float", name, array.descr());
  SR_CHECK_AS(kUnsupported, array.shape().size() <= kMaxRank, "{}: {} dimensions, {} are possible", name,
              array.shape().size(), kMaxRank);
  Shape shape;
  for (int64_t d : array.shape()) shape.push_back(d);
  return Tensor::from_bytes(array.bytes(), shape, type->dtype, device);
}

const char* descr_of(const Tensor& t, const std::string& name) {
  for (const Type& type : kTypes)
    if (type.dtype == t.dtype()) return type.descr;
  fail(ErrorCode::kUnsupported, "{}: NumPy has no {}; cast the tensor to f32 first", name, t.dtype());
}

std::vector<uint8_t> inflated(std::span<const uint8_t> packed, uint64_t size, const std::string& name) {
  SR_CHECK(size <= packed.size() * kMostExpansion + 64, "{}: {} bytes cannot unpack to {}", name,
           packed.size(), size);
  std::vector<uint8_t> out(size);
  z_stream z{};
  SR_CHECK_AS(kInternal, inflateInit2(&z, -MAX_WBITS) == Z_OK, "{}: zlib did not start", name);
  z.next_in = const_cast<Bytef*>(packed.data());
  z.avail_in = static_cast<uInt>(packed.size());
  z.next_out = out.data();
  z.avail_out = static_cast<uInt>(out.size());
  const int status = inflate(&z, Z_FINISH);
  const bool whole = status == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
  inflateEnd(&z);
  SR_CHECK(whole, "{}: its compressed bytes are damaged", name);
  return out;
}

struct Member {
  std::string name;
  uint16_t method;
  uint32_t crc;
  std::span<const uint8_t> packed;
  uint64_t size;
};

// One entry of the central directory, and the bytes that it points to.
Member read_member(Reader& directory, std::span<const uint8_t> file) {
  SR_CHECK(directory.u32() == kCentral, "{}: the archive's directory is damaged at byte {}", directory.name(),
           directory.offset() - 4);
  directory.bytes(4);
  const uint16_t flags = directory.u16();
  Member m;
  m.method = directory.u16();
  directory.bytes(4);
  m.crc = directory.u32();
  const uint32_t packed = directory.u32();
  m.size = directory.u32();
  const uint16_t name = directory.u16(), extra = directory.u16(), comment = directory.u16();
  directory.bytes(8);
  const uint32_t at = directory.u32();
  m.name = directory.string(name);
  directory.bytes(uint64_t{extra} + comment);
  SR_CHECK_AS(kUnsupported, !(flags & kEncrypted), "{}: '{}' is encrypted", directory.name(), m.name);
  SR_CHECK_AS(kUnsupported, packed != UINT32_MAX && m.size != UINT32_MAX && at != UINT32_MAX,
              "{}: '{}' needs Zip64; save arrays of less than 4 GiB", directory.name(), m.name);
  Reader local(file, directory.name());
  local.seek(at);
  SR_CHECK(local.u32() == kLocal, "{}: '{}' does not begin at byte {}", directory.name(), m.name, at);
  local.bytes(22);
  const uint16_t local_name = local.u16(), local_extra = local.u16();
  local.bytes(uint64_t{local_name} + local_extra);
  m.packed = local.bytes(packed);
  return m;
}

Tensor load_member(const Member& m, const std::string& where, const Device& device) {
  SR_CHECK_AS(kUnsupported, m.method == kStored || m.method == kDeflated,
              "{}: compression method {} is unknown", where, m.method);
  std::vector<uint8_t> unpacked;
  std::span<const uint8_t> bytes = m.packed;
  if (m.method == kDeflated) bytes = unpacked = inflated(m.packed, m.size, where);
  SR_CHECK(bytes.size() == m.size, "{}: {} bytes, its header says {}", where, bytes.size(), m.size);
  const auto crc = crc32_z(0, bytes.data(), bytes.size());
  SR_CHECK(crc == m.crc, "{}: the checksum differs; the file is damaged", where);
  return tensor_of(Npy::from_bytes(bytes, where), where, device);
}

// Little-endian numbers of a zip header, one after another.
class Record {
 public:
  Record& u16(uint64_t x) { return number(x, 2); }
  Record& u32(uint64_t x) { return number(x, 4); }
  std::string text;

 private:
  Record& number(uint64_t x, int bytes) {
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(x >> (8 * i) & 0xff);
    return *this;
  }
};

}  // namespace

Tensor load_npy(const std::string& path, const Device& device) {
  return tensor_of(Npy::open(path), path, device);
}

void save_npy(const std::string& path, const Tensor& t) {
  const std::vector<uint8_t> bytes = t.to_bytes();
  write_npy(path, descr_of(t, path), {t.shape().begin(), t.shape().end()}, bytes);
}

std::map<std::string, Tensor> load_npz(const std::string& path, const Device& device) {
  const MappedFile file(path);
  return parse_npz(file.bytes(), path, device);
}

std::map<std::string, Tensor> parse_npz(std::span<const uint8_t> bytes, const std::string& name,
                                        const Device& device) {
  // The end record stands last, before a comment of at most 64 KiB.
  uint64_t at = bytes.size() < kEndBytes ? 0 : bytes.size() - kEndBytes + 1;
  const uint64_t first = bytes.size() > kEndBytes + UINT16_MAX ? bytes.size() - kEndBytes - UINT16_MAX : 0;
  bool found = false;
  while (!found && at > first) {
    --at;
    Reader r(bytes.subspan(at), name);
    found = r.u32() == kEnd;
  }
  SR_CHECK(found, "{}: not an .npz file: a zip archive ends with a directory, this does not", name);
  Reader end(bytes.subspan(at), name);
  end.bytes(10);
  const uint16_t count = end.u16();
  end.bytes(4);
  Reader directory(bytes, name);
  directory.seek(end.u32());
  std::map<std::string, Tensor> arrays;
  size_t packed = 0;
  for (int i = 0; i < count; ++i) {
    const Member m = read_member(directory, bytes);
    packed += m.packed.size();
    SR_CHECK(packed <= bytes.size(), "{}: its arrays overlap; the file is damaged", name);
    const std::string key = m.name.ends_with(".npy") ? m.name.substr(0, m.name.size() - 4) : m.name;
    SR_CHECK(!arrays.count(key), "{}: two arrays are named '{}'", name, key);
    arrays[key] = load_member(m, name + ":" + m.name, device);
  }
  return arrays;
}

void save_npz(const std::string& path, const std::map<std::string, Tensor>& arrays) {
  FileWriter file(path);
  std::string directory;
  for (const auto& [key, tensor] : arrays) {
    const std::string name = key + ".npy";
    const std::vector<uint8_t> elements = tensor.to_bytes();
    const std::string header =
        npy_header(descr_of(tensor, path + ":" + name), {tensor.shape().begin(), tensor.shape().end()}, path);
    const uint64_t size = header.size() + elements.size(), at = static_cast<uint64_t>(file.size());
    SR_CHECK_AS(kUnsupported, size < UINT32_MAX && at + size < UINT32_MAX - (1u << 20),
                "{}: '{}' makes the archive exceed 4 GiB; save it as .npy", path, key);
    auto crc = crc32_z(0, reinterpret_cast<const Bytef*>(header.data()), header.size());
    crc = crc32_z(crc, elements.data(), elements.size());
    Record common;  // version 2.0, UTF-8 names, stored; 1980-01-01, so that equal arrays give equal files
    common.u16(20)
        .u16(1 << 11)
        .u16(kStored)
        .u16(0)
        .u16(0x21)
        .u32(crc)
        .u32(size)
        .u32(size)
        .u16(name.size())
        .u16(0);
    file.write(Record().u32(kLocal).text + common.text + name + header);
    file.write(elements.data(), elements.size());
    directory += Record().u32(kCentral).u16(20).text + common.text +
                 Record().u16(0).u16(0).u16(0).u32(0).u32(at).text + name;
  }
  SR_CHECK_AS(kUnsupported, arrays.size() <= UINT16_MAX, "{}: {} arrays, an archive holds {}", path,
              arrays.size(), UINT16_MAX);
  const auto begin = static_cast<uint64_t>(file.size());
  file.write(directory);
  file.write(Record()
                 .u32(kEnd)
                 .u16(0)
                 .u16(0)
                 .u16(arrays.size())
                 .u16(arrays.size())
                 .u32(directory.size())
                 .u32(begin)
                 .u16(0)
                 .text);
  file.commit();
}

}  // namespace suiren::io
