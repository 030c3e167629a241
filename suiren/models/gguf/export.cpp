#include "suiren/models/gguf/export.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "suiren/base/error.h"
#include "suiren/models/families/families.h"
#include "suiren/models/gguf/gguf_config.h"
#include "suiren/models/gguf/rearrange.h"
#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"

namespace suiren::models {

using io::BlockEntry;
using quant::BlockFormat;
using Row = GgufTensorRow;

bool stays_f32_in_gguf(const std::string& name, const std::vector<int64_t>& shape) {
  return shape.size() < 2 || !name.ends_with(".weight") || name.ends_with("_norm.weight") ||
         name.ends_with(".ffn_gate_inp.weight") || name.ends_with(".ffn_gate_inp_shexp.weight") ||
         name == "position_embd.weight";
}

namespace {

/// Tables that old files carry and no parameter lies in.
bool is_buffer(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias");
}

int64_t count(const std::vector<int64_t>& shape) { return io::checked_numel(shape, "a tensor"); }

/// The shape in GGUF of a tensor of Hugging Face's files.
std::vector<int64_t> stored_shape(const BlockEntry& e, Row::Layout layout, int64_t experts) {
  std::vector<int64_t> s = e.shape;
  const auto extents = [&](size_t wanted) {
    SR_CHECK(s.size() == wanted, "{} is [{}], expected {} extents", e.name, fmt::join(s, ", "), wanted);
  };
  if (layout == Row::kTransposed && s.size() == 2) std::swap(s[0], s[1]);
  if (layout == Row::kExperts) s.insert(s.begin(), experts);
  if (layout == Row::kGate || layout == Row::kUp) extents(3), s = {s[0], s[2] / 2, s[1]};
  if (layout == Row::kDown) extents(3), std::swap(s[1], s[2]);
  if (layout == Row::kGateBias || layout == Row::kUpBias) extents(2), s[1] /= 2;
  return s;
}

}  // namespace

GgufExport::GgufExport(const TransformerConfig& config, std::vector<BlockEntry> weights,
                       std::optional<BlockFormat> format)
    : config_(config), format_(format), weights_(std::move(weights)) {
  const std::vector<Row> rows = gguf_tensor_rows(config.model_type);
  gguf_architecture(config.model_type);
  for (auto& [name, values] : gguf_rope_tensors(config)) {
    tensors_.push_back({name, BlockFormat::kF32, {std::ssize(values)}, {}});
    sources_.push_back({{}, Row::kSame, 0, false, std::move(values)});
  }
  for (const BlockEntry& e : weights_) plan(e, rows);
  check();
}

void GgufExport::plan(const BlockEntry& e, const std::vector<Row>& rows) {
  const auto published = family(config_.model_type, "model").published;
  const GgufNamePattern name = gguf_name_pattern(published ? published(e.name) : e.name);
  if (is_buffer(e.name) || (config_.tie_word_embeddings && name.pattern == "lm_head.weight")) return;
  if (name.layer >= config_.num_hidden_layers) return;  // of multi-token prediction
  const size_t dot = name.pattern.rfind('.');
  const std::string stem = name.pattern.substr(0, dot),
                    ending = dot == stem.npos ? "" : name.pattern.substr(dot);
  const Row* first = nullptr;
  for (const Row& row : rows) {
    if (row.layout == Row::kLatentKey || row.layout == Row::kLatentValue) continue;
    const std::string gguf = row.gguf;
    const bool whole = gguf.ends_with(".weight") || gguf.ends_with(".bias");
    if (whole ? name.pattern != row.hf : stem != row.hf || (ending != ".weight" && ending != ".bias"))
      continue;
    // Gate and up of one tensor are two.
    if (first && (std::strcmp(first->hf, row.hf) != 0 || first->layout == row.layout)) continue;
    if (!first) first = &row;
    add(e, row, gguf_name(whole ? gguf : gguf + ending, name.layer, -1), name.expert);
  }
  SR_CHECK_AS(kUnsupported, first, "the tensor '{}' has no place in a GGUF file of the family {}", e.name,
              config_.model_type);
}

void GgufExport::add(const BlockEntry& e, const Row& row, std::string name, int64_t expert) {
  const BlockFormat f = e.format;
  const bool floats = f == BlockFormat::kF32 || f == BlockFormat::kF16 || f == BlockFormat::kBF16;
  SR_CHECK_AS(kUnsupported, floats || (f == BlockFormat::kMXFP4 && row.layout == Row::kExperts),
              "the tensor '{}' is {}; there are f32, f16 and bf16, and experts in mxfp4", e.name, f);
  if (row.layout == Row::kExperts) {
    const auto same = std::ranges::find(tensors_, name, &BlockEntry::name);
    const auto at = static_cast<size_t>(expert);
    SR_CHECK(expert < config_.moe.experts, "there is a tensor '{}', but the model has {} experts", e.name,
             config_.moe.experts);
    if (same != tensors_.end()) {
      sources_[static_cast<size_t>(same - tensors_.begin())].parts[at] = &e;
      return;
    }
  }
  const GgufArchitecture& architecture = gguf_architecture(config_.model_type);
  Source source{{&e}, row.layout, 0, config_.norm_offset && name.ends_with("norm.weight"), {}};
  if (architecture.permuted && row.layout == Row::kQuery) source.heads = config_.num_attention_heads;
  if (architecture.permuted && row.layout == Row::kKey) source.heads = config_.num_key_value_heads;
  SR_CHECK(source.heads == 0 || (!e.shape.empty() && e.shape[0] > 0 && e.shape[0] % (2 * source.heads) == 0),
           "{} is [{}], expected a multiple of 2 x {} rows", e.name, fmt::join(e.shape, ", "), source.heads);
  if (row.layout == Row::kExperts) {
    source.parts.assign(static_cast<size_t>(config_.moe.experts), nullptr);
    source.parts[static_cast<size_t>(expert)] = &e;
  }
  std::vector<int64_t> shape = stored_shape(e, row.layout, config_.moe.experts);
  const BlockFormat stored =
      stays_f32_in_gguf(name, shape) ? BlockFormat(BlockFormat::kF32) : format_.value_or(f);
  tensors_.push_back({std::move(name), stored, std::move(shape), {}});
  sources_.push_back(std::move(source));
}

void GgufExport::check() const {
  std::set<std::string_view> names;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const std::vector<const BlockEntry*>& parts = sources_[i].parts;
    for (size_t k = 0; k < parts.size(); ++k) {
      SR_CHECK(parts[k], "expert {} of {} is missing", k, tensors_[i].name);
      const bool alike = parts[k]->format == parts[0]->format && parts[k]->shape == parts[0]->shape;
      SR_CHECK(alike, "'{}' and '{}' differ in format or shape", parts[0]->name, parts[k]->name);
    }
    SR_CHECK(names.insert(tensors_[i].name).second, "two tensors would be '{}'", tensors_[i].name);
  }
}

