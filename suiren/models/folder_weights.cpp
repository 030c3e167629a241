#include "suiren/models/folder_weights.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "suiren/quant/dequantize.h"

namespace suiren::models {
namespace {

using io::BlockEntry;
using io::Json;
using quant::BlockFormat;
using Bytes = std::span<const uint8_t>;

constexpr std::string_view kScale = "_scale_inv", kBlocks = "_blocks", kScales = "_scales";
/// The numbers 0, 1, 2 ... of positions, as integers: no layer reads them.
constexpr std::string_view kPositionIds = "embeddings.position_ids";
constexpr int64_t kBlock = 32, kBlockBytes = kBlock / 2;  // of mxfp4, without its exponent

std::vector<std::string> shards_of(const std::string& folder) {
  const std::string whole = folder + "/model.safetensors", index = whole + ".index.json";
  if (std::filesystem::exists(whole) || !std::filesystem::exists(index)) return {whole};
  const Json json = io::read_json(index);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : io::json_member(json, "weight_map", index).items()) {
    SR_CHECK(file.is_string() && file.get_ref<const std::string&>().find('/') == std::string::npos,
             "{}: weight_map.{} is {}, expected a file name beside the index", index, tensor, file.dump());
    shards.insert(folder + "/" + file.get<std::string>());
  }
  return {shards.begin(), shards.end()};
}

/// How a folder stores what does not stand as numbers.
struct Quantization {
  int64_t tile_rows = 0, tile_columns = 0;  ///< of fp8; 0: there is none
  bool mxfp4 = false;
};

Quantization quantization_of(const Json& config, const std::string& where) {
  Quantization out;
  if (config.is_null()) return out;
  SR_CHECK(config.is_object(), "{}: expected a JSON object", where);
  const std::string method = io::json_string(config, "quant_method", where);
  std::set<std::string> known = {"quant_method", "modules_to_not_convert"};
  if (method == "mxfp4") {
    out.mxfp4 = true;
  } else if (method == "fp8") {
    known.insert({"activation_scheme", "fmt", "ignored_layers", "scale_fmt", "weight_block_size"});
    const std::vector<int64_t> tile = io::json_sizes(config, "weight_block_size", where);
    SR_CHECK(tile.size() == 2 && tile[0] > 0 && tile[1] > 0,
             "{}: weight_block_size is [{}], expected two sizes above 0", where, fmt::join(tile, ", "));
    out.tile_rows = tile[0], out.tile_columns = tile[1];
  } else {
    fail(ErrorCode::kUnsupported,
         "{}: quant_method is '{}'; there are fp8 with weight_block_size, and mxfp4. Take a file in GGUF, or "
         "the weights as they were before",
         where, method);
  }
  for (const auto& [key, value] : config.items())
    SR_CHECK_AS(kUnsupported, known.count(key), "{}: unknown key '{}'; it may change what the weights mean",
                where, key);
  return out;
}

/// A tensor of a file; `format` is none for those that only stand for others' scales or halves of bytes.
struct Raw {
  std::string name;
  std::optional<BlockFormat> format;
  DType dtype;  // without a format
  std::vector<int64_t> shape;
  Bytes bytes;
};

int64_t tiles(int64_t extent, int64_t size) { return extent / size + (extent % size != 0); }

/// Tile by tile, in f32.
BlockEntry scaled(const Raw& matrix, const Raw& scale, const Quantization& q) {
  SR_CHECK(matrix.shape.size() == 2, "{} is [{}], expected a matrix", matrix.name,
           fmt::join(matrix.shape, ", "));
  const int64_t rows = matrix.shape[0], columns = matrix.shape[1], across = tiles(columns, q.tile_columns);
  const std::vector<int64_t> wanted = {tiles(rows, q.tile_rows), across};
  SR_CHECK(scale.format && scale.shape == wanted,
           "{} is {} [{}], expected floats [{}]: one for each {} x {} of {}", scale.name,
           scale.format ? scale.format->name() : scale.dtype.name(), fmt::join(scale.shape, ", "),
           fmt::join(wanted, ", "), q.tile_rows, q.tile_columns, matrix.name);
  const auto form = [=, format = *matrix.format, bytes = matrix.bytes, factor_format = *scale.format,
                     factor_bytes = scale.bytes] {
    std::vector<uint8_t> out(static_cast<size_t>(rows * columns) * sizeof(float));
    if (out.empty()) return out;  // perhaps of any number of rows
    std::vector<float> factors(static_cast<size_t>(wanted[0] * wanted[1]));
    float* values = reinterpret_cast<float*>(out.data());
    quant::dequantize(format, bytes, {values, static_cast<size_t>(rows * columns)});
    quant::dequantize(factor_format, factor_bytes, factors);
    parallel_for(rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        for (int64_t c = 0; c < columns; ++c)
          values[r * columns + c] *=
              factors[static_cast<size_t>(r / q.tile_rows * across + c / q.tile_columns)];
    });
    return out;
  };
  return {matrix.name, BlockFormat::kF32, matrix.shape, {}, form};
}

/// Rows of a matrix of `groups` blocks each, `step` rows apart, as suiren/quant/unpack.h lays out mxfp4: a
/// block's exponent, then element i beside element i + 16; files have elements 2 i and 2 i + 1 in a byte.
std::vector<uint8_t> packed(const uint8_t* halves, const uint8_t* exponents, int64_t rows, int64_t groups,
                            int64_t step) {
  std::vector<uint8_t> out(static_cast<size_t>(rows * groups * (1 + kBlockBytes)));
  uint8_t* to = out.data();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t at = row * step * groups + g;
      const uint8_t* from = halves + at * kBlockBytes;
      const auto element = [&](int64_t i) { return (from[i / 2] >> (i % 2 * 4)) & 15; };
      *to++ = exponents[at];
      for (int64_t i = 0; i < kBlockBytes; ++i)
        *to++ = static_cast<uint8_t>(element(i) | element(i + kBlockBytes) << 4);
    }
  return out;
}

