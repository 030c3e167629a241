#include "cli/sampling.h"

#include <cstdlib>

#include "cli/command.h"
#include "suiren/base/error.h"
#include "suiren/quant/block_format.h"

namespace suiren::cli {
namespace {

std::pair<int64_t, double> parse_bias(const std::string& text) {
  const size_t sign = text.find('=');
  char* end = nullptr;
  const std::string value = sign == text.npos ? "" : text.substr(sign + 1);
  const double bias = std::strtod(value.c_str(), &end);
  SR_CHECK(!value.empty() && *end == 0, "--logit-bias: '{}' is no ID=BIAS, as in 198=-inf", text);
  return {parse_ids(text.substr(0, sign), "--logit-bias").at(0), bias};
}

}  // namespace

infer::SamplingOptions SamplingArgs::over(infer::SamplingOptions o) const {
  o.temperature = temperature.value_or(o.temperature);
  o.top_k = top_k.value_or(o.top_k);
  o.top_p = top_p.value_or(o.top_p);
  o.min_p = min_p.value_or(o.min_p);
  o.typical_p = typical_p.value_or(o.typical_p);
  o.repetition_penalty = repetition_penalty.value_or(o.repetition_penalty);
  o.frequency_penalty = frequency_penalty.value_or(o.frequency_penalty);
  o.presence_penalty = presence_penalty.value_or(o.presence_penalty);
  o.penalty_window = penalty_window.value_or(o.penalty_window);
  for (const std::string& text : logit_bias) o.logit_bias.push_back(parse_bias(text));
  o.seed = seed;
  o.validate();
  return o;
}

void add_cache_option(CLI::App& c, std::string& to) {
  c.add_option("--cache-type", to,
               "what keys and values are kept as (default: f16 beside quantized weights, else as computed)")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}));
}

std::optional<DType> cache_type(const std::string& name) {
  return name.empty() ? std::nullopt : quant::BlockFormat::parse(name)->dtype();
}

void set_cache_type(models::Transformer& model, const std::string& name) {
  if (const auto type = cache_type(name)) model.set_cache_dtype(*type);
}

void add_sampling_options(CLI::App& c, SamplingArgs& a) {
  const auto add = [&c](const char* name, auto& to, const char* description) {
    c.add_option(name, to, description)->group("Sampling (default: generation_config.json of the model)");
  };
  add("--temperature", a.temperature, "0 takes the likeliest token");
  add("--top-k", a.top_k, "keep the k likeliest (0: all)");
  add("--top-p", a.top_p, "keep the likeliest whose probabilities reach p");
  add("--min-p", a.min_p, "keep those at least p times as likely as the likeliest");
  add("--typical-p", a.typical_p, "keep the most typical whose probabilities reach p");
  add("--repetition-penalty", a.repetition_penalty,
      "divides the logits of what stands in the text (1: none)");
  add("--frequency-penalty", a.frequency_penalty, "taken from a token's logit for each time it was written");
  add("--presence-penalty", a.presence_penalty, "taken from a token's logit once it was written");
  add("--penalty-window", a.penalty_window, "penalties look at so many of the last tokens (0: all)");
  add("--logit-bias", a.logit_bias, "ID=BIAS is added to a token's logit (-inf forbids it); may be repeated");
  add("--stop", a.stop, "the text ends before this string; may be repeated");
  add("--seed", a.seed, "equal seeds give equal texts");
}

}  // namespace suiren::cli
