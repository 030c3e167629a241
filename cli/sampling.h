#pragma once
// The options of sampling, for the commands that write text.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "suiren/infer/sampler.h"
#include "suiren/models/transformer.h"

namespace suiren::cli {

/// What the command line says; the model's own settings hold where it is silent.
struct SamplingArgs {
  std::optional<double> temperature, top_p, min_p, typical_p, repetition_penalty, frequency_penalty,
      presence_penalty;
  std::optional<int64_t> top_k, penalty_window;
  uint64_t seed = 0;
  std::vector<std::string> logit_bias;  ///< "ID=BIAS"
  std::vector<std::string> stop;

  /// The options in force, checked. Error{kInvalid} names what is wrong.
  infer::SamplingOptions over(infer::SamplingOptions defaults) const;
};

inline constexpr const char* kSpeculateHelp =
    "guess up to N tokens ahead from what the text repeats; the text is the same, sooner where it does";

/// --cache-type: the name of a dtype, or "" for the model's own.
void add_cache_option(CLI::App& command, std::string& to);
/// What that option says; none for the model's own.
std::optional<DType> cache_type(const std::string& name);
/// Sets it.
void set_cache_type(models::Transformer& model, const std::string& name);

void add_sampling_options(CLI::App& command, SamplingArgs& to);

}  // namespace suiren::cli
