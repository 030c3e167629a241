// One piece of work of fixed size on one thread, for tools/instructions to count: instructions repeat where
// times do not. The work runs once before it is counted, so that packed weights, caches and tables are there.
//   instructions --list | WORK

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "suiren/base/file.h"
#include "suiren/suiren.h"

using namespace suiren;

/// callgrind counts what happens inside of it.
extern "C" __attribute__((noinline)) void suiren_counted(const std::function<void()>& work) { work(); }

namespace {

Tensor random(const Shape& shape, DType dtype = kF32) { return cast(uniform(shape, -1, 1, 7), dtype); }

std::function<void()> product(int64_t m, int64_t k, int64_t n, DType dtype) {
  return [a = random({m, k}, dtype), b = random({k, n}, dtype)] { matmul(a, b); };
}

// Forward and backward of a scalar function of one input.
template <class F>
std::function<void()> both_ways(Tensor x, F f) {
  x.set_requires_grad();
  return [=] { gradients(sum(f(x)), {x}); };
}

std::function<void()> attend() {
  const Tensor k = random({1, 128, 2, 64}), v = random({1, 128, 2, 64});
  return both_ways(random({1, 128, 2, 64}),
                   [=](const Tensor& q) { return scaled_dot_product_attention(q, k, v, 0.125); });
}

std::function<void()> train_step() {
  const std::shared_ptr<models::Transformer> model = models::Transformer::load("tests/golden/training/init");
  const std::shared_ptr<optim::Optimizer> adamw = optim::adamw(model->named_parameters(), {});
  const Tensor ids = cast(uniform({1, 64}, 0, 500, 3), kI32);
  return [=] {
    const Tensors parameters = model->parameters();
    adamw->step(gradients(mean(model->token_losses(ids, ids)), parameters), 1e-3);
  };
}

std::function<void()> encode() {
  const std::string text = read_file("tests/golden/text/corpus.txt");
  text::BpeTrainer trainer({.vocab_size = 1024});
  trainer.add_document(text);
  return [tokenizer = std::make_shared<text::Tokenizer>(trainer.train()), text] { tokenizer->encode(text); };
}

std::function<void()> learn() {
  return [text = read_file("tests/golden/text/corpus.txt")] {
    text::BpeTrainer trainer({.vocab_size = 1024});
    trainer.add_document(text);
    trainer.train();
  };
}

const std::map<std::string, std::function<std::function<void()>()>> kWork{
    {"matmul f32 256x256x256", [] { return product(256, 256, 256, kF32); }},
    {"matmul f32 1x768x768", [] { return product(1, 768, 768, kF32); }},
    {"matmul bf16 256x256x256", [] { return product(256, 256, 256, kBF16); }},
    {"add f32 64K", [] { return std::function<void()>([x = random({65536})] { x + x; }); }},
    {"add f32 1", [] { return std::function<void()>([x = random({1})] { x + x; }); }},
    {"softmax f32 64x1024",
     [] {
       return both_ways(random({64, 1024}), [](const Tensor& x) { return softmax(x, -1); });
     }},
    {"rms_norm f32 64x256",
     [] {
       return both_ways(random({1, 64, 256}),
                        [w = random({256})](const Tensor& x) { return rms_norm(x, w); });
     }},
    {"swiglu bf16 64x704",
     [] {
       return both_ways(random({64, 704}, kBF16),
                        [up = random({64, 704}, kBF16)](const Tensor& x) { return swiglu(x, up); });
     }},
    {"attention f32 128", attend},
    {"training step", train_step},
    {"encode", encode},
    {"learn bpe", learn},
};

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "--list";
  if (name == "--list") {
    for (const auto& [work, make] : kWork) std::puts(work.c_str());
    return 0;
  }
  const auto found = kWork.find(name);
  if (found == kWork.end())
    return std::fprintf(stderr, "instructions: there is no work '%s'\n", name.c_str()), 2;
  set_thread_count(1);
  const auto work = found->second();
  work();
  suiren_counted(work);
}
