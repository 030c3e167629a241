#include "suiren/models/gguf/rearrange.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "suiren/base/error.h"
#include "suiren/models/gguf/gguf_config.h"
#include "suiren/quant/dequantize.h"

namespace suiren::models {

using io::BlockEntry;
using Row = GgufTensorRow;

void permute_rows(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t heads, int64_t rows,
                  bool undo) {
  const auto width = static_cast<size_t>(static_cast<int64_t>(from.size()) / rows);
  const int64_t size = rows / heads, half = size / 2;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t r = 0; r < size; ++r) {
      const auto split = static_cast<size_t>(h * size + r);
      const auto paired = static_cast<size_t>(h * size + r % half * 2 + r / half);
      std::memcpy(to.data() + (undo ? split : paired) * width, from.data() + (undo ? paired : split) * width,
                  width);
    }
}

void transpose_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t rows, int64_t columns,
                        int64_t size) {
  const auto width = static_cast<size_t>(size);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      std::memcpy(to.data() + static_cast<size_t>(j * rows + i) * width,
                  from.data() + static_cast<size_t>(i * columns + j) * width, width);
}

void transpose_matrices(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t rows, int64_t columns,
                        int64_t size) {
  const auto matrix = static_cast<size_t>(rows * columns * size);
  for (size_t at = 0; at < from.size(); at += matrix)
    transpose_elements(from.subspan(at, matrix), to.subspan(at, matrix), rows, columns, size);
}

void pick_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t first, int64_t size) {
  const auto width = static_cast<size_t>(size);
  for (size_t i = 0; i < to.size() / width; ++i)
    std::memcpy(to.data() + i * width, from.data() + (2 * i + static_cast<size_t>(first)) * width, width);
}

void interleave_elements(std::span<const uint8_t> from, std::span<uint8_t> to, int64_t first, int64_t size) {
  const auto width = static_cast<size_t>(size);
  for (size_t i = 0; i < from.size() / width; ++i)
    std::memcpy(to.data() + (2 * i + static_cast<size_t>(first)) * width, from.data() + i * width, width);
}

