#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/cpu.h"
#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/bench/figures.h"
#include "suiren/train/planner.h"
#include "suiren/train/session.h"

namespace suiren::bench {
namespace {

struct Model {
  std::string name;
  int64_t hidden, layers, heads, intermediate, sequences, length;
};
constexpr int64_t kVocabulary = 8192;
const Model kModels[] = {{"train 1.85 M", 128, 4, 2, 352, 8, 256},
                         {"train 6.9 M", 256, 6, 4, 704, 16, 256},
                         {"train 91 M", 768, 12, 12, 2048, 2, 512}};

io::Json shape_json(const Model& m) {
  return {{"vocab_size", kVocabulary},
          {"hidden_size", m.hidden},
          {"num_hidden_layers", m.layers},
          {"num_attention_heads", m.heads},
          {"num_key_value_heads", m.heads},
          {"intermediate_size", m.intermediate},
          {"max_position_embeddings", m.length},
          {"tie_word_embeddings", true},
          {"rms_norm_eps", 1e-5}};
}

// Random ids in a file that is gone as soon as it is mapped.
std::shared_ptr<const data::Tokens> random_tokens() {
  std::vector<uint16_t> ids(1 << 16);
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<uint16_t>(philox_uniform(1, 7, i) * static_cast<double>(kVocabulary));
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("suiren-bench-{}.u16", getpid());
  write_file(path, {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]});
  auto tokens = std::make_shared<data::Tokens>(data::Tokens::open(path));
  std::filesystem::remove(path);
  return tokens;
}

// The very steps that `suiren train` makes.
struct Subject {
  explicit Subject(const Model& m, DType dtype)
      : config(configure(m, dtype)),
        data{.tokens = random_tokens()},
        shape(train::model_config(config, data)),
        loader(train::make_loader(config, data, shape)),
        model(train::make_model(config, shape)),
        optimizer(train::make_optimizer(config, *model)),
        runner(config, *model, *optimizer, loader) {}
  static train::TrainConfig configure(const Model& m, DType dtype) {
    train::TrainConfig c;
    c.model_json = shape_json(m).dump();
    c.data.sequence_length = m.length;
    c.sequences = m.sequences;
    if (dtype == kBF16) c.precision = "bfloat16";
    return c;
  }
  const train::TrainConfig config;
  const train::DataSource data;
  const models::TransformerConfig shape;
  const data::Loader loader;
  const std::unique_ptr<models::Transformer> model;
  const std::unique_ptr<optim::Optimizer> optimizer;
  train::StepRunner runner;
  int64_t step = 0;
};

Figure figure(const Model& m, DType dtype) {
  const auto shape = models::TransformerConfig::from_json(shape_json(m), m.name);
  const auto tokens = static_cast<double>(m.sequences * m.length);
  io::Json peer = shape_json(m);
  peer.update({{"kind", "train"}, {"sequences", m.sequences}, {"length", m.length}, {"dtype", dtype.name()}});
  return {.group = "train",
          .name = m.name + suffix(dtype),
          .unit = "tokens/s",
          .work = tokens,
          .roof = roof_of(dtype),
          .load = tokens * train::training_flops_per_token(shape, m.length),
          .make =
              [m, dtype] {
                const auto s = std::make_shared<Subject>(m, dtype);
                return [s] { s->runner.run(s->step++, 1e-4); };
              },
          .peer = std::make_shared<io::Json>(std::move(peer)),
          .memory = train::plan_memory(shape, m.length, 2,
                                       train::sequences_together(shape, m.length, 2, m.sequences))
                        .total(),
          .peak_memory = true};
}

}  // namespace

std::vector<Figure> training_figures(int models, DType dtype) {
  std::vector<Figure> list;
  for (int i = 0; i < models; ++i) list.push_back(figure(kModels[i], dtype));
  return list;
}

std::vector<Figure> scaling_figures(DType dtype) {
  std::vector<Figure> list;
  const auto add = [&](Model m, int64_t sequences, int64_t length) {
    m.sequences = sequences, m.length = length;
    const auto parameters = models::TransformerConfig::from_json(shape_json(m), "scaling").parameter_count();
    m.name = fmt::format("scaling {:.1f} M {}x{}", 1e-6 * static_cast<double>(parameters), sequences, length);
    Figure f = figure(m, dtype);
    f.group = "scaling", f.peer = nullptr, f.peak_memory = false;
    list.push_back(std::move(f));
  };
  const Model medium{"", 256, 6, 4, 704};
  for (const Model& m :
       {Model{"", 96, 3, 3, 256}, Model{"", 192, 4, 3, 512}, Model{"", 320, 6, 5, 864},
        Model{"", 512, 8, 8, 1376}, Model{"", 768, 12, 12, 2048}, Model{"", 1024, 27, 16, 2816}})
    add(m, 2, 512);
  for (const int64_t length : {128, 256, 512, 1024, 2048}) add(medium, 2, length);
  for (const int64_t sequences : {1, 4, 8, 16}) add(medium, sequences, 256);
  return list;
}

int64_t peak_memory_of(const std::string& name) {
  for (const Model& m : kModels)
    for (const DType dtype : {kF32, kBF16}) {
      if (m.name + suffix(dtype) != name) continue;
      const int64_t base = memory_resident();
      Subject s(m, dtype);
      for (int i = 0; i < 3; ++i) s.runner.run(s.step++, 1e-4);
      return memory_peak() - base;
    }
  fail(ErrorCode::kNotFound, "there is no figure '{}' whose memory is measured", name);
}

}  // namespace suiren::bench
