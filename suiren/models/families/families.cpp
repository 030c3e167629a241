#include "suiren/models/families/families.h"

#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/models/encoder_config.h"

namespace suiren::models {

using io::Json;

const std::vector<Family>& families() {
  static const std::vector<Family> table = {
      {"llama", "LlamaForCausalLM", llama_fields},
      {"mistral", "MistralForCausalLM", mistral_fields},
      {"mixtral", "MixtralForCausalLM", mixtral_fields, mixtral_stored},
      {"qwen2", "Qwen2ForCausalLM", qwen2_fields},
      {"qwen2_moe", "Qwen2MoeForCausalLM", qwen2_moe_fields, qwen2_moe_stored},
      {"qwen3", "Qwen3ForCausalLM", qwen3_fields},
      {"qwen3_moe", "Qwen3MoeForCausalLM", qwen3_moe_fields},
      {"gpt2", "GPT2LMHeadModel", gpt2_fields, gpt2_stored, gpt2_published},
      {"phi3", "Phi3ForCausalLM", phi3_fields, phi3_stored},
      {"gemma2", "Gemma2ForCausalLM", gemma2_fields},
      {"gemma3_text", "Gemma3ForCausalLM", gemma3_fields},
      {"deepseek_v2", "DeepseekV2ForCausalLM", deepseek_v2_fields},
      {"deepseek_v3", "DeepseekV3ForCausalLM", deepseek_v3_fields},
      {"olmo2", "Olmo2ForCausalLM", olmo2_fields},
      {"glm4", "Glm4ForCausalLM", glm4_fields, glm4_stored},
      {"smollm3", "SmolLM3ForCausalLM", smollm3_fields},
      {"granite", "GraniteForCausalLM", granite_fields},
      {"minicpm3", "MiniCPM3ForCausalLM", minicpm3_fields},
      {"hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", hunyuan_fields, hunyuan_stored},
      {"ernie4_5", "Ernie4_5ForCausalLM", ernie4_5_fields},
      {"seed_oss", "SeedOssForCausalLM", seed_oss_fields},
      {"gpt_oss", "GptOssForCausalLM", gpt_oss_fields, gpt_oss_stored},
  };
  return table;
}

const Family& family(const std::string& model_type, const std::string& name) {
  std::string known;
  for (const Family& f : families()) {
    if (model_type == f.model_type) return f;
    known += (known.empty() ? "" : ", ") + std::string(f.model_type);
  }
  SR_CHECK_AS(kUnsupported, !EncoderConfig::is_encoder(model_type),
              "{}: model_type '{}' is an encoder, which writes no text; suiren embed takes it", name,
              model_type);
  fail(ErrorCode::kUnsupported, "{}: model_type '{}' is not supported; there are {}", name, model_type,
       known);
}

namespace {

// By architecture and model_type, which must agree where both stand.
const Family& family_of(Fields& f) {
  std::string type;
  f.text("model_type", type);
  const Json* architectures = f.find("architectures");
  if (!architectures || !architectures->is_array() || architectures->empty())
    return family(type.empty() ? "llama" : type, f.name());
  for (const Family& row : families())
    if (std::ranges::find(*architectures, row.architecture) != architectures->end() &&
        (type.empty() || type == row.model_type))
      return row;
  if (!type.empty()) family(type, f.name());
  fail(ErrorCode::kUnsupported, "{}: architecture {} is not supported{}", f.name(),
       architectures->dump().substr(0, 100), type.empty() ? "" : " with model_type '" + type + "'");
}

}  // namespace

TransformerConfig TransformerConfig::from_json(const Json& json, const std::string& name) {
  Fields f(json, name);
  const Family& row = family_of(f);
  TransformerConfig c;
  c.model_type = row.model_type;
  row.fields(f, c);
  f.refuse_unknown();
  c.validate(name);
  return c;
}

TransformerConfig TransformerConfig::load(const std::string& folder) {
  const std::string path = folder + "/config.json";
  return from_json(io::read_json(path), path);
}

Json TransformerConfig::to_json() const {
  const Family& row = family(model_type, "model");
  Json j = {{"architectures", Json::array({row.architecture})},
            {"model_type", model_type},
            {"use_cache", true},
            {"dtype", "float32"},
            {"torch_dtype", "float32"}};
  Fields f(j);
  TransformerConfig copy = *this;
  row.fields(f, copy);
  return j;
}

void TransformerConfig::save(const std::string& folder) const {
  io::write_json(folder + "/config.json", to_json());
}

}  // namespace suiren::models
