// A language model in a page: a small Llama learns one poem byte by byte, then recites it.

#include <string>

#include "suiren/infer/generate.h"
#include "suiren/models/transformer.h"
#include "suiren/optim/clip.h"
#include "suiren/optim/optim.h"
#include "suiren/suiren.h"

using namespace suiren;

int main() {
  const std::string poem = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。";
  std::vector<int64_t> ids;
  for (char c : poem) ids.push_back(static_cast<uint8_t>(c));
  const std::span<const int64_t> inputs = std::span(ids).first(ids.size() - 1),
                                 targets = std::span(ids).subspan(1);

  models::TransformerConfig shape;
  shape.vocab_size = 256;
  shape.hidden_size = 64;
  shape.intermediate_size = 128;
  shape.num_hidden_layers = 2;
  shape.num_attention_heads = shape.num_key_value_heads = 2;
  shape.head_dim = 32;
  shape.max_position_embeddings = 128;
  models::Transformer model(shape, /*seed=*/1);
  fmt::print("{} parameters\n", model.parameter_count());

  const auto adam = optim::adamw(model.named_parameters(), {.beta2 = 0.95});
  const Tensor x = model.ids(inputs), y = model.ids(targets);
  double first = 0, last = 0;
  for (int step = 0; step < 60; ++step) {
    const Tensor loss = mean(model.token_losses(x, y));
    last = loss.item();
    if (step == 0) first = last;
    if (step % 10 == 0) fmt::print("step {:2}  loss {:.4f}\n", step, last);
    const Tensors grads = gradients(loss, model.parameters());
    adam->step(grads, /*lr=*/5e-3, optim::clip_coefficient(optim::global_norm(grads), 1.0));
  }
  fmt::print("loss {:.4f} -> {:.4f}\n", first, last);

  infer::GenerateOptions options;
  options.max_tokens = static_cast<int64_t>(ids.size()) - 3;
  options.sampling.temperature = 0;  // the likeliest token
  options.ignore_eos = true;
  std::string recited = poem.substr(0, 3);
  for (int64_t id : infer::generate(model, std::span(ids).first(3), options).ids)
    recited += static_cast<char>(id);
  fmt::print("{}\n", recited);
  return recited == poem ? 0 : 1;
}
