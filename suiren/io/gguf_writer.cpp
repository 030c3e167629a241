#include "suiren/io/gguf_writer.h"

#include <algorithm>
#include <set>

#include "suiren/base/error.h"
#include "suiren/io/gguf_parser.h"
#include "suiren/io/utf8.h"

namespace suiren::io {
namespace {

template <class T>
void append_number(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, std::string_view text) {
  append_number<uint64_t>(out, text.size());
  out += text;
}

void pad(std::string& out, int64_t alignment) {
  const auto to = static_cast<size_t>(alignment);
  out.resize((out.size() + to - 1) / to * to);
}

/// Bytes that the tensor takes; throws unless GGUF can hold it.
int64_t bytes_of(const BlockEntry& t) {
  const std::string where = fmt::format("tensor '{}'", replace_invalid_utf8(t.name));
  SR_CHECK(!t.name.empty() && find_invalid_utf8(t.name) == std::string::npos,
           "the name of {} is empty or not UTF-8", where);
  SR_CHECK_AS(kUnsupported, t.format.gguf_type() >= 0, "{} is {}, which GGUF has not; cast it", where,
              t.format);
  SR_CHECK(t.shape.size() <= kGgufMaxDims, "{} has {} dimensions, GGUF allows {}", where, t.shape.size(),
           kGgufMaxDims);
  return checked_bytes(t.shape, t.format, where);
}

}  // namespace

std::string GgufMetadata::sized(std::string_view text) {
  std::string out;
  append_text(out, text);
  return out;
}

std::vector<GgufMetadata::Item>::const_iterator GgufMetadata::find(std::string_view key) const {
  return std::find_if(items_.begin(), items_.end(), [&](const Item& i) { return i.key == key; });
}

void GgufMetadata::put(std::string_view key, GgufValue::Type type, std::string encoded) {
  SR_CHECK(!key.empty() && find_invalid_utf8(key) == std::string_view::npos,
           "the key '{}' is empty or not UTF-8", replace_invalid_utf8(key));
  const auto found = find(key);
  if (found == items_.end())
    items_.push_back({std::string(key), type, std::move(encoded)});
  else
    items_[static_cast<size_t>(found - items_.begin())] = {std::string(key), type, std::move(encoded)};
}

void GgufMetadata::put_array(std::string_view key, GgufValue::Type element, size_t count,
                             const std::string& elements) {
  std::string encoded;
  append_number<uint32_t>(encoded, element);
  append_number<uint64_t>(encoded, count);
  put(key, GgufValue::kArray, encoded + elements);
}

void GgufMetadata::set(std::string_view key, const std::vector<std::string>& values) {
  std::string elements;
  for (const std::string& v : values) append_text(elements, v);
  put_array(key, GgufValue::kString, values.size(), elements);
}

void GgufMetadata::set(std::string_view key, const GgufValue& value) {
  const auto encoded = value.encoded();
  put(key, value.type(), {reinterpret_cast<const char*>(encoded.data()), encoded.size()});
}

int64_t GgufMetadata::alignment() const {
  const auto found = find("general.alignment");
  return found == items_.end() ? 32 : gguf_alignment(found->type, found->encoded.data(), found->key);
}

std::string gguf_head(std::span<const BlockEntry> tensors, const GgufMetadata& metadata) {
  const int64_t alignment = metadata.alignment();
  std::string out = "GGUF";
  append_number<uint32_t>(out, 3);
  append_number<uint64_t>(out, tensors.size());
  append_number<uint64_t>(out, metadata.items().size());
  for (const GgufMetadata::Item& i : metadata.items()) {
    append_text(out, i.key);
    append_number<uint32_t>(out, i.type);
    out += i.encoded;
  }
  std::set<std::string_view> seen;
  int64_t offset = 0;
  for (const BlockEntry& t : tensors) {
    const int64_t bytes = bytes_of(t);
    SR_CHECK(seen.insert(t.name).second, "tensor name '{}' stands twice", t.name);
    append_text(out, t.name);
    append_number(out, static_cast<uint32_t>(t.shape.size()));
    for (size_t d = t.shape.size(); d-- > 0;) append_number(out, t.shape[d]);
    append_number(out, static_cast<uint32_t>(t.format.gguf_type()));
    append_number(out, offset);
    SR_CHECK(bytes < INT64_MAX / 2 - offset, "the tensors up to '{}' are larger than a file can be", t.name);
    offset = (offset + bytes + alignment - 1) / alignment * alignment;
  }
  pad(out, alignment);
  return out;
}

GgufWriter::GgufWriter(const std::string& path, std::vector<BlockEntry> tensors, const GgufMetadata& metadata)
    : tensors_(std::move(tensors)), alignment_(metadata.alignment()), file_(path) {
  file_.write(gguf_head(tensors_, metadata));
}

void GgufWriter::append(std::span<const uint8_t> bytes) {
  SR_CHECK(next_ < tensors_.size(), "all {} tensors are written already", tensors_.size());
  const BlockEntry& t = tensors_[next_++];
  const int64_t wanted = bytes_of(t);
  SR_CHECK(static_cast<size_t>(wanted) == bytes.size(), "tensor '{}' has {} bytes, but {} [{}] takes {}",
           t.name, bytes.size(), t.format, fmt::join(t.shape, ", "), wanted);
  file_.write(bytes.data(), bytes.size());
  std::string padding(bytes.size() % static_cast<size_t>(alignment_), '\0');
  pad(padding, alignment_);
  file_.write(padding.data(), padding.size() - bytes.size() % static_cast<size_t>(alignment_));
}

void GgufWriter::commit() {
  SR_CHECK(next_ == tensors_.size(), "{} of {} tensors are written; the next is '{}'", next_, tensors_.size(),
           tensors_[next_].name);
  file_.commit();
}

void write_gguf(const std::string& path, std::span<const BlockEntry> tensors, const GgufMetadata& metadata) {
  GgufWriter writer(path, {tensors.begin(), tensors.end()}, metadata);
  for (const BlockEntry& t : tensors) writer.append(t.bytes);
  writer.commit();
}

}  // namespace suiren::io
