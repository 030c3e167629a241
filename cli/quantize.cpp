// suiren quantize: a model in fewer bits, as a GGUF file.

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/gguf_source.h"
#include "suiren/base/error.h"
#include "suiren/base/threads.h"
#include "suiren/data/documents.h"
#include "suiren/infer/importance.h"
#include "suiren/infer/language_model.h"
#include "suiren/models/gguf/mixture.h"
#include "suiren/quant/dequantize.h"
#include "suiren/quant/quantize.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

namespace fs = std::filesystem;
using io::BlockEntry;
using quant::BlockFormat;

// As llama.cpp's imatrix cuts its texts; more tokens change the means little.
constexpr int64_t kWindow = 512;

struct Args {
  std::string input, output, type = "q4_k_m", imatrix, imatrix_out;
  std::vector<std::string> calibrate;
  int64_t calibrate_tokens = 64 * kWindow;
};

/// How much the columns of the model's matrices matter: from a file, from a text that it reads, or unknown.
models::ImportanceMatrix importance_of(const Args& a, const Globals& g) {
  if (!a.imatrix.empty()) return models::ImportanceMatrix::load(a.imatrix);
  if (a.calibrate.empty()) return {};
  const auto model = infer::LanguageModel::load(a.input, {.device = Device(g.device)});
  std::vector<int64_t> ids;
  data::for_each_document(a.calibrate, {}, [&](std::string_view text) {
    if (std::ssize(ids) >= a.calibrate_tokens) return;
    const std::vector<int64_t> more = model.encode(text);
    ids.insert(ids.end(), more.begin(), more.end());
  });
  if (std::ssize(ids) > a.calibrate_tokens) ids.resize(static_cast<size_t>(a.calibrate_tokens));
  train::ProgressLine progress;
  const int64_t window = std::min(kWindow, model.transformer->positions());
  auto out = infer::importance(*model.transformer, ids, window, [&](int64_t done) {
    if (progress.due()) progress.show(fmt::format("calibration {}/{} tokens", done, ids.size()));
  });
  progress.finish();
  if (!a.imatrix_out.empty()) out.save(a.imatrix_out, std::ssize(ids));
  return out;
}

/// What quantization did to the numbers of one format.
struct Tally {
  int64_t tensors = 0, bytes = 0;
  double error = 0, power = 0;  // sums of squares
};

/// Rows into blocks; a row's bytes depend on that row and the importance of its columns alone. Of experts
/// each has its own, and what met nothing has none.
std::vector<uint8_t> in_blocks(const BlockEntry& e, const std::vector<float>& values,
                               std::span<const float> importance) {
  std::vector<uint8_t> out(static_cast<size_t>(io::checked_bytes(e.shape, e.format, e.name)));
  const int64_t width = e.shape.back(), rows = width > 0 ? std::ssize(values) / width : 0;
  const int64_t sets = width > 0 ? std::ssize(importance) / width : 0;
  SR_CHECK(sets * width == std::ssize(importance) && (sets == 0 || rows % sets == 0),
           "{} is [{}], but its importance has {} numbers: it is another model's", e.name,
           fmt::join(e.shape, ", "), importance.size());
  const auto weights = [&](int64_t row) -> std::span<const float> {
    if (sets == 0) return {};
    const auto mine =
        importance.subspan(static_cast<size_t>(row / (rows / sets) * width), static_cast<size_t>(width));
    return std::ranges::any_of(mine, [](float x) { return x > 0; }) ? mine : std::span<const float>();
  };
  const auto row_bytes = static_cast<size_t>(e.format.bytes(width));
  parallel_for(rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      quant::quantize(e.format,
                      std::span(values).subspan(static_cast<size_t>(r * width), static_cast<size_t>(width)),
                      weights(r), std::span(out).subspan(static_cast<size_t>(r) * row_bytes, row_bytes));
  });
  return out;
}

void add_error(const BlockEntry& e, const std::vector<float>& values, const std::vector<uint8_t>& bytes,
               Tally& to) {
  std::vector<float> back(values.size());
  quant::dequantize(e.format, bytes, back);
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = values[i], d = static_cast<double>(back[i]) - x;
    to.error += d * d, to.power += x * x;
  }
}

double relative(const Tally& t) { return t.power > 0 ? std::sqrt(t.error / t.power) : 0; }

class Quantizer {
 public:
  Quantizer(const Args& a, const Globals& g) : args_(a), mixture_(models::gguf_mixture(a.type)) {
    SR_CHECK_AS(kNotFound, fs::exists(a.input), "--input {}: there is no such file or folder", a.input);
    SR_CHECK(!fs::exists(a.output) || !fs::equivalent(a.input, a.output), "--output is the input, {}",
             a.input);
    importance_ = importance_of(a, g);
    source_ = fs::is_directory(a.input) ? GgufSource::from_folder(a.input) : GgufSource::from_gguf(a.input);
    tensors_ = source_.tensors;
    const models::TransformerConfig& c = source_.config;
    const auto formats = models::mixture_formats(mixture_, tensors_, c.num_hidden_layers, c.moe.experts);
    for (const models::MixedFormat& f : formats)
      if (f.format != f.wanted)
        ++fallbacks_[fmt::format("{} in place of {}: rows are no multiple of {}", f.format, f.wanted,
                                 f.wanted.block_elements())];
    for (size_t i = 0; i < tensors_.size(); ++i) {
      SR_CHECK_AS(kUnsupported, tensors_[i].format.is_dequantizable(), "{}: {} is {}, which are no weights",
                  a.input, tensors_[i].name, tensors_[i].format);
      tensors_[i].format = formats[i].format;
    }
  }

