// suiren bench: figures beside the machine's roof, the last committed ones, and a peer.

#include "suiren/bench/bench.h"

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/sampling.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

struct Args {
  bench::Options options;
  std::string memory_of, cache_type;
};

void run(Args& a, const Globals& g) {
  SR_CHECK(g.device == "cpu", "suiren bench measures the CPU, not {}; suiren conform measures a chip",
           g.device);
  if (!a.memory_of.empty()) {
    fmt::print("{}\n", nlohmann::json{{"bytes", bench::peak_memory_of(a.memory_of)}}.dump());
    return;
  }
  if (std::erase(a.options.groups, "all") > 0) a.options.groups.clear();
  a.options.program = "/proc/self/exe";
  a.options.cache = cache_type(a.cache_type);
  train::ProgressLine progress;
  a.options.progress = [&](const std::string& what) { progress.show("bench      " + what); };
  const bench::Report report = bench::run(a.options);
  progress.finish();
  if (g.json)
    fmt::print("{}\n", bench::report_json(report).dump(1));
  else
    fmt::print("{}", bench::report_table(report));
}

constexpr const char* kExample =
    R"(  suiren bench gemm                          # matrix products, percent of the multiply-add peak
  suiren bench train --size small            # one model of 1.85 M parameters
  suiren bench inference --model m.gguf      # prompt and tokens a second, percent of the read bandwidth
  suiren bench --peer python3                # everything beside PyTorch and Hugging Face tokenizers, in turns
  suiren bench all --json > bench/results/2026-11-23-mycpu-bench.json

A figure is the fastest of its calls. Its roof is measured before and after it in this process; when that moved by
more than 5% the figure is measured again, at most twice, then marked ~. What each means: docs/performance.md.)";

}  // namespace

void add_bench(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c =
      add_command(app, "bench", "how fast this machine is, as a share of what it could be", kExample);
  c->add_option("group", a.options.groups,
                "gemm, attention, train, optimizer, tokenizer, all (default: these), scaling, or inference "
                "with --model")
      ->check(CLI::IsMember(
          {"gemm", "attention", "train", "optimizer", "tokenizer", "scaling", "inference", "all"}));
  c->add_option("--figure", a.options.figure, "only figures whose name holds this");
  c->add_option("--precision", a.options.precision,
                "float32 or bfloat16: of products, attention and training; int8: of products")
      ->check(CLI::IsMember({"float32", "bfloat16", "int8"}))
      ->capture_default_str();
  c->add_option("--seconds", a.options.seconds, "for each figure, and as much for the peer")
      ->capture_default_str();
  c->add_option("--size", a.options.size,
                "models to train: small 1.85 M, medium 6.9 M too, large 91 M too (default: all for `bench "
                "train`, else medium)")
      ->check(CLI::IsMember({"small", "medium", "large"}));
  c->add_option("--text", a.options.text, "to encode (default: licences and poems that lie here)")
      ->type_name("FILE");
  c->add_option("--model", a.options.model, "a model folder or a GGUF file, for inference");
  add_cache_option(*c, a.cache_type);
  c->add_option("--peer", a.options.peer,
                "a Python with PyPI torch, tokenizers and llama-cpp-python, measured in turns with us")
      ->type_name("PYTHON");
  c->add_option("--results", a.options.results,
                "folder of committed results (default: bench/results of the sources)")
      ->type_name("DIR");
  c->add_option("--memory-of", a.memory_of)->group("");  // asked of a process of its own
  c->callback([&g] { g.run = [&g] { run(a, g); }; });
}

}  // namespace suiren::cli
