// suiren inspect: what a file or folder of a model holds, without loading it.

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "suiren/infer/model_settings.h"
#include "suiren/io/gguf.h"
#include "suiren/io/json.h"
#include "suiren/io/safetensors.h"
#include "suiren/models/config.h"
#include "suiren/text/gguf_tokenizer.h"
#include "suiren/text/tokenizer.h"
#include "suiren/train/planner.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

namespace fs = std::filesystem;
using io::Json;

struct Args {
  std::string path;
  int64_t context = 0;
  bool all = false;
};

struct Row {
  std::string name, type;
  std::vector<int64_t> shape;
  int64_t elements = 0, bytes = 0;
};

// What the formats have in common. A size of 0 is not stated.
struct Model {
  std::string format, architecture, tokenizer, chat_template;
  std::vector<Row> tensors;
  int64_t layers = 0, hidden_size = 0, heads = 0, kv_heads = 0, context = 0;
  int64_t cached = 0;  // numbers that a layer keeps of a position: keys and values, or what both are made of
  std::optional<models::TransformerConfig> config;

  int64_t parameters() const {
    int64_t n = 0;
    for (const Row& r : tensors) n += r.elements;
    return n;
  }
  int64_t bytes() const {
    int64_t n = 0;
    for (const Row& r : tensors) n += r.bytes;
    return n;
  }
  /// In f16; 0 when the shape is not known.
  int64_t cache_bytes(int64_t positions) const { return 2 * layers * cached * positions; }
};

Row row(std::string name, std::string type, const std::vector<int64_t>& shape, size_t bytes) {
  int64_t elements = 1;
  for (int64_t n : shape) elements *= n;
  return {std::move(name), std::move(type), shape, elements, static_cast<int64_t>(bytes)};
}

void add_safetensors(const std::string& path, Model& m) {
  const io::SafeTensors file = io::SafeTensors::open(path);
  for (const io::TensorEntry& e : file.entries())
    m.tensors.push_back(row(e.name, std::string(e.dtype.name()), e.shape, e.bytes.size()));
}

int64_t number_or(const io::Gguf& file, const std::string& key, int64_t otherwise) {
  const io::GgufValue* v = file.find(key);
  return v && !v->is_array() ? file.integer(key) : otherwise;
}

Model read_gguf(const std::string& path) {
  const io::Gguf file = io::Gguf::open(path);
  Model m;
  m.format = fmt::format("GGUF v{}", file.version());
  for (const io::BlockEntry& e : file.entries())
    m.tensors.push_back(row(e.name, std::string(e.format.name()), e.shape, e.bytes.size()));
  if (!file.find("general.architecture")) return m;
  m.architecture = file.string("general.architecture");
  const auto of = [&](const char* key, int64_t otherwise) {
    return number_or(file, m.architecture + "." + key, otherwise);
  };
  m.layers = of("block_count", 0);
  m.hidden_size = of("embedding_length", 0);
  m.heads = of("attention.head_count", 0);
  m.kv_heads = of("attention.head_count_kv", m.heads);
  const int64_t key = of("attention.key_length", m.heads > 0 ? m.hidden_size / m.heads : 0);
  m.cached = m.kv_heads * (key + of("attention.value_length", key));
  m.context = of("context_length", 0);
  if (file.find("tokenizer.huggingface.json") && !file.find("tokenizer.ggml.model"))
    m.tokenizer = "tokenizer.json";
  else if (text::has_gguf_tokenizer(file))
    m.tokenizer =
        fmt::format("{}, {} tokens", file.string("tokenizer.ggml.model"),
                    file.find("tokenizer.ggml.tokens") ? file.find("tokenizer.ggml.tokens")->size() : 0);
  if (file.find("tokenizer.chat_template")) m.chat_template = file.string("tokenizer.chat_template");
  return m;
}

// A part that cannot be read is said, and the rest shown.
template <class F>
std::string or_reason(F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    return std::string("not understood: ") + e.what();
  }
}

