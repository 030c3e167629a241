// A tiny Llama from a seed: its logits, twenty steps of training and its checkpoint, beside the CPU.

#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "suiren/conform/check.h"
#include "suiren/conform/harness.h"
#include "suiren/conform/tiny_model.h"
#include "suiren/core/autograd.h"

namespace suiren::conform {
namespace {

constexpr int kSteps = 20;

std::vector<double> losses(const Probe& p, const Device& device, DType dtype) {
  TinyModel m(device, dtype);
  std::vector<double> list;
  for (int step = 0; step < kSteps; ++step) {
    p.tick(fmt::format("step {} of training on {} in {}", step + 1, device.name(), dtype));
    list.push_back(m.step(step));
  }
  return list;
}

std::string logits(const Probe& p) {
  const Device chip(p.target.device());
  const NoGrad off;
  const auto of = [](const TinyModel& m) { return to_host_array(m.model.logits(m.ids(0))); };
  p.tick("the logits of a tiny Llama");
  const HostArray got = of(TinyModel(chip, kF32)), cpu = of(TinyModel(Device(), kF32)),
                  wide = of(TinyModel(Device(), kF64));
  Wide largest = 0, worst = 0, ours = 0;
  for (int64_t i = 0; i < wide.numel(); ++i) {
    largest = std::max(largest, std::fabs(wide[i]));
    worst = std::max(worst, std::isnan(got[i]) ? INFINITY : std::fabs(got[i] - wide[i]));
    ours = std::max(ours, std::fabs(cpu[i] - wide[i]));
  }
  const auto relative = static_cast<double>(worst / largest);
  p.figure("relative", relative);
  require(relative < 2e-5, "logits are off by {:.1e} of the largest; the CPU's f32 by {:.1e}", relative,
          static_cast<double>(ours / largest));
  return fmt::format("{} logits, worst off by {:.1e} of the largest (the CPU's f32: {:.1e})", wide.numel(),
                     relative, static_cast<double>(ours / largest));
}

std::string loss_curve(const Probe& p) {
  const auto wide = losses(p, Device(), kF64), cpu = losses(p, Device(), kF32),
             got = losses(p, Device(p.target.device()), kF32);
  double worst = 0, ours = 0;
  for (int i = 0; i < kSteps; ++i) {
    const auto n = static_cast<size_t>(i);
    const double off = std::fabs(got[n] - wide[n]) / wide[n];
    worst = std::max(worst, off), ours = std::max(ours, std::fabs(cpu[n] - wide[n]) / wide[n]);
    require(off < 1e-4, "step {}: loss {:.7f}, in f64 {:.7f}", i + 1, got[n], wide[n]);
  }
  require(wide.back() < wide.front() - 0.5, "the kit's own model does not learn: {} to {}", wide.front(),
          wide.back());
  p.figure("relative", worst);
  return fmt::format("{} steps, loss {:.4f} to {:.4f}; worst off by {:.1e} (the CPU's f32: {:.1e})", kSteps,
                     got.front(), got.back(), worst, ours);
}

// Saved there, loaded here, saved here, loaded there: not a bit may change.
std::string checkpoint(const Probe& p) {
  const Device chip(p.target.device());
  const std::string folder =
      std::filesystem::temp_directory_path() / fmt::format("suiren_conform_{}", getpid());
  std::filesystem::create_directories(folder);
  const std::string there = folder + "/there.safetensors", here = folder + "/here.safetensors";
  TinyModel trained(chip, kF32), loaded(Device(), kF32, 2), back(chip, kF32, 3);
  for (int step = 0; step < 2; ++step) trained.step(step);
  p.tick("saving and loading");
  nn::Module &first = trained.model, &second = loaded.model, &third = back.model;
  first.save(there), second.load(there);
  second.save(here), third.load(here);
  std::filesystem::remove_all(folder);
  const Tensors a = trained.model.parameters(), b = loaded.model.parameters(), c = back.model.parameters();
  int64_t bytes = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto want = a[i].to_bytes();
    require(b[i].to_bytes() == want, "parameter {} changed on its way to the CPU", i);
    require(c[i].to_bytes() == want, "parameter {} changed on its way back to the chip", i);
    bytes += a[i].bytes();
  }
  return fmt::format("{} tensors, {} bytes, there and back, bitwise", a.size(), bytes);
}

}  // namespace

std::vector<Check> training_checks() {
  return {{"logits", "logits of a tiny Llama", "小型 Llama 的输出", logits},
          {"loss_curve", "twenty steps of training", "训练二十步的损失", loss_curve},
          {"checkpoint", "saved on one chip, loaded on another", "检查点跨芯片保存与载入", checkpoint}};
}

}  // namespace suiren::conform
