// A convolutional network learns to tell ten kinds of clothes: data to accuracy in a page.
//   example_fashion_mnist [EPOCHS [REQUIRED]]      needs Debian's dataset-fashion-mnist; exit code 77 without
//   it
#include <cstdlib>
#include <filesystem>

#include "suiren/suiren.h"

using namespace suiren;

// Percent of the images whose class has the largest logit.
double accuracy(nn::Sequential& net, const data::Images& images) {
  const NoGrad off;
  double right = 0;
  net.eval();
  for (const auto& [image, label] : data::batches(images, 500))
    right += sum(eq(argmax(net(image), 1), label)).item();
  net.train();
  return 100 * right / static_cast<double>(images.count);
}

int main(int argc, char** argv) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!std::filesystem::exists(folder)) {
    fmt::print("skipped: {} is not there; apt-get install dataset-fashion-mnist\n", folder);
    return 77;
  }
  const int64_t epochs = argc > 1 ? std::atoi(argv[1]) : 1, batch = 128;
  const double required = argc > 2 ? std::atof(argv[2]) : 88;
  const data::Images train = data::idx_images(folder + "train"), test = data::idx_images(folder + "t10k");

  nn::Sequential net;
  for (const auto& [in, out] : {std::pair{1, 32}, {32, 64}, {64, 128}}) {
    net.add(nn::Conv2d(in, out, {.kernel = 3, .padding = 1, .bias = false}));
    net.add(nn::BatchNorm2d(out)), net.add(nn::Relu()), net.add(nn::MaxPool2d(2));
  }
  net.add(nn::Flatten()), net.add(nn::Dropout(0.3)), net.add(nn::Linear(128 * 3 * 3, 10));
  net.initialize(/*seed=*/1);

  const auto adam = optim::adamw(net.named_parameters(), {.weight_decay = 0.02});
  const int64_t steps = epochs * data::batches(train, batch).count();
  const optim::Schedule lr{optim::Schedule::kCosine, 4e-3, steps, steps / 10};
  double reached = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    double total = 0;
    const data::Augment augment{.flip = true,
                                .shift = epochs > 10 ? 1 : 0};  // long runs would learn by heart
    for (const auto& [image, label] : data::batches(train, batch, data::Shuffle{1, epoch}, augment)) {
      const Tensor loss = mean(cross_entropy(net(image), label));
      total += loss.item() * static_cast<double>(label.numel());
      adam->step(gradients(loss, net.parameters()), lr.at(adam->steps()));
    }
    reached = accuracy(net, test);
    fmt::print("epoch {:2}  loss {:.4f}  test accuracy {:.2f}%\n", epoch + 1,
               total / static_cast<double>(train.count), reached);
    std::fflush(stdout);
  }
  fmt::print("{:.2f}%, {:.2f}% required\n", reached, required);
  return reached >= required ? 0 : 1;
}