void read_config(const std::string& folder, Model& m) {
  const Json json = io::read_json(folder + "/config.json");
  if (const auto type = json.find("model_type"); type != json.end() && type->is_string())
    m.architecture = type->get<std::string>();
  const std::string why = or_reason([&] {
    m.config = models::TransformerConfig::load(folder);
    return "";
  });
  if (!why.empty()) {
    m.architecture += ", " + why;
    return;
  }
  const models::TransformerConfig& c = *m.config;
  m.layers = c.num_hidden_layers, m.hidden_size = c.hidden_size, m.heads = c.num_attention_heads;
  m.kv_heads = c.num_key_value_heads;
  m.cached = c.cache_heads() * c.cache_width() * (c.caches_values() ? 2 : 1);
  m.context = c.max_position_embeddings;
}

Model read_folder(const std::string& folder) {
  Model m;
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  SR_CHECK_AS(kNotFound, !files.empty(), "{} holds no .safetensors file; name a .gguf file itself", folder);
  for (const std::string& file : files) add_safetensors(file, m);
  m.format = files.size() == 1 ? "safetensors" : fmt::format("safetensors, {} files", files.size());
  if (fs::exists(folder + "/config.json")) read_config(folder, m);
  if (fs::exists(folder + "/tokenizer.json"))
    m.tokenizer = or_reason(
        [&] { return fmt::format("tokenizer.json, {} tokens", text::Tokenizer::load(folder).vocab_size()); });
  m.chat_template = infer::ModelSettings::load(folder).chat_template;
  return m;
}

Model read_model(const std::string& path) {
  SR_CHECK_AS(kNotFound, fs::exists(path), "{}: there is no such file or folder", path);
  if (fs::is_directory(path)) return read_folder(path);
  const std::string extension = fs::path(path).extension();
  if (extension == ".gguf") return read_gguf(path);
  SR_CHECK(extension == ".safetensors", "{}: expected a .gguf or .safetensors file, or a folder", path);
  Model m;
  m.format = "safetensors";
  add_safetensors(path, m);
  return m;
}

// Numbers in a name stand for layers or experts: rows that differ in them alone are shown as one.
struct Folded {
  std::string name;
  const Row* first;
  int64_t count = 0;
};
std::vector<Folded> fold(const std::vector<Row>& rows, bool all) {
  std::vector<Folded> list;
  std::map<std::string, size_t> place;
  for (const Row& r : rows) {
    std::string name;
    for (size_t i = 0; i < r.name.size();) {
      const size_t end = std::min(r.name.find_first_not_of("0123456789", i), r.name.size());
      const bool number =
          end > i && (i == 0 || r.name[i - 1] == '.') && (end == r.name.size() || r.name[end] == '.');
      name += number && !all ? "*" : r.name.substr(i, std::max<size_t>(end - i, 1));
      i = std::max(end, i + 1);
    }
    const std::string key = fmt::format("{} {} {}", name, r.type, fmt::join(r.shape, ","));
    const auto [at, fresh] = place.emplace(key, list.size());
    if (fresh) list.push_back({name, &r});
    ++list[at->second].count;
  }
  return list;
}

std::string size_of(int64_t bytes) {
  return bytes < 1024 ? fmt::format("{} B", bytes) : train::format_bytes(static_cast<double>(bytes));
}

std::string types_of(const Model& m) {
  std::map<std::string, std::pair<int64_t, int64_t>> types;  // count, bytes
  for (const Row& r : m.tensors) ++types[r.type].first, types[r.type].second += r.bytes;
  std::vector<std::string> parts;
  for (const auto& [type, sums] : types)
    parts.push_back(fmt::format("{} {} ({})", sums.first, type, size_of(sums.second)));
  return fmt::format("{}", fmt::join(parts, ", "));
}

int64_t training_bytes(const Model& m, int64_t length) {
  return m.config ? train::plan_memory(*m.config, length, 2, 1).total() : 16 * m.parameters();
}