  void run() {
    source_.metadata.set("general.file_type", mixture_.file_type);
    source_.metadata.set("general.quantization_version", uint32_t{2});
    write_gguf_file(args_.output, tensors_, source_.metadata, [&](size_t i) { return bytes(i); });
  }

  void print(bool json) const {
    const auto size = static_cast<int64_t>(fs::file_size(args_.output));
    int64_t before = 0;
    for (const BlockEntry& e : source_.tensors) before += io::checked_bytes(e.shape, e.format, e.name);
    if (json) {
      io::Json formats = io::Json::object();
      for (const auto& [name, t] : tallies_)
        formats[name] = {{"tensors", t.tensors}, {"bytes", t.bytes}, {"relative_error", relative(t)}};
      fmt::print("{}\n", io::Json{{"output", args_.output},
                                  {"bytes", size},
                                  {"bytes_before", before},
                                  {"formats", formats},
                                  {"tensors_with_importance", guided_},
                                  {"fallbacks", fallbacks_}}
                             .dump());
      return;
    }
    fmt::print("{}: {} of {}\n", args_.output, train::format_bytes(static_cast<double>(size)),
               train::format_bytes(static_cast<double>(before)));
    fmt::print("{:<8}{:>8}{:>12}{:>18}\n", "format", "tensors", "size", "relative error");
    for (const auto& [name, t] : tallies_)
      fmt::print("{:<8}{:>8}{:>12}{:>18.5f}\n", name, t.tensors,
                 train::format_bytes(static_cast<double>(t.bytes)), relative(t));
    if (importance_.size() > 0)
      fmt::print("{} tensors quantized by the importance of their columns\n", guided_);
    for (const auto& [what, tensors] : fallbacks_) fmt::print("{} tensors have {}\n", tensors, what);
  }

 private:
  std::vector<uint8_t> bytes(size_t i) {
    const BlockEntry& e = tensors_[i];
    Tally& tally = tallies_[std::string(e.format.name())];
    const bool same = e.format == source_.tensors[i].format;
    std::vector<uint8_t> out;
    if (same) {
      out = source_.bytes(i);
    } else {
      const std::vector<float> values = source_.values(i);
      const auto importance = importance_.of(e.name);
      guided_ += !importance.empty();
      out = in_blocks(e, values, importance);
      add_error(e, values, out, tally);
    }
    ++tally.tensors, tally.bytes += std::ssize(out);
    return out;
  }

  const Args& args_;
  const models::GgufMixture& mixture_;
  models::ImportanceMatrix importance_;
  int64_t guided_ = 0;  // tensors whose importance is known
  GgufSource source_;
  std::vector<BlockEntry> tensors_;
  std::map<std::string, Tally> tallies_;
  std::map<std::string, int64_t> fallbacks_;
};

}  // namespace

void add_quantize(CLI::App& app, Globals& g) {
  auto a = std::make_shared<Args>();
  CLI::App* c = add_command(app, "quantize", "a model in fewer bits, as a GGUF file",
                            "  suiren quantize --input model/ --output model.gguf --type q4_k_m\n"
                            "  suiren quantize --input model-f16.gguf --output model-q8.gguf --type q8_0\n"
                            "  suiren quantize --input model/ --output model.gguf --calibrate book.txt");
  std::string names;
  for (const models::GgufMixture& m : models::gguf_mixtures())
    names += (names.empty() ? "" : " ") + std::string(m.name);
  c->add_option("--input", a->input, "a model folder, or a GGUF file")->required();
  c->add_option("--output", a->output, "the GGUF file")->required();
  c->add_option("--type", a->type, names)->capture_default_str();
  auto* text = c->add_option("--calibrate", a->calibrate,
                             "files and folders of text that the model reads first: columns of matrices that "
                             "meet more there are kept more exactly");
  c->add_option("--calibrate-tokens", a->calibrate_tokens, "tokens of it at most")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->needs(text);
  c->add_option("--imatrix-out", a->imatrix_out, "keep what --calibrate found, for --imatrix")->needs(text);
  c->add_option("--imatrix", a->imatrix, "such a file, ours or llama.cpp's, in place of a text")
      ->excludes(text);
  c->callback([a, &g] {
    g.run = [a, &g] {
      Quantizer quantizer(*a, g);
      quantizer.run();
      quantizer.print(g.json);
    };
  });
}

}  // namespace suiren::cli
