#include "suiren/models/gguf/architectures.h"

#include <algorithm>
#include <cctype>

#include "suiren/base/error.h"

namespace suiren::models {

const std::vector<GgufArchitecture>& gguf_architectures() {
  static const std::vector<GgufArchitecture> table = {
      {"llama", "llama", true},
      {"llama", "mistral", true},
      {"llama", "mixtral", true},
      {"qwen2", "qwen2"},
      {"qwen2moe", "qwen2_moe"},
      {"qwen3", "qwen3"},
      {"qwen3moe", "qwen3_moe"},
      {"gpt2", "gpt2"},
      {"phi3", "phi3"},
      {"gemma2", "gemma2", false, 2},
      {"gemma3", "gemma3_text", false, 6},
      {"deepseek2", "deepseek_v2"},
      {"deepseek2", "deepseek_v3"},
      {"olmo2", "olmo2"},
      {"glm4", "glm4"},
      {"smollm3", "smollm3", true},
      {"granite", "granite", true},
      {"minicpm3", "minicpm3"},
      {"hunyuan-dense", "hunyuan_v1_dense"},
      {"ernie4_5", "ernie4_5"},
      {"seed_oss", "seed_oss"},
      {"gpt-oss", "gpt_oss", false, 2},
  };
  return table;
}

const GgufArchitecture& gguf_architecture(const std::string& model_type) {
  for (const GgufArchitecture& row : gguf_architectures())
    if (model_type == row.model_type) return row;
  fail(ErrorCode::kUnsupported, "model_type '{}' has no architecture in GGUF", model_type);
}

namespace {

using Row = GgufTensorRow;

constexpr Row kRows[] = {
    {"gpt2", "token_embd", "transformer.wte"},
    {"gpt2", "position_embd", "transformer.wpe"},
    {"gpt2", "output_norm", "transformer.ln_f"},
    {"gpt2", "blk.N.attn_norm", "transformer.h.N.ln_1"},
    {"gpt2", "blk.N.attn_qkv", "transformer.h.N.attn.c_attn", Row::kTransposed},
    {"gpt2", "blk.N.attn_output", "transformer.h.N.attn.c_proj", Row::kTransposed},
    {"gpt2", "blk.N.ffn_norm", "transformer.h.N.ln_2"},
    {"gpt2", "blk.N.ffn_up", "transformer.h.N.mlp.c_fc", Row::kTransposed},
    {"gpt2", "blk.N.ffn_down", "transformer.h.N.mlp.c_proj", Row::kTransposed},
    {"phi3", "blk.N.attn_qkv", "model.layers.N.self_attn.qkv_proj"},
    {"phi3", "blk.N.ffn_up", "model.layers.N.mlp.gate_up_proj"},
    {"gemma2", "blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm"},
    {"gemma2", "blk.N.ffn_norm", "model.layers.N.pre_feedforward_layernorm"},
    {"gemma2", "blk.N.post_ffw_norm", "model.layers.N.post_feedforward_layernorm"},
    {"gemma3_text", "blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm"},
    {"gemma3_text", "blk.N.ffn_norm", "model.layers.N.pre_feedforward_layernorm"},
    {"gemma3_text", "blk.N.post_ffw_norm", "model.layers.N.post_feedforward_layernorm"},
    {"olmo2", "blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm"},
    {"olmo2", "blk.N.post_ffw_norm", "model.layers.N.post_feedforward_layernorm"},
    {"glm4", "blk.N.post_attention_norm", "model.layers.N.post_self_attn_layernorm"},
    {"glm4", "blk.N.post_ffw_norm", "model.layers.N.post_mlp_layernorm"},
    {"glm4", "blk.N.ffn_up", "model.layers.N.mlp.gate_up_proj"},
    {"seed_oss", "blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm"},
    {"hunyuan_v1_dense", "blk.N.attn_q_norm", "model.layers.N.self_attn.query_layernorm"},
    {"hunyuan_v1_dense", "blk.N.attn_k_norm", "model.layers.N.self_attn.key_layernorm"},
    {"mixtral", "blk.N.ffn_gate_inp", "model.layers.N.block_sparse_moe.gate"},
    {"mixtral", "blk.N.ffn_gate_exps", "model.layers.N.block_sparse_moe.experts.E.w1", Row::kExperts},
    {"mixtral", "blk.N.ffn_down_exps", "model.layers.N.block_sparse_moe.experts.E.w2", Row::kExperts},
    {"mixtral", "blk.N.ffn_up_exps", "model.layers.N.block_sparse_moe.experts.E.w3", Row::kExperts},
    {"qwen2_moe", "blk.N.ffn_gate_inp_shexp", "model.layers.N.mlp.shared_expert_gate", Row::kRow},
    {"qwen2_moe", "blk.N.ffn_gate_shexp", "model.layers.N.mlp.shared_expert.gate_proj"},
    {"qwen2_moe", "blk.N.ffn_up_shexp", "model.layers.N.mlp.shared_expert.up_proj"},
    {"qwen2_moe", "blk.N.ffn_down_shexp", "model.layers.N.mlp.shared_expert.down_proj"},
    {"gpt_oss", "blk.N.post_attention_norm", "model.layers.N.post_attention_layernorm"},
    {"gpt_oss", "blk.N.attn_sinks.weight", "model.layers.N.self_attn.sinks"},
    {"gpt_oss", "blk.N.ffn_gate_inp", "model.layers.N.mlp.router"},
    {"gpt_oss", "blk.N.ffn_gate_exps.weight", "model.layers.N.mlp.experts.gate_up_proj", Row::kGate},
    {"gpt_oss", "blk.N.ffn_up_exps.weight", "model.layers.N.mlp.experts.gate_up_proj", Row::kUp},
    {"gpt_oss", "blk.N.ffn_down_exps.weight", "model.layers.N.mlp.experts.down_proj", Row::kDown},
    {"gpt_oss", "blk.N.ffn_gate_exps.bias", "model.layers.N.mlp.experts.gate_up_proj_bias", Row::kGateBias},
    {"gpt_oss", "blk.N.ffn_up_exps.bias", "model.layers.N.mlp.experts.gate_up_proj_bias", Row::kUpBias},
    {"gpt_oss", "blk.N.ffn_down_exps.bias", "model.layers.N.mlp.experts.down_proj_bias"},

    {nullptr, "token_embd", "model.embed_tokens"},
    {nullptr, "output_norm", "model.norm"},
    {nullptr, "output", "lm_head"},
    {nullptr, "blk.N.attn_norm", "model.layers.N.input_layernorm"},
    {nullptr, "blk.N.attn_q", "model.layers.N.self_attn.q_proj", Row::kQuery},
    {nullptr, "blk.N.attn_k", "model.layers.N.self_attn.k_proj", Row::kKey},
    {nullptr, "blk.N.attn_v", "model.layers.N.self_attn.v_proj"},
    {nullptr, "blk.N.attn_output", "model.layers.N.self_attn.o_proj"},
    {nullptr, "blk.N.attn_q_norm", "model.layers.N.self_attn.q_norm"},
    {nullptr, "blk.N.attn_k_norm", "model.layers.N.self_attn.k_norm"},
    {nullptr, "blk.N.attn_q_a", "model.layers.N.self_attn.q_a_proj"},
    {nullptr, "blk.N.attn_q_a_norm", "model.layers.N.self_attn.q_a_layernorm"},
    {nullptr, "blk.N.attn_q_b", "model.layers.N.self_attn.q_b_proj"},
    {nullptr, "blk.N.attn_kv_a_mqa", "model.layers.N.self_attn.kv_a_proj_with_mqa"},
    {nullptr, "blk.N.attn_kv_a_norm", "model.layers.N.self_attn.kv_a_layernorm"},
    {nullptr, "blk.N.attn_kv_b", "model.layers.N.self_attn.kv_b_proj"},
    {nullptr, "blk.N.attn_k_b.weight", "model.layers.N.self_attn.kv_b_proj.weight", Row::kLatentKey},
    {nullptr, "blk.N.attn_v_b.weight", "model.layers.N.self_attn.kv_b_proj.weight", Row::kLatentValue},
    {nullptr, "blk.N.ffn_norm", "model.layers.N.post_attention_layernorm"},
    {nullptr, "blk.N.ffn_gate", "model.layers.N.mlp.gate_proj"},
    {nullptr, "blk.N.ffn_up", "model.layers.N.mlp.up_proj"},
    {nullptr, "blk.N.ffn_down", "model.layers.N.mlp.down_proj"},
    {nullptr, "blk.N.ffn_gate_inp", "model.layers.N.mlp.gate"},
    {nullptr, "blk.N.exp_probs_b.bias", "model.layers.N.mlp.gate.e_score_correction_bias"},
    {nullptr, "blk.N.ffn_gate_exps", "model.layers.N.mlp.experts.E.gate_proj", Row::kExperts},
    {nullptr, "blk.N.ffn_up_exps", "model.layers.N.mlp.experts.E.up_proj", Row::kExperts},
    {nullptr, "blk.N.ffn_down_exps", "model.layers.N.mlp.experts.E.down_proj", Row::kExperts},
    {nullptr, "blk.N.ffn_gate_shexp", "model.layers.N.mlp.shared_experts.gate_proj"},
    {nullptr, "blk.N.ffn_up_shexp", "model.layers.N.mlp.shared_experts.up_proj"},
    {nullptr, "blk.N.ffn_down_shexp", "model.layers.N.mlp.shared_experts.down_proj"},
};

bool is_number(std::string_view part) {
  constexpr size_t kMostDigits = 9;
  if (part.size() > 1 && part[0] == '0') return false;
  return !part.empty() && part.size() <= kMostDigits &&
         std::ranges::all_of(part, [](unsigned char c) { return std::isdigit(c); });
}

}  // namespace

std::vector<GgufTensorRow> gguf_tensor_rows(const std::string& model_type) {
  std::vector<Row> out;
  for (const Row& row : kRows)
    if (!row.family || model_type == row.family) out.push_back(row);
  return out;
}

GgufNamePattern gguf_name_pattern(std::string_view name) {
  GgufNamePattern out;
  for (size_t at = 0; at <= name.size();) {
    const size_t end = std::min(name.find('.', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    int64_t& number = out.layer < 0 ? out.layer : out.expert;
    if (at > 0) out.pattern += '.';
    if (is_number(part) && number < 0) {
      out.pattern += &number == &out.layer ? 'N' : 'E';
      number = std::stoll(std::string(part));
    } else {
      out.pattern += part;
    }
    at = end + 1;
  }
  return out;
}

std::string gguf_name(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string out;
  for (size_t at = 0; at <= pattern.size();) {
    const size_t end = std::min(pattern.find('.', at), pattern.size());
    const std::string_view part = pattern.substr(at, end - at);
    if (at > 0) out += '.';
    out += part == "N" ? std::to_string(layer) : part == "E" ? std::to_string(expert) : std::string(part);
    at = end + 1;
  }
  return out;
}

}  // namespace suiren::models
