#include "suiren/io/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/io/json.h"
#include "suiren/io/reader.h"

namespace suiren::io {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;
constexpr std::string_view kDTypeNames[DType::kCount] = {"F64", "F32", "BF16", "F16", "I8",
                                                         "U8",  "I16", "I32",  "I64", "BOOL"};

constexpr std::pair<std::string_view, quant::BlockFormat> kFloat8Names[] = {
    {"F8_E4M3", quant::BlockFormat::kF8_E4M3}, {"F8_E5M2", quant::BlockFormat::kF8_E5M2}};

/// One header item: a tensor of a DType, or of 8-bit floats.
struct Item {
  std::string name;
  std::optional<DType> dtype;
  quant::BlockFormat float8;
  std::vector<int64_t> shape;
  std::span<const uint8_t> bytes;
};

void parse_dtype(const std::string& text, const std::string& where, Item& item) {
  for (const auto& [name, format] : kFloat8Names)
    if (text == name) item.float8 = format;
  const auto found = std::find(std::begin(kDTypeNames), std::end(kDTypeNames), text);
  if (found != std::end(kDTypeNames))
    item.dtype = DType(static_cast<DType::Id>(found - std::begin(kDTypeNames)));
  SR_CHECK_AS(
      kUnsupported, item.dtype || item.float8 != quant::BlockFormat::kF32,
      "{}: dtype '{}' is not supported; convert it to one of F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I8 U8 I16 I32 "
      "I64 BOOL",
      where, text);
}

/// Checked against the `data` region.
Item parse_item(const std::string& name, const Json& json, std::span<const uint8_t> data,
                const std::string& path) {
  const std::string where = fmt::format("{}: tensor '{}'", path, name);
  SR_CHECK(json.is_object(), "{}: expected a JSON object", where);
  Item item{name, {}, {}, {}, {}};
  parse_dtype(json_string(json, "dtype", where), where, item);
  item.shape = json_sizes(json, "shape", where);
  const auto range = json_sizes(json, "data_offsets", where);
  const auto available = static_cast<int64_t>(data.size());
  SR_CHECK(range.size() == 2 && range[0] <= range[1] && range[1] <= available,
           "{}: data_offsets [{}] do not lie in the {} bytes of data; the file is cut short or damaged",
           where, fmt::join(range, ", "), available);
  const int64_t size = item.dtype ? item.dtype->size() : item.float8.block_bytes();
  const int64_t wanted = checked_mul(checked_numel(item.shape, where), size, where);
  SR_CHECK(range[1] - range[0] == wanted, "{}: data_offsets span {} bytes, but {} [{}] takes {}", where,
           range[1] - range[0], item.dtype ? item.dtype->name() : item.float8.name(),
           fmt::join(item.shape, ", "), wanted);
  item.bytes = data.subspan(static_cast<size_t>(range[0]), static_cast<size_t>(wanted));
  return item;
}

/// In file order; throws unless the items cover the data without holes or overlap.
void check_layout(std::vector<Item>& items, std::span<const uint8_t> data, const std::string& path) {
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.bytes.data() != b.bytes.data() ? a.bytes.data() < b.bytes.data()
                                            : a.bytes.size() < b.bytes.size();
  });
  const uint8_t* end = data.data();
  for (const Item& item : items) {
    SR_CHECK(item.bytes.data() == end, "{}: tensor '{}' begins at byte {} of the data, expected {}: {}", path,
             item.name, item.bytes.data() - data.data(), end - data.data(),
             item.bytes.data() < end ? "an overlap" : "a hole");
    end += item.bytes.size();
  }
  SR_CHECK(end == data.data() + data.size(), "{}: {} bytes after the last tensor belong to none", path,
           data.data() + data.size() - end);
}

std::map<std::string, std::string> parse_metadata(const Json& item, const std::string& path) {
  SR_CHECK(item.is_object(), "{}: __metadata__ is not an object", path);
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : item.items()) {
    SR_CHECK(value.is_string(), "{}: __metadata__ value of '{}' is not a string", path, key);
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

}  // namespace

std::string_view safetensors_dtype(DType dtype) {
  SR_CHECK_AS(kUnsupported, !dtype.is_block(), "safetensors has no {}; write GGUF, or floats", dtype);
  return kDTypeNames[dtype.id()];
}