namespace {

/// The parameters that make up a transposed matrix of GPT-2, by rows.
std::vector<const char*> own_names(std::string_view hf) {
  if (hf.ends_with(".attn.c_attn")) return {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"};
  if (hf.ends_with(".attn.c_proj")) return {"self_attn.o_proj"};
  if (hf.ends_with(".mlp.c_fc")) return {"mlp.up_proj"};
  return {"mlp.down_proj"};
}

/// The keys of a head, transposed, before its values, head by head, in f32.
std::vector<uint8_t> joined_latent(const LatentConfig& l, int64_t heads, const BlockEntry& key,
                                   const BlockEntry& value) {
  std::vector<float> keys(static_cast<size_t>(heads * l.kv_rank * l.nope_head_dim));
  std::vector<float> values(static_cast<size_t>(heads * l.kv_rank * l.v_head_dim));
  quant::dequantize(key.format, key.bytes, keys);
  quant::dequantize(value.format, value.bytes, values);
  const auto key_size = static_cast<size_t>(l.kv_rank * l.nope_head_dim) * sizeof(float);
  const auto value_size = static_cast<size_t>(l.kv_rank * l.v_head_dim) * sizeof(float);
  std::vector<uint8_t> bytes((key_size + value_size) * static_cast<size_t>(heads));
  const auto bytes_of = [](const std::vector<float>& list) {
    return std::span(reinterpret_cast<const uint8_t*>(list.data()), list.size() * sizeof(float));
  };
  for (size_t h = 0; h < static_cast<size_t>(heads); ++h) {
    const auto to = std::span(bytes).subspan(h * (key_size + value_size));
    transpose_elements(bytes_of(keys).subspan(h * key_size, key_size), to, l.kv_rank, l.nope_head_dim,
                       sizeof(float));
    const auto from = bytes_of(values).subspan(h * value_size, value_size);
    std::ranges::copy(from, to.begin() + static_cast<ptrdiff_t>(key_size));
  }
  return bytes;
}

class Rearranger {
 public:
  Rearranger(const io::Gguf& file, const TransformerConfig& config);
  std::vector<BlockEntry> out;

 private:
  using Bytes = std::vector<uint8_t>;
  struct Place {
    GgufTensorRow row;
    std::string hf;  ///< with its numbers
    int64_t layer;
  };
  Place place(const BlockEntry& e) const;
  void add(const BlockEntry& e, const Place& at);
  void put(std::string name, const BlockEntry& like, std::vector<int64_t> shape,
           std::span<const uint8_t> bytes);
  /// Bytes that are made when they are read: what `form` captures outlives this.
  void put_formed(std::string name, quant::BlockFormat format, std::vector<int64_t> shape,
                  std::function<Bytes()> form) {
    out.push_back({std::move(name), format, std::move(shape), {}, std::move(form)});
  }
  void add_norm(const BlockEntry& e, const Place& at);
  void add_permuted(const BlockEntry& e, const Place& at, int64_t heads);
  void add_transposed(const BlockEntry& e, const Place& at);
  void add_experts(const BlockEntry& e, const std::string& pattern, int64_t layer);
  void add_gate_up(const BlockEntry& gate, const Place& at);
  void add_gate_up_bias(const BlockEntry& gate, const Place& at);
  void add_down(const BlockEntry& e, const Place& at);
  void add_latent(const BlockEntry& key, const Place& at);
  const BlockEntry& up_of(const BlockEntry& gate) const;
  void check_experts(const BlockEntry& e, size_t extents) const;

  const io::Gguf& file_;
  const TransformerConfig& config_;
  std::vector<GgufTensorRow> rows_;
};

constexpr const char* kOwnExpert = "model.layers.N.mlp.experts.E.";

Rearranger::Rearranger(const io::Gguf& file, const TransformerConfig& config)
    : file_(file), config_(config), rows_(gguf_tensor_rows(config.model_type)) {
  for (const BlockEntry& e : file.entries())
    if (!is_gguf_rope_tensor(e.name)) add(e, place(e));
  std::set<std::string_view> names;
  for (const BlockEntry& e : out)
    SR_CHECK(names.insert(e.name).second, "{}: two tensors are {}", file.path(), e.name);
}

Rearranger::Place Rearranger::place(const BlockEntry& e) const {
  const GgufNamePattern name = gguf_name_pattern(e.name);
  const size_t dot = name.pattern.rfind('.');
  const std::string stem = name.pattern.substr(0, dot),
                    ending = dot == stem.npos ? "" : name.pattern.substr(dot);
  SR_CHECK(name.layer < config_.num_hidden_layers, "{}: there is a tensor {}, but block_count is {}",
           file_.path(), e.name, config_.num_hidden_layers);
  for (const Row& row : rows_) {
    if (name.pattern == row.gguf) return {row, gguf_name(row.hf, name.layer, -1), name.layer};
    if (stem == row.gguf && (ending == ".weight" || ending == ".bias"))
      return {row, gguf_name(row.hf + ending, name.layer, -1), name.layer};
  }
  fail(ErrorCode::kUnsupported, "{}: the tensor '{}' is not understood in a model of the family {}",
       file_.path(), e.name, config_.model_type);
}

void Rearranger::put(std::string name, const BlockEntry& like, std::vector<int64_t> shape,
                     std::span<const uint8_t> bytes) {
  out.push_back({std::move(name), like.format, std::move(shape), bytes});
}

const BlockEntry& Rearranger::up_of(const BlockEntry& gate) const {
  constexpr std::string_view kGate = "ffn_gate_exps";
  std::string name = gate.name;
  name.replace(name.find(kGate), kGate.size(), "ffn_up_exps");
  const BlockEntry& up = file_.entry(name);
  SR_CHECK_AS(kUnsupported, up.format == gate.format && up.shape == gate.shape,
              "{}: {} and {} differ in format or shape, which is not supported", file_.path(), gate.name,
              name);
  return up;
}

void Rearranger::check_experts(const BlockEntry& e, size_t extents) const {
  const int64_t experts = config_.moe.experts;
  SR_CHECK(e.shape.size() == extents && experts > 0 && e.shape[0] == experts && !e.bytes.empty(),
           "{}: {} is [{}], expected {} extents, the first of {} experts", file_.path(), e.name,
           fmt::join(e.shape, ", "), extents, experts);
}

void Rearranger::add(const BlockEntry& e, const Place& at) {
  if (config_.norm_offset && e.name.ends_with("norm.weight")) return add_norm(e, at);
  const bool permuted = gguf_architecture(config_.model_type).permuted;
  switch (at.row.layout) {
    case Row::kSame:
      break;
    case Row::kQuery:
      if (permuted) return add_permuted(e, at, config_.num_attention_heads);
      break;
    case Row::kKey:
      if (permuted) return add_permuted(e, at, config_.num_key_value_heads);
      break;
    case Row::kTransposed:
      if (e.shape.size() == 2) return add_transposed(e, at);
      break;
    case Row::kExperts:
      return add_experts(e, at.row.hf, at.layer);
    case Row::kRow:
      if (e.shape.size() == 1) return put(at.hf, e, {1, e.shape[0]}, e.bytes);
      break;
    case Row::kLatentKey:
      return add_latent(e, at);
    case Row::kGate:
      return add_gate_up(e, at);
    case Row::kGateBias:
      return add_gate_up_bias(e, at);
    case Row::kDown:
      return add_down(e, at);
    case Row::kLatentValue:
    case Row::kUp:
    case Row::kUpBias:
      return;  // with its partner
  }
  put(at.hf, e, e.shape, e.bytes);
}

void Rearranger::add_norm(const BlockEntry& e, const Place& at) {
  SR_CHECK(e.format == quant::BlockFormat::kF32 && e.shape.size() == 1, "{}: {} is no list of f32",
           file_.path(), e.name);
  Bytes bytes(e.bytes.begin(), e.bytes.end());  // a vector: kept as it becomes
  const std::string key = "suiren.norms." + e.name;
  if (file_.find(key)) {
    const std::vector<double> exact = file_.numbers(key);
    SR_CHECK(std::ssize(exact) == e.shape[0], "{}: {} has {} numbers for {}", file_.path(), key, exact.size(),
             e.shape[0]);
    for (size_t i = 0; i < exact.size(); ++i) {
      const auto x = static_cast<float>(exact[i]);
      std::memcpy(bytes.data() + i * sizeof x, &x, sizeof x);
    }
  } else {
    for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
      float x;
      std::memcpy(&x, bytes.data() + i, sizeof x);
      x -= 1;
      std::memcpy(bytes.data() + i, &x, sizeof x);
    }
  }
  put_formed(at.hf, e.format, e.shape, [bytes = std::move(bytes)] { return bytes; });
}

void Rearranger::add_permuted(const BlockEntry& e, const Place& at, int64_t heads) {
  const int64_t rows = e.shape.empty() ? 0 : e.shape[0];
  SR_CHECK(rows > 0 && rows % (2 * heads) == 0 && (e.shape.size() > 1 || e.format.block_elements() == 1),
           "{}: {} has {} rows, expected a multiple of 2 x {} heads", file_.path(), e.name, rows, heads);
  put_formed(at.hf, e.format, e.shape, [=, from = e.bytes] {
    Bytes bytes(from.size());
    permute_rows(from, bytes, heads, rows, true);
    return bytes;
  });
}

void Rearranger::add_transposed(const BlockEntry& e, const Place& at) {
  const int64_t rows = e.shape[0], columns = e.shape[1];
  if (e.format.block_elements() == 1)
    return put_formed(at.hf, e.format, {columns, rows}, [=, from = e.bytes, size = e.format.block_bytes()] {
      Bytes bytes(from.size());
      transpose_elements(from, bytes, rows, columns, size);
      return bytes;
    });
  const std::vector<const char*> names = own_names(at.row.hf);
  const auto parts = static_cast<int64_t>(names.size());
  SR_CHECK(rows % parts == 0, "{}: {} has {} rows, expected a multiple of {}", file_.path(), e.name, rows,
           parts);
  const size_t part = e.bytes.size() / names.size();
  for (size_t i = 0; i < names.size(); ++i)
    put(fmt::format("model.layers.{}.{}.weight", at.layer, names[i]), e, {rows / parts, columns},
        e.bytes.subspan(i * part, part));
}

void Rearranger::add_experts(const BlockEntry& e, const std::string& pattern, int64_t layer) {
  const bool bias = e.name.ends_with(".bias");
  check_experts(e, bias ? 2 : 3);
  const size_t part = e.bytes.size() / static_cast<size_t>(config_.moe.experts);
  for (int64_t i = 0; i < config_.moe.experts; ++i)
    put(gguf_name(pattern + (bias ? ".bias" : ".weight"), layer, i), e, {e.shape.begin() + 1, e.shape.end()},
        e.bytes.subspan(static_cast<size_t>(i) * part, part));
}

void Rearranger::add_gate_up(const BlockEntry& gate, const Place& at) {
  const BlockEntry& up = up_of(gate);
  check_experts(gate, 3);
  if (gate.format.block_elements() > 1) {
    add_experts(gate, std::string(kOwnExpert) + "gate_proj", at.layer);
    return add_experts(up, std::string(kOwnExpert) + "up_proj", at.layer);
  }
  const int64_t experts = gate.shape[0], rows = gate.shape[1], columns = gate.shape[2];
  const int64_t size = gate.format.block_bytes();
  put_formed(at.hf, gate.format, {experts, columns, 2 * rows},
             [=, halves = std::array{gate.bytes, up.bytes}] {
               const auto matrix = static_cast<size_t>(rows * columns * size);
               Bytes bytes(2 * halves[0].size()), turned(matrix);
               for (size_t i = 0; i < static_cast<size_t>(experts); ++i)
                 for (const size_t half : {0, 1}) {
                   transpose_elements(halves[half].subspan(i * matrix, matrix), turned, rows, columns, size);
                   interleave_elements(turned, std::span(bytes).subspan(2 * i * matrix, 2 * matrix),
                                       static_cast<int64_t>(half), size);
                 }
               return bytes;
             });
}

void Rearranger::add_gate_up_bias(const BlockEntry& gate, const Place& at) {
  const BlockEntry& up = up_of(gate);
  check_experts(gate, 2);
  SR_CHECK_AS(kUnsupported, gate.format.block_elements() == 1, "{}: {} stands in blocks", file_.path(),
              gate.name);
  put_formed(at.hf, gate.format, {gate.shape[0], 2 * gate.shape[1]},
             [gates = gate.bytes, ups = up.bytes, size = gate.format.block_bytes()] {
               Bytes bytes(2 * gates.size());
               interleave_elements(gates, bytes, 0, size);
               interleave_elements(ups, bytes, 1, size);
               return bytes;
             });
}

void Rearranger::add_down(const BlockEntry& e, const Place& at) {
  check_experts(e, 3);
  if (e.format.block_elements() > 1) return add_experts(e, std::string(kOwnExpert) + "down_proj", at.layer);
  const int64_t rows = e.shape[1], columns = e.shape[2];
  put_formed(at.hf, e.format, {e.shape[0], columns, rows},
             [=, from = e.bytes, size = e.format.block_bytes()] {
               Bytes bytes(from.size());
               transpose_matrices(from, bytes, rows, columns, size);
               return bytes;
             });
}

void Rearranger::add_latent(const BlockEntry& key, const Place& at) {
  std::string name = key.name;
  const BlockEntry& value = file_.entry(name.replace(name.find("attn_k_b"), 8, "attn_v_b"));
  const LatentConfig& l = config_.latent;
  const int64_t heads = config_.num_attention_heads;
  SR_CHECK((key.shape == std::vector{heads, l.kv_rank, l.nope_head_dim}) &&
               (value.shape == std::vector{heads, l.v_head_dim, l.kv_rank}),
           "{}: {} and {} do not fit the heads of the model", file_.path(), key.name, value.name);
  put_formed(at.hf, quant::BlockFormat::kF32, {heads * (l.nope_head_dim + l.v_head_dim), l.kv_rank},
             [l, heads, key, value] { return joined_latent(l, heads, key, value); });
}

}  // namespace

std::vector<BlockEntry> rearrange_gguf(const io::Gguf& file, const TransformerConfig& config) {
  return std::move(Rearranger(file, config).out);
}

}  // namespace suiren::models