std::vector<uint8_t> GgufExport::rearranged(size_t tensor) const {
  const Source& source = sources_[tensor];
  const BlockEntry& e = *source.parts[0];
  const int64_t size = e.format.block_bytes();
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(count(tensors_[tensor].shape) * size));
  std::vector<uint8_t> room;
  for (const BlockEntry* part : source.parts) {
    const std::span<const uint8_t> bytes = part->read(room);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  const std::vector<int64_t>& s = e.shape;
  std::vector<uint8_t> turned(out.size());
  switch (source.layout) {
    case Row::kQuery:
    case Row::kKey:
      if (source.heads == 0) return out;
      permute_rows(out, turned, source.heads, s[0], false);
      return turned;
    case Row::kTransposed:
      if (s.size() != 2) return out;
      transpose_elements(out, turned, s[0], s[1], size);
      return turned;
    case Row::kGate:
    case Row::kUp:
    case Row::kGateBias:
    case Row::kUpBias: {
      const bool second = source.layout == Row::kUp || source.layout == Row::kUpBias;
      turned.resize(out.size() / 2);
      pick_elements(out, turned, second, size);
      if (s.size() == 2) return turned;
      out.resize(turned.size());
      transpose_matrices(turned, out, s[1], s[2] / 2, size);
      return out;
    }
    case Row::kDown:
      transpose_matrices(out, turned, s[1], s[2], size);
      return turned;
    default:
      return out;
  }
}

std::vector<float> GgufExport::values(size_t tensor) const {
  const Source& source = sources_[tensor];
  if (source.parts.empty()) return source.rope;
  const std::vector<uint8_t> raw = rearranged(tensor);
  std::vector<float> out(static_cast<size_t>(count(tensors_[tensor].shape)));
  quant::dequantize(source.parts[0]->format, raw, out);
  if (source.offset)
    for (float& x : out) x += 1;
  return out;
}

std::vector<uint8_t> GgufExport::bytes(size_t tensor) const {
  const BlockEntry& to = tensors_[tensor];
  const Source& source = sources_[tensor];
  if (!source.parts.empty() && source.parts[0]->format == to.format && !source.offset)
    return rearranged(tensor);
  const std::vector<float> numbers = values(tensor);
  std::vector<uint8_t> out(static_cast<size_t>(io::checked_bytes(to.shape, to.format, to.name)));
  quant::quantize(to.format, numbers, {}, out);
  return out;
}

namespace {

// general.file_type: the format in which most numbers stand, as llama.cpp counts formats of files.
std::optional<uint32_t> file_type(const std::vector<BlockEntry>& tensors) {
  constexpr std::pair<quant::BlockFormat::Id, uint32_t> kTypes[] = {{quant::BlockFormat::kF32, 0},
                                                                    {quant::BlockFormat::kF16, 1},
                                                                    {quant::BlockFormat::kBF16, 32},
                                                                    {quant::BlockFormat::kMXFP4, 38}};
  std::optional<uint32_t> most;
  int64_t largest = 0;
  for (const auto& [format, number] : kTypes) {
    int64_t count = 0;
    for (const BlockEntry& e : tensors)
      if (e.format == format) count += io::checked_numel(e.shape, e.name);
    if (count > largest) largest = count, most = number;
  }
  return most;
}

}  // namespace

void GgufExport::write_metadata(io::GgufMetadata& metadata) const {
  write_gguf_config(config_, metadata);
  if (const auto type = file_type(tensors_)) metadata.set("general.file_type", *type);
  std::map<std::string, std::vector<std::string>> widened;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const Source& source = sources_[i];
    if (source.parts.empty()) continue;
    for (const BlockEntry* part : source.parts)
      if (!format_ && part->format != tensors_[i].format)
        widened[std::string(part->format.name())].push_back(part->name);
    if (!source.offset) continue;
    const std::vector<float> exact = source.parts[0]->values();
    if (std::ranges::any_of(exact, [](float w) { return (w + 1) - 1 != w; }))
      metadata.set("suiren.norms." + tensors_[i].name, exact);
  }
  for (const auto& [format, names] : widened) metadata.set("suiren.stored_as." + format, names);
}

}  // namespace suiren::models