/// The matrices of the experts whose `stem`_blocks and `stem`_scales these are.
void add_experts(const std::string& stem, const Raw& blocks, const Raw& scales, std::vector<BlockEntry>& to) {
  const auto& s = blocks.shape;
  const bool fits = s.size() == 4 && s[3] == kBlockBytes && scales.shape.size() == 3 &&
                    std::equal(scales.shape.begin(), scales.shape.end(), s.begin());
  SR_CHECK(!blocks.format && blocks.dtype == kU8 && !scales.format && scales.dtype == kU8 && fits &&
               !blocks.bytes.empty(),
           "{} is [{}] and {} is [{}]: expected u8 [experts, out, blocks, 16] and [experts, out, blocks]",
           blocks.name, fmt::join(s, ", "), scales.name, fmt::join(scales.shape, ", "));
  const size_t dot = stem.rfind('.') + 1;
  const bool both = stem.substr(dot) == "gate_up_proj";
  SR_CHECK_AS(kUnsupported, dot > 0 && (both || stem.substr(dot) == "down_proj") && (!both || s[1] % 2 == 0),
              "{} has {} rows: there are gate_up_proj, whose rows take turns, and down_proj", blocks.name,
              s[1]);
  const int64_t step = both ? 2 : 1, rows = s[1] / step, groups = s[2];
  for (int64_t expert = 0; expert < s[0]; ++expert)
    for (int64_t part = 0; part < step; ++part) {
      const int64_t first = (expert * s[1] + part) * groups;
      const uint8_t *halves = blocks.bytes.data() + first * kBlockBytes,
                    *exponents = scales.bytes.data() + first;
      const char* name = !both ? "down_proj" : part ? "up_proj" : "gate_proj";
      to.push_back({fmt::format("{}{}.{}.weight", stem.substr(0, dot), expert, name),
                    BlockFormat::kMXFP4,
                    {rows, groups * kBlock},
                    {},
                    [=] { return packed(halves, exponents, rows, groups, step); }});
    }
}

}  // namespace

FolderWeights FolderWeights::open(const std::string& folder) {
  FolderWeights out;
  for (const std::string& path : shards_of(folder)) out.files_.push_back(io::SafeTensors::open(path));
  const std::string path = folder + "/config.json";
  const Json config = io::read_json(path);
  const auto found = config.find("quantization_config");
  out.collect(found == config.end() ? Json() : *found, path + ": quantization_config");
  return out;
}

FolderWeights::FolderWeights(io::SafeTensors file, const Json& quantization_config,
                             const std::string& where) {
  files_.push_back(std::move(file));
  collect(quantization_config, where);
}

void FolderWeights::collect(const Json& config, const std::string& where) {
  const Quantization q = quantization_of(config, where);
  std::map<std::string, Raw> all;
  const auto add = [&](const std::string& path, Raw raw) {
    const std::string name = raw.name;
    SR_CHECK(all.emplace(name, std::move(raw)).second, "{}: tensor {} stands in another shard too", path,
             name);
  };
  for (const io::SafeTensors& file : files_) {
    for (const io::TensorEntry& e : file.entries())
      add(file.path(), {e.name, BlockFormat::of(e.dtype), e.dtype, e.shape, e.bytes});
    for (const BlockEntry& e : file.float8_entries())
      add(file.path(), {e.name, e.format, {}, e.shape, e.bytes});
  }
  const auto beside = [&](const std::string& name) {
    const auto found = all.find(name);
    SR_CHECK(found != all.end(), "{}: {} is missing", files_[0].path(), name);
    return &found->second;
  };
  for (const auto& [name, raw] : all) {
    const bool float8 = raw.format == BlockFormat::kF8_E4M3 || raw.format == BlockFormat::kF8_E5M2;
    if (q.mxfp4 && name.ends_with(kBlocks)) {
      const std::string stem = name.substr(0, name.size() - kBlocks.size());
      add_experts(stem, raw, *beside(stem + std::string(kScales)), entries_);
    } else if (q.mxfp4 && name.ends_with(kScales)) {
      beside(name.substr(0, name.size() - kScales.size()) + std::string(kBlocks));
    } else if (q.tile_rows && name.ends_with(kScale)) {
      beside(name.substr(0, name.size() - kScale.size()));
    } else if (q.tile_rows && float8) {
      entries_.push_back(scaled(raw, *beside(name + std::string(kScale)), q));
    } else if (!name.ends_with(kPositionIds) || raw.format) {
      SR_CHECK_AS(kUnsupported, raw.format && !float8, "{}: tensor {} is {}, which no layer holds: {}",
                  files_[0].path(), name, raw.format ? raw.format->name() : raw.dtype.name(),
                  float8 ? "config.json states no quant_method fp8" : "expected a floating type");
      entries_.push_back({name, *raw.format, raw.shape, raw.bytes});
    }
  }
}

void check_size(std::span<const BlockEntry> entries, int64_t parameters, const std::string& where) {
  int64_t elements = 0;
  for (const BlockEntry& e : entries) elements += io::checked_numel(e.shape, e.name);
  SR_CHECK(elements >= parameters / 4, "{} has {} numbers, too few for the {} parameters of its model", where,
           elements, parameters);
}

}  // namespace suiren::models
