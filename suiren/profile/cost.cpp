#include "suiren/profile/cost.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

namespace suiren::profile {
namespace {

// A call as the rules below see it.
struct Call {
  const OpInfo& op;
  const void* attrs;
  std::span<const Tensor> in, out;

  int64_t attribute(std::string_view name) const {
    for (const AttrValue& a : op.attributes(attrs))
      if (a.name == name) return a.i;
    return 0;
  }
};

double count(const Tensor& t) { return static_cast<double>(t.numel()); }
double dim(const Tensor& t, int i) { return static_cast<double>(t.dim(i)); }
double bytes(const Tensor& t) { return static_cast<double>(t.bytes()); }
double element_bytes(const Tensor& t) {
  return static_cast<double>(t.dtype().block_bytes()) / static_cast<double>(t.dtype().block_elements());
}

// Bytes of the elements that lie at different places.
double distinct_bytes(const Tensor& t) {
  double n = element_bytes(t);
  for (int d = 0; d < t.rank(); ++d)
    if (t.strides()[d] != 0 || t.dim(d) == 0) n *= dim(t, d);
  return n;
}

// Pairs of a query and a key that it sees, in one head of one batch entry: query i of T stands at p = S-T+i.
double attention_pairs(const Call& c) {
  const int64_t T = c.in[0].dim(1), S = c.in[1].dim(1), window = c.attribute("window");
  if (!c.attribute("causal")) return static_cast<double>(T) * static_cast<double>(S);
  double pairs = 0;
  for (int64_t i = 0; i < T; ++i) {
    const int64_t seen = S - T + i + 1;
    pairs += static_cast<double>(window > 0 ? std::min(window, seen) : seen);
  }
  return pairs;
}
// `products` of the size q k^T: two forward; five backward, the scores once more among them.
double attention(const Call& c, double products) {
  const Tensor& q = c.in[0];
  return products * 2 * attention_pairs(c) * dim(q, 0) * dim(q, 2) * dim(q, 3);
}

double batched_cubes(const Call& c) {  // N^3 of each matrix of x [..., N, N]
  return count(c.in[0]) * dim(c.in[0], -1);
}
double transform(const Tensor& real) {  // split radix on real numbers, about 5/2 n log2 n
  const double n = dim(real, -1);
  return n > 1 ? 2.5 * count(real) * std::log2(n) : 0;
}
double largest(const Call& c) {
  double n = 0;
  for (const auto& list : {c.in, c.out})
    for (const Tensor& t : list) n = std::max(n, count(t));
  return n;
}

using FlopRule = double (*)(const Call&);
// Times the elements of the largest operand.
template <int kEach>
double each(const Call& c) {
  return kEach * largest(c);
}

const std::unordered_map<std::string_view, FlopRule>& flop_rules() {
  static const std::unordered_map<std::string_view, FlopRule> rules{
      {"quantized_linear", [](const Call& c) { return 2 * count(c.out[0]) * dim(c.in[0], -1); }},
      {"matmul", [](const Call& c) { return 2 * count(c.out[0]) * dim(c.in[0], -1); }},
      {"matmul_sum", [](const Call& c) { return 2 * count(c.in[0]) * dim(c.in[1], -1); }},
      {"matmul_accumulate", [](const Call& c) { return 2 * count(c.in[1]) * dim(c.in[2], -1); }},
      {"linear_cross_entropy", [](const Call& c) { return 2 * count(c.in[0]) * dim(c.in[1], 0); }},
      {"linear_cross_entropy_gradients", [](const Call& c) { return 6 * count(c.in[0]) * dim(c.in[1], 0); }},
      {"linear_cross_entropy_accumulate", [](const Call& c) { return 6 * count(c.in[1]) * dim(c.in[0], 0); }},
      {"bilinear",  // weight [O, I, J] with b, then with a
       [](const Call& c) { return 2 * count(c.out[0]) * dim(c.in[0], -1) * (dim(c.in[1], -1) + 1); }},
      {"conv", [](const Call& c) { return 2 * count(c.out[0]) * count(c.in[1]) / dim(c.in[1], 0); }},
      {"conv_transpose", [](const Call& c) { return 2 * count(c.in[0]) * count(c.in[1]) / dim(c.in[1], 0); }},
      {"conv_weight_gradient",
       [](const Call& c) { return 2 * count(c.in[1]) * count(c.out[0]) / dim(c.out[0], 0); }},
      {"attention", [](const Call& c) { return attention(c, 2); }},
      {"attention_backward", [](const Call& c) { return attention(c, 5); }},
      // p [B, T, gates H] with w_hh [gates H, H]; backward the gates once more.
      {"lstm", [](const Call& c) { return 2 * count(c.in[0]) * dim(c.in[3], 1); }},
      {"lstm_backward", [](const Call& c) { return 4 * count(c.in[0]) * dim(c.in[3], 1); }},
      {"gru", [](const Call& c) { return 2 * count(c.in[0]) * dim(c.in[2], 1); }},
      {"gru_backward", [](const Call& c) { return 4 * count(c.in[0]) * dim(c.in[2], 1); }},
      {"cholesky", [](const Call& c) { return batched_cubes(c) / 3; }},
      {"det", [](const Call& c) { return 2 * batched_cubes(c) / 3; }},
      {"slogdet", [](const Call& c) { return 2 * batched_cubes(c) / 3; }},
      {"inverse", [](const Call& c) { return 2 * batched_cubes(c); }},
      {"solve",
       [](const Call& c) { return 2 * batched_cubes(c) / 3 + 2 * count(c.in[1]) * dim(c.in[0], -1); }},
      {"triangular_solve", [](const Call& c) { return count(c.in[1]) * dim(c.in[0], -1); }},
      {"rfft", [](const Call& c) { return transform(c.in[0]); }},
      {"irfft", [](const Call& c) { return transform(c.out[0]); }},
      {"softmax", each<4>},  // maximum, difference and exp, sum, quotient
      {"log_softmax", each<4>},
      {"logsumexp", each<3>},
      {"cross_entropy", each<3>},
      {"cross_entropy_backward", each<3>},
      {"rms_norm", each<4>},
      {"rms_norm_backward", each<10>},
      {"layer_norm", each<7>},
      {"layer_norm_backward", each<14>},
      {"swiglu", each<4>},
      {"swiglu_backward", each<10>},
      {"rope", each<3>},
      {"adamw", each<14>},
      {"sgd", each<6>},
  };
  return rules;
}

// These only move or make elements.
bool only_moves(std::string_view name) {
  static constexpr std::string_view kMoves[] = {"arange",
                                                "assign",
                                                "cast",
                                                "concat",
                                                "copy",
                                                "diagonal_backward",
                                                "embedding",
                                                "flip",
                                                "full",
                                                "gather",
                                                "index_copy",
                                                "index_select",
                                                "masked_select",
                                                "one_hot",
                                                "pad",
                                                "repeat_interleave",
                                                "roll",
                                                "scatter",
                                                "slice_backward",
                                                "tile",
                                                "tril",
                                                "triu",
                                                "where"};
  return std::find(std::begin(kMoves), std::end(kMoves), name) != std::end(kMoves);
}

// Of a table only the chosen elements are read: as many as come out, or as there are indices.
bool reads_what_it_chooses(std::string_view name) {
  return name == "embedding" || name == "gather" || name == "index_select";
}

double bytes_read(const Call& c, size_t input) {
  const std::string_view name = c.op.name;
  const Tensor& t = c.in[input];
  if (input == 0 && reads_what_it_chooses(name)) return std::min(distinct_bytes(t), bytes(c.out[0]));
  if (input == 0 && name == "embedding_bag")
    return std::min(distinct_bytes(t), count(c.in[1]) * dim(t, 1) * element_bytes(t));
  if (input == 0 && name == "assign") return 0;  // all of it is overwritten
  return distinct_bytes(t);
}

DType arithmetic(const Call& c) {
  for (const auto& list : {c.in, c.out})
    for (const Tensor& t : list)
      if (t.dtype().is_floating()) return t.dtype();
  return c.in.empty() || c.in[0].dtype().is_block() ? kF32 : c.in[0].dtype();
}

}  // namespace

Cost op_cost(const OpInfo& op, const void* attrs, std::span<const Tensor> inputs,
             std::span<const Tensor> outputs) {
  const Call call{op, attrs, inputs, outputs};
  Cost cost;
  cost.dtype = arithmetic(call);
  const auto rule = flop_rules().find(op.name);
  if (largest(call) == 0) return cost;
  cost.flops = rule != flop_rules().end() ? rule->second(call) : only_moves(op.name) ? 0 : largest(call);
  for (size_t i = 0; i < inputs.size(); ++i) {
    cost.read += bytes_read(call, i);
    if (op.mutates_input(i)) cost.written += bytes(inputs[i]);
  }
  for (const Tensor& t : outputs) cost.written += bytes(t);
  return cost;
}

namespace {

double flop_seconds(const Cost& c, const Roofs& r) {
  const double peak = r.flops[c.dtype.id()];
  return peak > 0 ? c.flops / peak : 0;
}
double byte_seconds(const Cost& c, const Roofs& r) {
  const double bandwidth = 10 * c.written < c.read ? r.read : r.update;
  return bandwidth > 0 ? c.bytes() / bandwidth : 0;
}

}  // namespace

double roof_seconds(const Cost& c, const Roofs& r) {
  return std::max(flop_seconds(c, r), byte_seconds(c, r));
}

bool bound_by_flops(const Cost& c, const Roofs& r) { return flop_seconds(c, r) > byte_seconds(c, r); }

}  // namespace suiren::profile
