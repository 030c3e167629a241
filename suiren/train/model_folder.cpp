#include "suiren/train/model_folder.h"

#include <map>
#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/core/autograd.h"
#include "suiren/io/json.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/text/tokenizer.h"

namespace suiren::train {

void restore_parameters(models::Transformer& model, const NamedTensors& tensors) {
  const std::map<std::string, Tensor> by_name(tensors.begin(), tensors.end());
  const auto parameters = model.named_parameters();
  SR_CHECK(by_name.size() == parameters.size(), "the checkpoint holds {} tensors, the model has {}",
           by_name.size(), parameters.size());
  for (const auto& [name, p] : parameters) {
    const auto t = by_name.find(name);
    SR_CHECK(t != by_name.end() && t->second.shape() == p->shape() && t->second.dtype() == p->dtype(),
             "the checkpoint has no tensor '{}' of {} {}; it belongs to another model", name, p->dtype(),
             p->shape());
  }
  const NoGrad off;
  for (const auto& [name, p] : parameters) assign(*p, by_name.at(name).to(p->device()));
}

void write_model_folder(const std::string& folder, const models::Transformer& model,
                        const std::string& tokenizer) {
  make_directories(folder);
  model.save(folder);
  const auto& c = model.config();
  io::Json generation{{"_from_model_config", true}};
  if (c.bos_token_id) generation["bos_token_id"] = *c.bos_token_id;
  if (c.eos_token_ids.size() == 1)
    generation["eos_token_id"] = c.eos_token_ids[0];
  else if (!c.eos_token_ids.empty())
    generation["eos_token_id"] = c.eos_token_ids;
  io::write_json(folder + "/generation_config.json", generation);
  if (tokenizer.empty()) return;
  const text::Tokenizer t = text::Tokenizer::load(tokenizer);
  t.save(folder + "/tokenizer.json");
  io::Json settings{{"tokenizer_class", "PreTrainedTokenizerFast"},
                    {"model_max_length", c.max_position_embeddings},
                    {"clean_up_tokenization_spaces", false}};
  if (c.eos_token_ids.size() == 1)
    settings["eos_token"] = t.bytes_of(static_cast<uint32_t>(c.eos_token_ids[0]));
  if (c.bos_token_id) settings["bos_token"] = t.bytes_of(static_cast<uint32_t>(*c.bos_token_id));
  settings["add_bos_token"] = c.bos_token_id.has_value();
  io::write_json(folder + "/tokenizer_config.json", settings);
}

}  // namespace suiren::train
