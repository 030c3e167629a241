#include "cli/gguf_source.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/infer/model_settings.h"
#include "suiren/io/gguf.h"
#include "suiren/models/folder_weights.h"
#include "suiren/models/gguf/export.h"
#include "suiren/models/gguf/gguf_model.h"
#include "suiren/text/gguf_tokenizer.h"
#include "suiren/train/progress.h"

namespace suiren::cli {

namespace fs = std::filesystem;

const std::vector<std::string>& kept_files() {
  static const std::vector<std::string> names = {"generation_config.json", "tokenizer_config.json",
                                                 "special_tokens_map.json", "chat_template.jinja"};
  return names;
}

namespace {

struct Folder {
  models::FolderWeights weights;
  models::GgufExport made;
};

}  // namespace

GgufSource GgufSource::from_folder(const std::string& folder, std::optional<quant::BlockFormat> format) {
  GgufSource out;
  const models::TransformerConfig& config = out.config = models::TransformerConfig::load(folder);
  auto weights = models::FolderWeights::open(folder);
  models::GgufExport made(config, weights.entries(), format);
  const auto files = std::make_shared<Folder>(std::move(weights), std::move(made));
  io::GgufMetadata& m = out.metadata;
  m.set("general.type", "model");
  files->made.write_metadata(m);
  m.set("general.name", fs::path(folder).lexically_normal().filename().string());
  m.set("suiren.config", read_file(folder + "/config.json"));
  for (const std::string& name : kept_files())
    if (fs::exists(folder + "/" + name)) m.set("suiren.files." + name, read_file(folder + "/" + name));
  if (fs::exists(folder + "/tokenizer.json"))
    out.has_fields = text::write_gguf_tokenizer(text::Tokenizer::load(folder), config.vocab_size, m);
  else
    m.set("tokenizer.ggml.model", "none");  // without it llama.cpp refuses the file
  const infer::ModelSettings settings = infer::ModelSettings::load(folder);
  if (!settings.chat_template.empty()) m.set("tokenizer.chat_template", settings.chat_template);
  out.tensors = files->made.tensors();
  out.bytes = [files](size_t i) { return files->made.bytes(i); };
  out.values = [files](size_t i) { return files->made.values(i); };
  return out;
}

GgufSource GgufSource::from_gguf(const std::string& path) {
  const auto model = std::make_shared<models::GgufModel>(models::GgufModel::open(path));
  const io::Gguf& file = model->file();
  GgufSource out;
  out.config = model->config();
  for (const auto& [key, value] : file.metadata())
    if (!key.starts_with("split.")) out.metadata.set(key, value);  // the parts become one
  for (const io::BlockEntry& e : file.entries()) out.tensors.push_back({e.name, e.format, e.shape, {}});
  out.bytes = [model](size_t i) {
    const auto& bytes = model->file().entries()[i].bytes;
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
  };
  out.values = [model](size_t i) { return model->file().entries()[i].values(); };
  return out;
}

void write_gguf_file(const std::string& path, const std::vector<io::BlockEntry>& tensors,
                     const io::GgufMetadata& metadata,
                     const std::function<std::vector<uint8_t>(size_t)>& bytes) {
  SR_CHECK(!fs::is_directory(path), "{} is a folder; give --output the name of a file", path);
  io::GgufWriter writer(path, tensors, metadata);
  train::ProgressLine progress;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (progress.due()) progress.show(fmt::format("{}/{}  {}", i + 1, tensors.size(), tensors[i].name));
    writer.append(bytes(i));
  }
  writer.commit();
  progress.finish();
}

}  // namespace suiren::cli
