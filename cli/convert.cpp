// suiren convert: a model folder into a GGUF file, and back.

#include <deque>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/gguf_source.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/io/json.h"
#include "suiren/io/safetensors.h"
#include "suiren/models/gguf/gguf_model.h"
#include "suiren/quant/quantize.h"
#include "suiren/text/gguf_tokenizer.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

namespace fs = std::filesystem;
using io::BlockEntry;
using io::Json;
using quant::BlockFormat;

struct Args {
  std::string input, output, to, dtype, shard_size = "4GB";
};

/// What was written, as the command reports it.
struct Report {
  size_t tensors = 0;
  int64_t bytes = 0;
  std::string note;
};

/// "4GB", "500MB" -> bytes.
int64_t parse_size(const std::string& text) {
  static const std::pair<const char*, int64_t> kUnits[] = {
      {"GB", 1000000000}, {"MB", 1000000}, {"KB", 1000}, {"B", 1}};
  char* end = nullptr;
  const double n = std::strtod(text.c_str(), &end);
  for (const auto& [unit, factor] : kUnits)
    if (end != text.c_str() && std::string(end) == unit && n > 0 && n < 1e9)
      return std::max<int64_t>(static_cast<int64_t>(n * static_cast<double>(factor)), 1);
  fail(ErrorCode::kInvalid, "--shard-size is '{}', expected a size such as 4GB or 500MB", text);
}

bool is_plain(BlockFormat f) {
  return f == BlockFormat::kF32 || f == BlockFormat::kF16 || f == BlockFormat::kBF16;
}

Report to_gguf(const Args& a) {
  SR_CHECK(fs::is_directory(a.input), "--input {} is no folder; --to gguf takes a model folder", a.input);
  std::optional<BlockFormat> format;
  if (!a.dtype.empty()) {
    format = BlockFormat::parse(a.dtype);
    SR_CHECK(format && (is_plain(*format) || *format == BlockFormat::kQ8_0),
             "--dtype is '{}'; a GGUF file takes f32, f16, bf16 and q8_0", a.dtype);
  }
  const GgufSource source = GgufSource::from_folder(a.input, format);
  write_gguf_file(a.output, source.tensors, source.metadata, source.bytes);
  Report out{source.tensors.size(), static_cast<int64_t>(fs::file_size(a.output)), ""};
  if (!source.has_fields)
    out.note = "its tokenizer is kept as tokenizer.json alone: other programs cannot read it";
  return out;
}

/// What a GGUF file becomes in a model folder.
class FolderWriter {
 public:
  FolderWriter(const Args& a, std::string folder)
      : model_(models::GgufModel::open(a.input)), folder_(std::move(folder)) {
    if (!a.dtype.empty()) {
      format_ = BlockFormat::parse(a.dtype);
      SR_CHECK(format_ && is_plain(*format_), "--dtype is '{}'; a model folder takes f32, f16 and bf16",
               a.dtype);
    }
    most_bytes_ = parse_size(a.shard_size);
    for (const char* name : {"f16", "bf16"})
      if (const std::string key = fmt::format("suiren.stored_as.{}", name); model_.file().find(key))
        for (const std::string_view tensor : model_.file().strings(key))
          narrow_[std::string(tensor)] = *BlockFormat::parse(name);
  }

  Report write() {
    plan();
    make_directories(folder_);
    write_config();
    write_texts();
    write_weights();
    return {model_.entries().size(), bytes_, ""};
  }

 private:
  /// The dtype of a tensor: what was asked for, what it was before it became f32, or its own; f16 of blocks.
  BlockFormat format_of(const BlockEntry& e) const {
    if (format_) return *format_;
    if (const auto found = narrow_.find(e.name); found != narrow_.end()) return found->second;
    return is_plain(e.format) ? e.format : BlockFormat(BlockFormat::kF16);
  }

  /// Files of at most so many bytes, a tensor at least.
  void plan() {
    const bool transposed = model_.config().model_type == "gpt2" || model_.config().model_type == "gpt_oss";
    int64_t size = 0;
    for (const BlockEntry& e : model_.entries()) {
      SR_CHECK_AS(kUnsupported, !transposed || is_plain(e.format),
                  "{}: {} is {}, and model folders have it transposed; convert a file of f32, f16 or bf16",
                  model_.file().path(), e.name, e.format);
      SR_CHECK_AS(kUnsupported, e.format.is_dequantizable(), "{}: {} is {}, which are no weights",
                  model_.file().path(), e.name, e.format);
      const int64_t bytes = io::checked_bytes(e.shape, format_of(e), e.name);
      if (shards_.empty() || (size > 0 && size + bytes > most_bytes_)) shards_.emplace_back(), size = 0;
      shards_.back().push_back(&e);
      size += bytes, bytes_ += bytes;
    }
  }

  void write_config() {
    const io::Gguf& file = model_.file();
    if (file.find("suiren.config") && !format_)
      return write_file(folder_ + "/config.json", file.string("suiren.config"));
    Json config = file.find("suiren.config") ? io::parse_json(file.string("suiren.config"), file.path())
                                             : model_.config().to_json();
    const BlockFormat widest = format_of(*shards_.at(0).at(0));
    const char* dtype = widest == BlockFormat::kF32   ? "float32"
                        : widest == BlockFormat::kF16 ? "float16"
                                                      : "bfloat16";
    for (const char* key : {"dtype", "torch_dtype"})
      if (config.contains(key)) config[key] = dtype;
    io::write_json(folder_ + "/config.json", config);
  }

