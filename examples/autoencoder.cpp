// An autoencoder squeezes pictures of clothes through 32 numbers and paints them again.
//   example_autoencoder [EPOCHS [ERROR [PICTURE.png]]]      Debian's dataset-fashion-mnist; exit code 77
//   without it
// The picture shows ten originals above their reconstructions.

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "suiren/io/png.h"
#include "suiren/suiren.h"

using namespace suiren;

struct Autoencoder : nn::Module {
  nn::Sequential encoder{nn::Conv2d(1, 16, {.kernel = 3, .stride = 2, .padding = 1}),
                         nn::Relu(),
                         nn::Conv2d(16, 32, {.kernel = 3, .stride = 2, .padding = 1}),
                         nn::Relu(),
                         nn::Flatten(),
                         nn::Linear(32 * 7 * 7, 32)};
  nn::Linear widen{32, 32 * 7 * 7};
  nn::Sequential decoder{
      nn::Relu(), nn::ConvTranspose2d(32, 16, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1}),
      nn::Relu(), nn::ConvTranspose2d(16, 1, {.kernel = 3, .stride = 2, .padding = 1, .output_padding = 1}),
      nn::Sigmoid()};
  Autoencoder() {
    add_child("encoder", encoder), add_child("widen", widen), add_child("decoder", decoder);
    initialize(/*seed=*/1);
  }
  Tensor operator()(const Tensor& x) const {
    return decoder(reshape(widen(encoder(x)), {x.dim(0), 32, 7, 7}));
  }
};

Tensor squared_error(const Tensor& a, const Tensor& b) { return mean(square(a - b)); }

// Ten pictures in a row, `below` under `above`.
void paint(const std::string& path, const Tensor& above, const Tensor& below) {
  const Tensor all = concat({slice(above, 0, 0, 10), slice(below, 0, 0, 10)}, 0);  // [20, 1, 28, 28]
  const Tensor rows = permute(reshape(all, {2, 10, 28, 28}), {0, 2, 1, 3});        // [2, 28, 10, 28]
  io::write_png(path, 56, 280, cast(rows * 255.0 + 0.5, kU8).to_vector<uint8_t>());
}

int main(int argc, char** argv) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  if (!std::filesystem::exists(folder)) {
    fmt::print("skipped: {} is not there; apt-get install dataset-fashion-mnist\n", folder);
    return 77;
  }
  const int64_t epochs = argc > 1 ? std::atoi(argv[1]) : 1, batch = 64;
  const double required = argc > 2 ? std::atof(argv[2]) : 0.015;
  const std::string picture = argc > 3 ? argv[3] : "autoencoder.png";
  const data::Images train = data::idx_images(folder + "train"), test = data::idx_images(folder + "t10k");

  const Autoencoder net;
  const auto adam = optim::adamw(net.named_parameters(), {});
  const int64_t steps = epochs * data::batches(train, batch).count();
  const optim::Schedule lr{optim::Schedule::kCosine, 3e-3, steps, std::min<int64_t>(100, steps)};
  for (int64_t epoch = 0; epoch < epochs; ++epoch)
    for (const auto& [image, label] : data::batches(train, batch, data::Shuffle{1, epoch})) {
      const Tensor loss = squared_error(net(image), image);
      if (adam->steps() % 200 == 0) fmt::print("step {:5}  error {:.4f}\n", adam->steps(), loss.item());
      adam->step(gradients(loss, net.parameters()), lr.at(adam->steps()));
    }

  const NoGrad off;
  double total = 0;
  for (const auto& [image, label] : data::batches(test, 500))
    total += squared_error(net(image), image).item() * static_cast<double>(label.numel());
  const double error = total / static_cast<double>(test.count);
  const Tensor first = data::batches(test, 10)[0].image;
  paint(picture, first, net(first));
  fmt::print("{}: mean squared error of {} test pictures {:.4f}, at most {:.4f} allowed\n", picture,
             test.count, error, required);
  return error <= required ? 0 : 1;
}
