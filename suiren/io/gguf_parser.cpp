#include "suiren/io/gguf_parser.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "suiren/base/error.h"
#include "suiren/io/utf8.h"

namespace suiren::io {
namespace {

constexpr int kMaxDepth = 64;  // arrays in arrays, as deep as JSON may be
constexpr int kSizes[GgufValue::kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // 0: the value says

/// Types that GGUF has and suiren has not.
std::string_view known_type(uint32_t type) {
  constexpr std::pair<uint32_t, std::string_view> kOthers[] = {
      {4, "q4_2"},   {5, "q4_3"},   {9, "q8_1"},   {15, "q8_k"},  {19, "iq1_s"}, {21, "iq3_s"},
      {22, "iq2_s"}, {29, "iq1_m"}, {34, "tq1_0"}, {35, "tq2_0"}, {40, "nvfp4"}, {41, "q1_0"}};
  for (const auto& [number, name] : kOthers)
    if (number == type) return name;
  return "unknown";
}

std::string type_list() {
  std::string names;
  for (int id = 0; id < quant::BlockFormat::kCount; ++id) {
    const quant::BlockFormat format(static_cast<quant::BlockFormat::Id>(id));
    if (format.gguf_type() >= 0) names += fmt::format("{}{}", names.empty() ? "" : " ", format);
  }
  return names;
}

}  // namespace

int64_t gguf_alignment(GgufValue::Type type, const void* encoded, const std::string& where) {
  uint32_t value = 0;
  if (type == GgufValue::kU32) std::memcpy(&value, encoded, sizeof value);
  SR_CHECK(value != 0 && (value & (value - 1)) == 0, "{} is {}, expected a u32 that is a power of two", where,
           type == GgufValue::kU32 ? std::to_string(value) : std::string(gguf_type_name(type)));
  return value;
}

void GgufParser::parse(Gguf& out) {
  out.version_ = read_version();
  const int64_t tensors = read_count("tensors", 24), keys = read_count("keys", 13);
  read_metadata(out, keys);
  std::vector<uint64_t> offsets;
  for (int64_t i = 0; i < tensors; ++i) {
    out.entries_.push_back(read_tensor());
    offsets.push_back(reader_.u64());
  }
  place_tensors(out, offsets);
}

uint32_t GgufParser::read_version() {
  SR_CHECK(reader_.remaining() >= 8 && reader_.string(4) == "GGUF",
           "{} does not begin with 'GGUF'; not a GGUF file?", reader_.name());
  const uint32_t version = reader_.u32();
  SR_CHECK_AS(
      kUnsupported, (version & 0xffff) != 0 || version == 0,
      "{} is a big-endian GGUF file (version {}), which is not supported; convert it to little-endian",
      reader_.name(), __builtin_bswap32(version));
  SR_CHECK_AS(kUnsupported, version == 2 || version == 3,
              "{}: GGUF version {} is not supported; convert it to version 3", reader_.name(), version);
  return version;
}

int64_t GgufParser::read_count(std::string_view what, uint64_t least_bytes) {
  const uint64_t count = reader_.u64();
  SR_CHECK(count <= reader_.remaining() / least_bytes,
           "{}: {} {} are claimed, but {} bytes are left; the file is cut short or damaged", reader_.name(),
           count, what, reader_.remaining());
  return static_cast<int64_t>(count);
}

std::string_view GgufParser::read_name(std::string_view what) {
  const std::string_view name = reader_.string(reader_.u64());
  SR_CHECK(!name.empty() && find_invalid_utf8(name) == std::string_view::npos,
           "{}: the name of a {} that ends at byte {} is {}", reader_.name(), what, reader_.offset(),
           name.empty() ? "empty" : "not UTF-8");
  return name;
}

GgufValue GgufParser::read_value(Reader& reader, uint32_t type, std::string_view key, int depth) {
  SR_CHECK(type < GgufValue::kTypes, "{}: {} has type {}, which GGUF does not know", reader.name(), key,
           type);
  Reader start = reader;
  GgufValue value;
  value.type_ = static_cast<GgufValue::Type>(type);
  if (type == GgufValue::kString) {
    value.payload_ = reader.bytes(reader.u64());
  } else if (type == GgufValue::kArray) {
    SR_CHECK(depth < kMaxDepth, "{}: {} nests arrays deeper than {}", reader.name(), key, kMaxDepth);
    const uint32_t element = reader.u32();
    const uint64_t count = reader.u64();
    SR_CHECK(element < GgufValue::kTypes, "{}: {} is an array of type {}, which GGUF does not know",
             reader.name(), key, element);
    const uint64_t least = kSizes[element]                 ? static_cast<uint64_t>(kSizes[element])
                           : element == GgufValue::kString ? 8
                                                           : 12;
    SR_CHECK(count <= reader.remaining() / least,
             "{}: {} is an array of {} elements, but {} bytes are left; the file is cut short or damaged",
             reader.name(), key, count, reader.remaining());
    value.element_type_ = static_cast<GgufValue::Type>(element);
    value.size_ = static_cast<int64_t>(count);
    Reader elements = reader;
    if (kSizes[element] && element != GgufValue::kBool) {
      reader.bytes(count * least);
    } else {
      for (uint64_t i = 0; i < count; ++i) read_value(reader, element, key, depth + 1);
    }
    value.payload_ = elements.bytes(reader.offset() - elements.offset());
  } else {
    value.payload_ = reader.bytes(static_cast<uint64_t>(kSizes[type]));
    SR_CHECK(type != GgufValue::kBool || value.payload_[0] <= 1,
             "{}: {} is a boolean of value {}, expected 0 or 1", reader.name(), key, value.payload_[0]);
  }
  value.encoded_ = start.bytes(reader.offset() - start.offset());
  return value;
}

void GgufParser::read_metadata(Gguf& out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const std::string_view key = read_name("key");
    const uint32_t type = reader_.u32();
    out.metadata_.push_back({key, read_value(reader_, type, key)});
    if (key != "general.alignment") continue;
    const GgufValue& value = out.metadata_.back().value;
    out.alignment_ =
        gguf_alignment(value.type(), value.encoded().data(), fmt::format("{}: {}", reader_.name(), key));
  }
}

BlockEntry GgufParser::read_tensor() {
  const std::string_view name = read_name("tensor");
  const uint32_t dims = reader_.u32();
  SR_CHECK(dims <= kGgufMaxDims, "{}: tensor '{}' has {} dimensions, at most {} are allowed", reader_.name(),
           name, dims, kGgufMaxDims);
  std::vector<int64_t> shape(dims);
  for (uint32_t i = 0; i < dims; ++i) {
    const uint64_t extent = reader_.u64();
    SR_CHECK(extent <= INT64_MAX, "{}: tensor '{}' has an extent of {}", reader_.name(), name, extent);
    shape[dims - 1 - i] = static_cast<int64_t>(extent);
  }
  const uint32_t type = reader_.u32();
  const auto format = quant::BlockFormat::from_gguf_type(type);
  SR_CHECK_AS(kUnsupported, format.has_value(),
              "{}: tensor '{}' has type {} ({}), which is not supported; convert it to one of {}",
              reader_.name(), name, type, known_type(type), type_list());
  return {std::string(name), *format, std::move(shape), {}};
}

void GgufParser::place_tensors(Gguf& out, const std::vector<uint64_t>& offsets) {
  const auto alignment = static_cast<uint64_t>(out.alignment_);
  const auto align = [&](uint64_t at) { return (at + alignment - 1) / alignment * alignment; };
  const uint64_t begin = align(reader_.offset());
  const auto data = bytes_.subspan(std::min<uint64_t>(begin, bytes_.size()));
  for (size_t i = 0; i < offsets.size(); ++i) {
    BlockEntry& e = out.entries_[i];
    const auto where = [&] { return fmt::format("{}: tensor '{}'", reader_.name(), e.name); };
    SR_CHECK(offsets[i] % alignment == 0,
             "{} begins at byte {} of the data, which is no multiple of the alignment {}", where(),
             offsets[i], alignment);
    const auto size = static_cast<uint64_t>(checked_bytes(e.shape, e.format, where()));
    SR_CHECK(offsets[i] <= data.size() && size <= data.size() - offsets[i],
             "{} takes {} bytes from byte {} of the data, which has {}; the file is cut short or damaged",
             where(), size, offsets[i], data.size());
    e.bytes = data.subspan(offsets[i], size);
  }
  std::vector<uint32_t> order(offsets.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(offsets[a], out.entries_[a].bytes.size()) <
           std::pair(offsets[b], out.entries_[b].bytes.size());
  });
  uint64_t end = 0;
  for (uint32_t i : order) {
    SR_CHECK(offsets[i] == align(end), "{}: tensor '{}' begins at byte {} of the data, expected {}: {}",
             reader_.name(), out.entries_[i].name, offsets[i], align(end),
             offsets[i] < end ? "an overlap" : "a hole");
    end = offsets[i] + out.entries_[i].bytes.size();
  }
  SR_CHECK(data.size() <= align(end), "{}: {} bytes after the last tensor belong to none", reader_.name(),
           data.size() - end);
}

}  // namespace suiren::io
