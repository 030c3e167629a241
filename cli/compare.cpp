// suiren compare: two devices on one model, op by op.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/base/log.h"
#include "suiren/conform/compare.h"
#include "suiren/models/transformer.h"
#include "suiren/text/tokenizer.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

struct Args {
  std::string model, prompt, replay, save = "suiren-difference";
  std::vector<std::string> devices;
  int64_t tokens = 16;
};

std::vector<int64_t> ids_for(const Args& a, const models::Transformer& model) {
  std::vector<int64_t> ids;
  if (!a.prompt.empty()) {
    const std::string path = a.model + "/tokenizer.json";
    SR_CHECK(std::filesystem::exists(path), "{} has no tokenizer.json, which --prompt needs; use --tokens",
             a.model);
    for (const uint32_t id : text::Tokenizer::load(path).encode(a.prompt, true)) ids.push_back(id);
  } else {
    for (int64_t i = 0; i < a.tokens; ++i) ids.push_back(i * 37 % model.config().vocab_size);
  }
  return ids;
}

void print(const conform::Comparison& r, const Args& a, const std::string& first, const std::string& other,
           bool json) {
  const auto& d = r.difference;
  if (json) {
    nlohmann::json j{{"ops", r.calls}, {"agree", !d}, {"closest", r.closest}, {"closest_op", r.closest_op}};
    if (d)
      j["difference"] = {{"call", d->call},
                         {"op", d->op},
                         {"attributes", d->attributes},
                         {"inputs", d->inputs},
                         {"result", d->result},
                         {"element", d->element},
                         {"elements", d->elements},
                         {"different", d->different},
                         {"expected", fmt::format("{}", d->expected)},
                         {"got", fmt::format("{}", d->got)},
                         {"allowed", d->allowed},
                         {"saved", a.replay.empty() ? a.save : a.replay}};
    fmt::print("{}\n", j.dump());
    return;
  }
  fmt::print("compared   {} ops: {} and {}\n", train::format_count(r.calls), first, other);
  if (r.closest > 0) fmt::print("closest    {}: {:.0f}% of its tolerance\n", r.closest_op, 100 * r.closest);
  if (!d) return fmt::print("result     they agree\n");
  fmt::print("differs    op {}: {}({}) on {}\n", d->call, d->op, d->attributes, d->inputs);
  fmt::print("worst      {}, element {}: {} gives {:.9g}, {} gives {:.9g}; allowed difference {:.2g}\n",
             d->result, d->element, first, d->expected, other, d->got, d->allowed);
  fmt::print("outside    {} of {} elements\n", d->different, d->elements);
  if (a.replay.empty())
    fmt::print("saved      {}   (again: suiren compare --replay {} --device {})\n", a.save, a.save, other);
}

void run(const Args& a, const Globals& g) {
  set_log_level(LogLevel::kQuiet);  // that a chip lacks a kernel is not the question here
  conform::Comparison r;
  std::string first = "the saved result";
  if (!a.replay.empty()) {
    SR_CHECK(a.devices.size() == 1 && a.model.empty(), "--replay takes one --device and no --model");
    r = conform::replay_call(a.replay, Device(a.devices[0]));
  } else {
    SR_CHECK(!a.model.empty() && a.devices.size() == 2,
             "give --model and two devices: --device cpu --device NAME");
    const auto model = models::Transformer::load(a.model, {.device = Device(a.devices[0])});
    first = model->device().name();
    const std::vector<int64_t> ids = ids_for(a, *model);
    r = conform::compare_devices([&] { (void)model->logits(model->ids(ids)); }, Device(a.devices[1]), a.save);
  }
  const std::string other = Device(a.devices.back()).name();
  print(r, a, first, other, g.json);
  if (r.difference) fail(ErrorCode::kNumeric, "{} differs on {}: see above", r.difference->op, other);
}

}  // namespace

void add_compare(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c = add_command(
      app, "compare", "two devices on one model, op by op: the first op that differs",
      "  suiren compare --model runs/a/model --device cpu --device example\n"
      "  suiren compare --replay suiren-difference --device example\n\n"
      "The model runs on the first device. Each op that it launches runs once more on the second, "
      "with the inputs that the\nfirst had: differences do not add up, and the op that is named is "
      "the one at fault. A fused op that the first device\ntakes apart is compared part by part. "
      "Exit code 1: they differ.");
  c->add_option("--model", a.model, "a model folder");
  c->add_option("--device", a.devices, "twice: the device to trust, and the device to test")->take_all();
  c->add_option("--prompt", a.prompt, "text to run on; or");
  c->add_option("--tokens", a.tokens, "run on so many made-up tokens")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  c->add_option("--save", a.save, "where the call that differs is saved")->capture_default_str();
  c->add_option("--replay", a.replay, "a call saved before, instead of a model");
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
