#include "suiren/models/gguf/importance.h"

#include <cmath>
#include <cstring>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/gguf.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/models/families/families.h"
#include "suiren/models/gguf/architectures.h"

namespace suiren::models {
namespace {

constexpr std::string_view kSums = ".in_sum2", kCounts = ".counts", kMagic = "GGUF";

std::vector<float> floats(const io::BlockEntry& e, const std::string& where) {
  SR_CHECK(e.format == quant::BlockFormat::kF32, "{}: {} is {}, expected f32", where, e.name, e.format);
  return e.values();
}

/// NAME.in_sum2 [matrices, columns], sums of squares, and NAME.counts [matrices, 1], over how many rows.
ImportanceMatrix read_gguf(const io::Gguf& file) {
  ImportanceMatrix out;
  for (const io::BlockEntry& e : file.entries()) {
    if (!e.name.ends_with(kSums)) continue;
    const std::string tensor = e.name.substr(0, e.name.size() - kSums.size());
    std::vector<float> means = floats(e, file.path());
    const std::vector<float> counts = floats(file.entry(tensor + std::string(kCounts)), file.path());
    SR_CHECK(!counts.empty() && !means.empty() && means.size() % counts.size() == 0,
             "{}: {} has {} numbers for {} counts", file.path(), e.name, means.size(), counts.size());
    const size_t columns = means.size() / counts.size();
    for (size_t i = 0; i < means.size(); ++i)
      means[i] = counts[i / columns] > 0 ? means[i] / counts[i / columns] : 0;
    out.add(tensor, std::move(means), file.path());
  }
  return out;
}

/// Entries: i32 bytes of the name, name, i32 rows that were met, i32 numbers, sums of squares.
ImportanceMatrix read_dat(std::span<const uint8_t> bytes, const std::string& name) {
  ImportanceMatrix out;
  io::Reader in(bytes, name);
  const auto size = [&](const char* what) {
    const uint32_t n = in.u32();
    SR_CHECK(n > 0 && n <= in.remaining(), "{}: at byte {}, {} is {}, but {} bytes are left", name,
             in.offset(), what, n, in.remaining());
    return n;
  };
  const uint32_t entries = size("the number of entries");
  for (uint32_t i = 0; i < entries; ++i) {
    const std::string tensor(in.string(size("the size of a name")));
    const uint32_t rows = in.u32();
    const auto sums = in.bytes(uint64_t{size("the number of columns")} * sizeof(float));
    std::vector<float> means(sums.size() / sizeof(float));
    std::memcpy(means.data(), sums.data(), sums.size());
    for (float& x : means) x = rows > 0 ? x / static_cast<float>(rows) : 0;
    out.add(tensor, std::move(means), name);
  }
  return out;
}

}  // namespace

ImportanceMatrix ImportanceMatrix::from_bytes(std::span<const uint8_t> bytes, const std::string& name) {
  if (bytes.size() >= kMagic.size() && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0)
    return read_gguf(io::Gguf::from_bytes(bytes, name));
  return read_dat(bytes, name);
}

ImportanceMatrix ImportanceMatrix::load(const std::string& path) {
  const MappedFile file(path);
  ImportanceMatrix out = from_bytes(file.bytes(), path);
  SR_CHECK(out.size() > 0, "{} holds no importance of any tensor", path);
  return out;
}

void ImportanceMatrix::save(const std::string& path, int64_t tokens) const {
  io::GgufMetadata metadata;
  metadata.set("general.type", "imatrix");
  metadata.set("imatrix.datasets", std::vector<std::string>{"suiren"});
  metadata.set("imatrix.chunk_count", uint32_t{1});
  metadata.set("imatrix.chunk_size", static_cast<uint32_t>(tokens));
  const float one = 1;
  const std::span count(reinterpret_cast<const uint8_t*>(&one), sizeof one);
  std::vector<io::BlockEntry> entries;
  for (const auto& [tensor, means] : means_) {
    const std::span bytes(reinterpret_cast<const uint8_t*>(means.data()), means.size() * sizeof(float));
    entries.push_back({tensor + std::string(kSums), quant::BlockFormat::kF32, {1, std::ssize(means)}, bytes});
    entries.push_back({tensor + std::string(kCounts), quant::BlockFormat::kF32, {1, 1}, count});
  }
  io::write_gguf(path, entries, metadata);
}

std::span<const float> ImportanceMatrix::of(const std::string& tensor) const {
  const auto found = means_.find(tensor);
  return found == means_.end() ? std::span<const float>() : found->second;
}

void ImportanceMatrix::add(const std::string& tensor, std::vector<float> means, const std::string& where) {
  for (size_t i = 0; i < means.size(); ++i)
    SR_CHECK(std::isfinite(means[i]) && means[i] >= 0, "{}: {}: number {} is {}, expected one of 0 or more",
             where, tensor, i, means[i]);
  SR_CHECK(means_.emplace(tensor, std::move(means)).second, "{}: {} stands twice", where, tensor);
}

std::vector<GgufPlace> gguf_places(const TransformerConfig& config, const std::string& parameter) {
  std::vector<GgufPlace> out;
  const GgufNamePattern own = gguf_name_pattern(parameter);
  if (own.layer < 0) return out;
  // Under its own name, as most files have it, and in the tensor that it shares with others.
  const auto stored = family(config.model_type, "model").stored;
  const GgufNamePattern shared = stored ? gguf_name_pattern(stored(config, parameter, {1, 1}).name) : own;
  for (const GgufTensorRow& row : gguf_tensor_rows(config.model_type)) {
    if (row.layout == GgufTensorRow::kLatentKey || row.layout == GgufTensorRow::kLatentValue) continue;
    const std::string gguf = row.gguf, hf = row.hf;
    const auto is = [&](const GgufNamePattern& name) {
      return name.pattern == hf || name.pattern == hf + ".weight";
    };
    if (!is(own) && !is(shared)) continue;
    const bool stacked = gguf.find("_exps") != gguf.npos;
    out.push_back({gguf_name(gguf.ends_with(".weight") ? gguf : gguf + ".weight", own.layer, -1),
                   stacked ? own.expert : -1});
  }
  return out;
}

}  // namespace suiren::models