  void write_texts() {
    const io::Gguf& file = model_.file();
    if (text::has_gguf_tokenizer(file))
      write_file(folder_ + "/tokenizer.json", text::tokenizer_json_from_gguf(file));
    bool kept = false;
    for (const std::string& name : kept_files())
      if (const std::string key = "suiren.files." + name; file.find(key)) {
        write_file(folder_ + "/" + name, file.string(key));
        kept = true;
      }
    if (kept || file.find("suiren.config")) return;
    if (!model_.chat_template().empty()) write_file(folder_ + "/chat_template.jinja", model_.chat_template());
    Json generation = Json::object();
    if (model_.config().bos_token_id) generation["bos_token_id"] = *model_.config().bos_token_id;
    if (!model_.end_tokens().empty()) generation["eos_token_id"] = model_.end_tokens();
    io::write_json(folder_ + "/generation_config.json", generation);
  }

  void write_weights() {
    train::ProgressLine progress;
    Json map = Json::object();
    for (size_t i = 0; i < shards_.size(); ++i) {
      const std::string name = shards_.size() == 1
                                   ? "model.safetensors"
                                   : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
      if (progress.due()) progress.show(fmt::format("{}/{}  {}", i + 1, shards_.size(), name));
      std::deque<std::vector<uint8_t>> made;
      std::vector<io::TensorEntry> entries;
      for (const BlockEntry* e : shards_[i]) {
        entries.push_back({e->name, *DType::parse(format_of(*e).name()), e->shape, in_format(*e, made)});
        map[e->name] = name;
      }
      io::write_safetensors(folder_ + "/" + name, entries, {{"format", "pt"}});
    }
    progress.finish();
    if (shards_.size() > 1)
      io::write_json(folder_ + "/model.safetensors.index.json",
                     {{"metadata", {{"total_size", bytes_}}}, {"weight_map", map}});
  }

  std::span<const uint8_t> in_format(const BlockEntry& e, std::deque<std::vector<uint8_t>>& made) const {
    const BlockFormat format = format_of(e);
    std::vector<uint8_t>& room = made.emplace_back();
    if (format == e.format) return e.read(room);
    const std::vector<float> values = e.values();
    room.resize(static_cast<size_t>(format.bytes(std::ssize(values))));
    quant::quantize(format, values, {}, room);
    return room;
  }

  models::GgufModel model_;
  std::string folder_;
  std::optional<BlockFormat> format_;
  std::map<std::string, BlockFormat> narrow_;
  int64_t most_bytes_ = 0, bytes_ = 0;
  std::vector<std::vector<const BlockEntry*>> shards_;
};

Report to_folder(const Args& a) {
  SR_CHECK(!fs::is_directory(a.input), "--input {} is a folder; --to hf takes a GGUF file", a.input);
  SR_CHECK(!fs::exists(a.output) || (fs::is_directory(a.output) && fs::is_empty(a.output)),
           "--output {} is there already; name a folder that is not", a.output);
  // Beside itself until it is whole.
  const fs::path output = fs::absolute(a.output).lexically_normal();
  const fs::path whole = output.has_filename() ? output : output.parent_path();
  const fs::path partial = whole.parent_path() / ("." + whole.filename().string() + ".partial");
  fs::remove_all(partial);
  try {
    Report report = FolderWriter(a, partial.string()).write();
    if (fs::exists(whole)) fs::remove(whole);
    fs::rename(partial, whole);
    sync_directory(whole.parent_path().string());
    return report;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
}

void run(const Args& a, const Globals& g) {
  SR_CHECK_AS(kNotFound, fs::exists(a.input), "--input {}: there is no such file or folder", a.input);
  SR_CHECK(a.to == "gguf" || a.to == "hf", "--to is '{}'; there are gguf and hf", a.to);
  const Report report = a.to == "gguf" ? to_gguf(a) : to_folder(a);
  if (g.json) {
    Json j{{"output", a.output}, {"tensors", report.tensors}, {"bytes", report.bytes}};
    if (!report.note.empty()) j["note"] = report.note;
    fmt::print("{}\n", j.dump());
    return;
  }
  fmt::print("{}: {} tensors, {}\n", a.output, report.tensors,
             train::format_bytes(static_cast<double>(report.bytes)));
  if (!report.note.empty()) fmt::print("{}\n", report.note);
}

}  // namespace

void add_convert(CLI::App& app, Globals& g) {
  auto a = std::make_shared<Args>();
  CLI::App* c = add_command(app, "convert", "a model folder into a GGUF file, or back",
                            "  suiren convert --input runs/poems/model --output poems.gguf --to gguf\n"
                            "  suiren convert --input model.gguf --output model/ --to hf --dtype bf16");
  c->add_option("--input", a->input, "a model folder, or a GGUF file (the first of several)")->required();
  c->add_option("--output", a->output, "the GGUF file, or a folder that is not there yet")->required();
  c->add_option("--to", a->to, "gguf or hf")->required();
  c->add_option("--dtype", a->dtype,
                "of matrices: f32, f16, bf16; in GGUF also q8_0 (default: as they are; f16 of blocks)");
  c->add_option("--shard-size", a->shard_size, "of a folder's files, at most")->capture_default_str();
  c->callback([a, &g] { g.run = [a, &g] { run(*a, g); }; });
}

}  // namespace suiren::cli
