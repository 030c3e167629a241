// A recurrent language model, character by character: one layer of gated recurrent units learns to write like
// the GNU General Public License, which every Debian system has. It must come under the stated loss.
//
//     example_char_gru [TEXT]

#include <cmath>
#include <filesystem>
#include <string>

#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/suiren.h"

using namespace suiren;

constexpr int64_t kWidth = 64, kHidden = 192, kBatch = 32, kLength = 64, kSteps = 300;
constexpr double kStatedLoss = 1.35;  // nats a character, mean of the last 20 batches

struct CharGru : nn::Module {
  explicit CharGru(int64_t letters)
      : embed(letters, kWidth), gru(kWidth, kHidden), head(kHidden, letters, /*bias=*/true) {
    add_child("embed", embed), add_child("gru", gru), add_child("head", head);
    initialize(/*seed=*/7, /*standard_deviation=*/0.08);
  }
  nn::Embedding embed;
  nn::Gru gru;
  nn::Linear head;
};

struct Text {
  std::string letters;       // each once
  std::vector<int64_t> ids;  // of the whole text
  explicit Text(const std::string& text) {
    for (char c : text) {
      if (letters.find(c) == std::string::npos) letters += c;
      ids.push_back(static_cast<int64_t>(letters.find(c)));
    }
  }
  int64_t count() const { return static_cast<int64_t>(letters.size()); }
};

// The loss of one batch of windows from places that depend on the step alone.
Tensor batch_loss(const CharGru& model, const Text& text, int64_t step) {
  std::vector<int64_t> inputs, targets;
  for (int64_t i = 0; i < kBatch; ++i) {
    const double u = philox_uniform(3, static_cast<uint64_t>(step), static_cast<uint64_t>(i));
    const auto begin = static_cast<int64_t>(u * static_cast<double>(text.ids.size() - kLength - 1));
    const auto at = text.ids.begin() + begin;
    inputs.insert(inputs.end(), at, at + kLength);
    targets.insert(targets.end(), at + 1, at + kLength + 1);
  }
  const Tensor y = model.gru(model.embed(Tensor::from(inputs, {kBatch, kLength}))).y;
  const Tensor logits = model.head(reshape(y, {kBatch * kLength, kHidden}));
  return mean(cross_entropy(logits, Tensor::from(targets, {kBatch * kLength})));
}

// `count` characters that follow `start`, one drawn after the other at temperature 1 / sharpness.
std::string write(const CharGru& model, const Text& text, const std::string& start, int count,
                  double sharpness) {
  const NoGrad off;
  std::string written = start;
  Tensor state;
  for (int i = 0; i < static_cast<int>(start.size()) + count - 1; ++i) {
    const std::vector<int64_t> id{static_cast<int64_t>(text.letters.find(written[static_cast<size_t>(i)]))};
    const nn::Gru::Output out = model.gru(model.embed(Tensor::from(id, {1, 1})), state);
    state = out.h;
    if (i + 1 < static_cast<int>(start.size())) continue;
    const auto p = softmax(model.head(reshape(out.y, {kHidden})) * sharpness, 0).to_vector<float>();
    double u = philox_uniform(5, 0, static_cast<uint64_t>(i));
    size_t next = 0;
    while (next + 1 < p.size() && u >= double{p[next]}) u -= double{p[next++]};
    written += text.letters[next];
  }
  return written;
}

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "/usr/share/common-licenses/GPL-3";
  if (!std::filesystem::exists(path)) {
    fmt::print("no text at {}\n", path);
    return 77;
  }
  const Text text(read_file(path));
  CharGru model(text.count());
  fmt::print("{} characters of {} kinds, {} parameters\n", text.ids.size(), text.count(),
             model.parameter_count());
  const auto adam = optim::adamw(model.named_parameters(), {.beta2 = 0.99});
  const optim::Schedule schedule{optim::Schedule::kCosine, 1e-2, kSteps, 10, 0, 0.05};
  double last = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    const Tensor loss = batch_loss(model, text, step);
    const Tensors grads = gradients(loss, model.parameters());
    adam->step(grads, schedule.at(step), optim::clip_coefficient(optim::global_norm(grads), 1.0));
    if (step >= kSteps - 20) last += loss.item() / 20;
    if (step % 50 == 0) fmt::print("step {:3}  loss {:.3f}\n", step, loss.item());
  }
  fmt::print("loss {:.3f} nats a character, stated {}\n\n{}\n", last, kStatedLoss,
             write(model, text, "  You may ", 300, 1.5));
  return last < kStatedLoss ? 0 : 1;
}