void print(const Model& m, const Args& a, int64_t context) {
  const auto line = [](const char* what, const std::string& text) {
    if (!text.empty()) fmt::print("{:<14}{}\n", what, text);
  };
  line("format", m.format);
  line("architecture", m.architecture);
  if (m.layers > 0)
    line("shape", fmt::format("{} layers, hidden {}, {} heads ({} of keys and values), {} positions",
                              m.layers, m.hidden_size, m.heads, m.kv_heads, m.context));
  line("parameters", train::format_count(m.parameters()));
  line("tensors", fmt::format("{}: {}", m.tensors.size(), types_of(m)));
  line("tokenizer", m.tokenizer);
  line("chat template", m.chat_template.empty() ? "" : fmt::format("{} bytes", m.chat_template.size()));
  line("to run", m.layers == 0 ? size_of(m.bytes()) + " of weights"
                               : fmt::format("{}: {} of weights, {} of cache in f16 at {} positions",
                                             size_of(m.bytes() + m.cache_bytes(context)), size_of(m.bytes()),
                                             size_of(m.cache_bytes(context)), context));
  line("to train", m.config ? fmt::format("{} with AdamW in float32, one sequence of {} tokens at a time",
                                          size_of(training_bytes(m, context)), context)
                            : fmt::format("{} with AdamW in float32, and the activations",
                                          size_of(training_bytes(m, context))));
  fmt::print("\n");
  const std::vector<Folded> rows = fold(m.tensors, a.all);
  size_t name = 0, shape = 0;
  for (const Folded& r : rows) {
    name = std::max(name, r.name.size());
    shape = std::max(shape, fmt::format("{}", fmt::join(r.first->shape, " x ")).size());
  }
  for (const Folded& r : rows)
    fmt::print("{:{}}  {:7}  {:>{}}  {:>9}{}\n", r.name, name, r.first->type,
               fmt::format("{}", fmt::join(r.first->shape, " x ")), shape, size_of(r.first->bytes),
               r.count > 1 ? fmt::format("  {} of them", r.count) : "");
}

void print_json(const Model& m, int64_t context) {
  Json tensors = Json::array();
  for (const Row& r : m.tensors)
    tensors.push_back({{"name", r.name}, {"type", r.type}, {"shape", r.shape}, {"bytes", r.bytes}});
  const Json out{{"format", m.format},
                 {"architecture", m.architecture},
                 {"parameters", m.parameters()},
                 {"bytes", m.bytes()},
                 {"layers", m.layers},
                 {"hidden_size", m.hidden_size},
                 {"context", m.context},
                 {"tokenizer", m.tokenizer},
                 {"chat_template", m.chat_template},
                 {"run_bytes", m.bytes() + m.cache_bytes(context)},
                 {"train_bytes", training_bytes(m, context)},
                 {"tensors", tensors}};
  fmt::print("{}\n", out.dump(1, ' ', false, Json::error_handler_t::replace));
}

void run(const Args& a, bool json) {
  const Model m = read_model(a.path);
  const int64_t positions = m.context > 0 ? std::min<int64_t>(m.context, 4096) : 4096;
  const int64_t context = a.context > 0 ? a.context : positions;
  json ? print_json(m, context) : print(m, a, context);
}

}  // namespace

void add_inspect(CLI::App& app, Globals& g) {
  static Args a;
  CLI::App* c =
      add_command(app, "inspect", "what a model's files hold: tensors, tokenizer, memory",
                  "  suiren inspect smollm2-135m-q4_1.gguf\n  suiren inspect runs/poems/model --context 256\n"
                  "  suiren inspect model.safetensors --all\n  suiren inspect model.gguf --json");
  c->add_option("model", a.path, "a .gguf or .safetensors file, or a folder in Hugging Face's layout")
      ->required();
  c->add_option("--context", a.context,
                "positions for the memory estimates (default: the model's, at most 4096)")
      ->check(CLI::PositiveNumber);
  c->add_flag("--all", a.all, "each tensor on a line of its own, not one line for all layers");
  c->callback([&g] { g.run = [&g] { run(a, g.json); }; });
}

}  // namespace suiren::cli
