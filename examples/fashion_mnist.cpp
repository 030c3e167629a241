// A convolutional network learns to tell ten kinds of clothes: data to accuracy in a page.
//   example_fashion_mnist [EPOCHS [REQUIRED_ACCURACY]]      Debian's dataset-fashion-mnist; exit code 77
//   without it

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "suiren/suiren.h"

using namespace suiren;

double accuracy(nn::Sequential& net, const data::Images& images) {
  const NoGrad off;
  double right = 0;
  net.eval();
  for (const auto& [image, label] : data::batches(images, 500))
    right += sum(cast(eq(argmax(net(image), 1), label), kF64)).item();
  net.train();
  return 100 * right / static_cast<double>(images.count);
}

int main(int argc, char** argv) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!std::filesystem::exists(folder)) {
    fmt::print("skipped: {} is not there; apt-get install dataset-fashion-mnist\n", folder);
    return 77;
  }
  const int64_t epochs = argc > 1 ? std::atoi(argv[1]) : 7, batch = 128;
  const double required = argc > 2 ? std::atof(argv[2]) : 91;
  const data::Images train = data::idx_images(folder + "train"), test = data::idx_images(folder + "t10k");

  nn::Sequential net{nn::Conv2d(1, 32, {.kernel = 3, .padding = 1, .bias = false}),
                     nn::BatchNorm2d(32),
                     nn::Relu(),
                     nn::MaxPool2d(2),
                     nn::Conv2d(32, 64, {.kernel = 3, .padding = 1, .bias = false}),
                     nn::BatchNorm2d(64),
                     nn::Relu(),
                     nn::MaxPool2d(2),
                     nn::Conv2d(64, 128, {.kernel = 3, .padding = 1, .bias = false}),
                     nn::BatchNorm2d(128),
                     nn::Relu(),
                     nn::MaxPool2d(2),
                     nn::Flatten(),
                     nn::Dropout(0.3),
                     nn::Linear(128 * 3 * 3, 10)};
  net.initialize(/*seed=*/1);
  const auto adam = optim::adamw(net.named_parameters(), {.weight_decay = 0.02});
  const int64_t steps = epochs * ((train.count + batch - 1) / batch);
  const optim::Schedule lr{optim::Schedule::kCosine, 4e-3, steps, steps / 10};
  double reached = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    double total = 0;
    for (const auto& [image, label] :
         data::batches(train, batch, data::Shuffle{1, epoch}, {.flip = true, .shift = 1})) {
      const Tensor loss = mean(cross_entropy(net(image), label));
      total += loss.item() * static_cast<double>(label.numel());
      adam->step(gradients(loss, net.parameters()), lr.at(adam->steps()));
    }
    reached = accuracy(net, test);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    fmt::print("epoch {:2}  loss {:.4f}  test accuracy {:.2f}%  {:.1f} s\n", epoch + 1,
               total / static_cast<double>(train.count), reached, seconds.count());
    std::fflush(stdout);
  }
  fmt::print("{:.2f}%, {:.2f}% required\n", reached, required);
  return reached >= required ? 0 : 1;
}