void TensorEntries::add(const std::string& name, const Tensor& t) {
  std::span<const uint8_t> bytes;
  if (const auto* base = static_cast<const uint8_t*>(t.storage()->pointer()); base && t.is_contiguous())
    bytes = {base + t.offset() * t.dtype().size(), static_cast<size_t>(t.bytes())};
  else
    bytes = copies_.emplace_back(t.to_bytes());
  entries_.push_back({name, t.dtype(), {t.shape().begin(), t.shape().end()}, bytes});
}

SafeTensors SafeTensors::open(const std::string& path) {
  SafeTensors result;
  result.path_ = path;
  result.file_ = MappedFile(path);
  result.parse(result.file_.bytes());
  return result;
}

SafeTensors SafeTensors::from_bytes(std::span<const uint8_t> bytes, const std::string& name) {
  SafeTensors result;
  result.path_ = name;
  result.parse(bytes);
  return result;
}

void SafeTensors::parse(std::span<const uint8_t> bytes) {
  Reader reader(bytes, path_);
  const uint64_t header_size = reader.u64();
  SR_CHECK(header_size <= kMaxHeader,
           "{}: the header claims {} bytes, at most {} are allowed; not a safetensors file?", path_,
           header_size, kMaxHeader);
  const auto header_text = reader.string(header_size);
  SR_CHECK(header_text.starts_with('{'), "{}: the header is not a JSON object; not a safetensors file?",
           path_);
  const Json header = parse_json(header_text, path_ + " (header)");
  const auto data = reader.bytes(reader.remaining());

  std::vector<Item> items;
  for (const auto& [name, json] : header.items()) {
    if (name == "__metadata__") {
      metadata_ = parse_metadata(json, path_);
    } else {
      items.push_back(parse_item(name, json, data, path_));
    }
  }
  check_layout(items, data, path_);
  for (Item& item : items) {
    if (!item.dtype) {
      float8_entries_.push_back({std::move(item.name), item.float8, std::move(item.shape), item.bytes});
      continue;
    }
    index_[item.name] = entries_.size();
    entries_.push_back({std::move(item.name), *item.dtype, std::move(item.shape), item.bytes});
  }
}

std::vector<std::string> SafeTensors::names() const {
  std::vector<std::string> names;
  for (const TensorEntry& entry : entries_) names.push_back(entry.name);
  return names;
}

const TensorEntry& SafeTensors::entry(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    for (const BlockEntry& e : float8_entries_)
      SR_CHECK_AS(kUnsupported, e.name != name,
                  "{}: tensor '{}' is {}, which has no dtype here; dequantize it", path_, name, e.format);
    const std::string near = nearest(name, names());
    fail(ErrorCode::kNotFound, "{} has no tensor '{}'{}", path_, name,
         near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
  }
  return entries_[found->second];
}

void write_safetensors(const std::string& path, std::span<const TensorEntry> tensors,
                       const std::map<std::string, std::string>& metadata,
                       std::vector<std::string>* digests) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& t : tensors) order.push_back(&t);
  std::stable_sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return a->dtype.size() > b->dtype.size();
  });

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  std::map<std::string, bool> seen;
  for (const TensorEntry* t : order) {
    const int64_t wanted = checked_mul(checked_numel(t->shape, t->name), t->dtype.size(), t->name);
    SR_CHECK(static_cast<size_t>(wanted) == t->bytes.size(), "tensor '{}' has {} bytes, but {} [{}] takes {}",
             t->name, t->bytes.size(), t->dtype, fmt::join(t->shape, ", "), wanted);
    SR_CHECK(t->name != "__metadata__" && seen.emplace(t->name, true).second,
             "tensor name '{}' is reserved or stands twice", t->name);
    header[t->name] = {{"dtype", safetensors_dtype(t->dtype)},
                       {"shape", t->shape},
                       {"data_offsets", {offset, offset + t->bytes.size()}}};
    offset += t->bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');

  FileWriter file(path);
  const uint64_t header_size = text.size();
  file.write(&header_size, sizeof header_size);
  file.write(text);
  for (const TensorEntry* t : order) file.write(t->bytes.data(), t->bytes.size());
  file.commit();

  if (digests == nullptr) return;
  digests->clear();
  for (const TensorEntry& t : tensors)
    digests->push_back(sha256({reinterpret_cast<const char*>(t.bytes.data()), t.bytes.size()}));
}

}  // namespace suiren::io
