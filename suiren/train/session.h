#pragma once
// The parts of a run, put together from a configuration; not for callers of the library.

#include <memory>
#include <optional>
#include <string>

#include "suiren/data/loader.h"
#include "suiren/data/shards.h"
#include "suiren/models/transformer.h"
#include "suiren/optim/optim.h"
#include "suiren/train/config.h"

namespace suiren::train {

/// Where the tokens come from, and what is known of them.
struct DataSource {
  std::shared_ptr<const data::Tokens> tokens;
  std::vector<int32_t> heldout;  ///< END d1 END d2 ... dn END; empty: none
  std::string digest;            ///< SHA-256 that names this data
  std::string tokenizer;         ///< path of tokenizer.json; empty: unknown
  std::string tokenizer_digest;
  int64_t vocab_size = 0;  ///< of the tokenizer; 0: unknown
  std::optional<int64_t> end_token;
};

/// The model's shape: from init_from's config.json or the `model` section, with the data's end token.
models::TransformerConfig model_config(const TrainConfig& c, const DataSource& data);
DataSource open_data(const TrainConfig& c);
/// END d1 END d2 ... dn END of the documents held out.
std::vector<int32_t> holdout_stream(const data::Shards& shards);
/// The sequence length that the run uses: data.sequence_length, or the model's positions. Checked against
/// them.
int64_t sequence_length(const TrainConfig& c, const models::TransformerConfig& m);
data::Loader make_loader(const TrainConfig& c, const DataSource& data, const models::TransformerConfig& m);
std::unique_ptr<models::Transformer> make_model(const TrainConfig& c, const models::TransformerConfig& m);
std::unique_ptr<optim::Optimizer> make_optimizer(const TrainConfig& c, models::Transformer& model);
int optimizer_states(const TrainConfig& c);
optim::Schedule make_schedule(const TrainConfig& c, int64_t steps);

/// Model, optimizer and gradient sums: what one step works on. In precision bfloat16 the forward and backward
/// passes run on a copy of the model whose weights are rounded to bf16 after each update; weights, gradient
/// sums and optimizer stay f32 (Micikevicius et al., "Mixed precision training", 2018, section 3.1).
class StepRunner {
 public:
  StepRunner(const TrainConfig& config, models::Transformer& model, optim::Optimizer& optimizer,
             const data::Loader& loader);
  struct Step {
    double loss, grad_norm;
  };
  /// Step `step` (0-based) at learning rate `lr`. Returns nothing, with the weights as they were, when an
  /// interrupt came.
  std::optional<Step> run(int64_t step, double lr);

 private:
  double sequence(int64_t index, Tensors& sums, Tensor& head) const;
  void add(size_t parameter, const Tensor& grad);
  void alone(int64_t index, Step& step);
  void side_by_side(int64_t first, int64_t count, Step& step);
  const models::Transformer& worker() const { return rounded_ ? *rounded_ : model_; }
  const TrainConfig& config_;
  models::Transformer& model_;
  std::unique_ptr<models::Transformer> rounded_;  // none in float32
  optim::Optimizer& optimizer_;
  const data::Loader& loader_;
  int64_t together_;           // sequences that run side by side
  Tensors parameters_, sums_;  // the worker's, and f32 sums of their gradients
  size_t head_;                // which of them the head's products have
};

}  // namespace suiren::train
