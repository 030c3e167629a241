#include "suiren/train/config.h"

#include <yaml-cpp/yaml.h>

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <optional>

#include "suiren/base/error.h"
#include "suiren/base/file.h"

namespace suiren::train {
namespace {

// What a configuration may hold: far more than one needs.
constexpr size_t kMostBytes = 64 << 10;
constexpr int kMostNodes = 10000, kMostDepth = 32;

// One mapping of the file. Each get() notes its key, so that finish() can tell which keys nobody asked for.
class Section {
 public:
  Section(YAML::Node node, std::string file, std::string name)
      : node_(node), file_(std::move(file)), name_(std::move(name)) {
    SR_CHECK(!node_ || node_.IsNull() || node_.IsMap(), "{}: {} must hold keys and values", where(node_),
             name_.empty() ? "the file" : name_);
  }
  bool has(const std::string& key) {
    known_.push_back(key);
    return node_ && node_.IsMap() && node_[key] && !node_[key].IsNull();
  }
  template <class T>
  void get(const std::string& key, T& value, const char* expected) {
    if (!has(key)) return;
    const YAML::Node n = node_[key];
    try {
      value = n.as<T>();
    } catch (const YAML::Exception&) {
      fail(ErrorCode::kInvalid, "{}: {} is '{}', expected {}", where(n), full(key), text_of(n), expected);
    }
  }
  void number(const std::string& key, double& v, double low, double high) {
    get(key, v, "a number");
    SR_CHECK(v >= low && v <= high, "{}: {} is {}, expected {} to {}", where(at(key)), full(key), v, low,
             high);
  }
  void count(const std::string& key, int64_t& v, int64_t low) {
    get(key, v, "a whole number");
    SR_CHECK(v >= low, "{}: {} is {}, expected at least {}", where(at(key)), full(key), v, low);
  }
  void choice(const std::string& key, std::string& v, const std::vector<std::string>& allowed) {
    get(key, v, "a word");
    if (std::find(allowed.begin(), allowed.end(), v) != allowed.end()) return;
    fail(ErrorCode::kInvalid, "{}: {} is '{}', expected {}", where(at(key)), full(key), v,
         fmt::format("{}", fmt::join(allowed, ", ")));
  }
  Section section(const std::string& key) { return {has(key) ? node_[key] : YAML::Node(), file_, full(key)}; }
  YAML::Node at(const std::string& key) const { return node_ && node_.IsMap() ? node_[key] : YAML::Node(); }
  void finish() const {
    if (!node_ || !node_.IsMap()) return;
    for (const auto& entry : node_) {
      const std::string key = entry.first.as<std::string>();
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const std::string near = nearest(key, known_);
      fail(ErrorCode::kInvalid, "{}: unknown key '{}'{}; {}", where(entry.first), key,
           name_.empty() ? "" : " in " + name_,
           near.empty() ? fmt::format("known keys: {}", fmt::join(known_, ", "))
                        : "did you mean '" + near + "'?");
    }
  }
  std::string where(const YAML::Node& n) const {
    return n && n.Mark().line >= 0 ? file_ + ":" + std::to_string(n.Mark().line + 1) : file_;
  }
  std::string full(const std::string& key) const { return name_.empty() ? key : name_ + "." + key; }

 private:
  static std::string text_of(const YAML::Node& n) { return n.IsScalar() ? n.Scalar() : YAML::Dump(n); }
  YAML::Node node_;
  std::string file_, name_;
  std::vector<std::string> known_;
};

// A YAML value as JSON text, for the model section, which is in config.json's own names.
std::string to_json(const YAML::Node& n) {
  if (n.IsMap()) {
    std::string out;
    for (const auto& e : n)
      out += (out.empty() ? "" : ",") + ("\"" + e.first.as<std::string>() + "\":" + to_json(e.second));
    return "{" + out + "}";
  }
  if (n.IsSequence()) {
    std::string out;
    for (const auto& e : n) out += (out.empty() ? "" : ",") + to_json(e);
    return "[" + out + "]";
  }
  if (n.IsNull()) return "null";
  const std::string s = n.Scalar();
  if (n.Tag() != "!") {  // a quoted scalar stays a string
    if (s == "true" || s == "false" || s == "null") return s;
    try {
      return fmt::format("{}", n.as<int64_t>());
    } catch (const YAML::Exception&) {
    }
    try {
      return fmt::format("{}", n.as<double>());
    } catch (const YAML::Exception&) {
    }
  }
  std::string quoted;
  for (char c : s) quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
  return "\"" + quoted + "\"";
}

// Aliases can make a small file a tree without end: it is counted before anyone walks it.
void check_tree(const YAML::Node& n, const std::string& name, int depth, int& nodes) {
  SR_CHECK(depth < kMostDepth && ++nodes < kMostNodes,
           "{}: more than {} values or {} levels, aliases counted each time; settings are few", name,
           kMostNodes, kMostDepth);
  if (n.IsSequence())
    for (const auto& e : n) check_tree(e, name, depth + 1, nodes);
  if (!n.IsMap()) return;
  for (const auto& e : n) {
    SR_CHECK(e.first.IsScalar(), "{}:{}: a key is a word, not a list or a mapping", name, n.Mark().line + 1);
    check_tree(e.second, name, depth + 1, nodes);
  }
}

YAML::Node parse_yaml(const std::string& text, const std::string& name) {
  SR_CHECK(text.size() <= kMostBytes, "{} has {} bytes; a configuration has at most {}", name, text.size(),
           kMostBytes);
  try {
    const YAML::Node node = YAML::Load(text);
    int nodes = 0;
    check_tree(node, name, 0, nodes);
    return node;
  } catch (const YAML::Exception& e) {
    fail(ErrorCode::kInvalid, "{}:{}: not YAML: {}", name, e.mark.line + 1, e.msg);
  }
}

void apply_override(YAML::Node root, const std::string& text) {
  const auto equals = text.find('=');
  SR_CHECK(equals != std::string::npos && equals > 0,
           "--set {}: expected key=value, as in --set optimizer.lr=1e-3", text);
  const YAML::Node value = parse_yaml(text.substr(equals + 1), "--set " + text);
  YAML::Node node = root;
  for (std::string rest = text.substr(0, equals);;) {
    const auto dot = rest.find('.');
    const std::string key = rest.substr(0, dot);
    SR_CHECK(!node.IsScalar() && !node.IsSequence(), "--set {}: the key before '{}' is no section", text,
             key);
    if (dot == std::string::npos) {
      node[key] = value;
      return;
    }
    if (!node[key] || node[key].IsNull()) node[key] = YAML::Node(YAML::NodeType::Map);
    node.reset(node[key]);
    rest = rest.substr(dot + 1);
  }
}

void read_optimizer(Section s, OptimizerConfig& o) {
  s.choice("name", o.name, {"adamw", "sgd", "muon"});
  s.number("lr", o.lr, 0, 1e3);
  std::vector<double> betas{o.beta1, o.beta2};
  s.get("betas", betas, "two numbers, as in [0.9, 0.95]");
  SR_CHECK(betas.size() == 2 && betas[0] >= 0 && betas[0] < 1 && betas[1] >= 0 && betas[1] < 1,
           "{}: optimizer.betas must be two numbers from 0 to below 1", s.where(s.at("betas")));
  o.beta1 = betas[0];
  o.beta2 = betas[1];
  s.number("eps", o.eps, 0, 1);
  s.number("weight_decay", o.weight_decay, 0, 10);
  s.number("grad_clip", o.grad_clip, 0, 1e9);
  s.number("momentum", o.momentum, 0, 1);
  s.get("nesterov", o.nesterov, "true or false");
  s.finish();
}

void read_schedule(Section s, std::string& name, optim::Schedule& c) {
  s.choice("name", name, {"cosine", "wsd", "constant"});
  s.count("warmup_steps", c.warmup_steps, 0);
  s.count("decay_steps", c.decay_steps, 0);
  s.number("final_ratio", c.final_ratio, 0, 1);
  s.finish();
}

void read_data(Section s, DataConfig& d) {
  s.get("tokens", d.tokens, "a path");
  s.get("shards", d.shards, "a path");
  s.choice("order", d.order, {"sequential", "shuffled"});
  s.count("sequence_length", d.sequence_length, 0);
  SR_CHECK(
      d.tokens.empty() != d.shards.empty(),
      "{}: data needs either tokens (a .u16 or .u32 file) or shards (a folder made by suiren data build)",
      s.where({}));
  s.finish();
}

void read_model(Section& root, TrainConfig& c) {
  root.get("init_from", c.init_from, "a path");
  if (root.has("model")) {
    SR_CHECK(root.at("model").IsMap(), "{}: model must hold keys of config.json, as in {{hidden_size: 256}}",
             root.where(root.at("model")));
    c.model_json = to_json(root.at("model"));
  }
  SR_CHECK(c.init_from.empty() != c.model_json.empty(),
           "{}: give either init_from (a model folder) or model (its shape)", root.where({}));
}

TrainConfig parse(const YAML::Node& node, const std::string& path) {
  Section root(node, path, "");
  TrainConfig c;
  root.get("output", c.output, "a path");
  SR_CHECK(!c.output.empty(), "{}: output is missing: the folder that the run is written to", path);
  read_model(root, c);
  read_data(root.section("data"), c.data);
  Section batch = root.section("batch");
  batch.count("sequences", c.sequences, 1);
  batch.count("accumulate", c.accumulate, 1);
  batch.finish();
  root.count("steps", c.steps, 0);
  root.number("minutes", c.minutes, 0, 1e6);
  SR_CHECK((c.steps > 0) != (c.minutes > 0),
           "{}: give either steps (updates in all) or minutes (time for the run)", path);
  read_optimizer(root.section("optimizer"), c.optimizer);
  read_schedule(root.section("schedule"), c.schedule_name, c.schedule);
  root.choice("precision", c.precision, {"float32", "bfloat16"});
  int64_t seed = 1;
  root.count("seed", seed, 0);
  c.seed = static_cast<uint64_t>(seed);
  Section checkpoint = root.section("checkpoint");
  checkpoint.count("every", c.checkpoint_every, 0);
  checkpoint.count("keep", c.checkpoint_keep, 1);
  checkpoint.finish();
  Section eval = root.section("eval");
  eval.count("every", c.eval_every, 0);
  eval.count("sequences", c.eval_sequences, 1);
  eval.finish();
  root.finish();
  return c;
}

}  // namespace

TrainConfig load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_config(read_file(path), path, overrides);
}

TrainConfig parse_config(std::string_view text, const std::string& name,
                         const std::vector<std::string>& overrides) {
  const YAML::Node node = parse_yaml(std::string(text), name);
  SR_CHECK(node.IsMap(), "{} holds no settings; see suiren train --help for an example", name);
  for (const std::string& o : overrides) apply_override(node, o);
  return parse(node, name);
}

Settings settings_of(const TrainConfig& c) {
  const auto n = [](auto x) { return fmt::format("{}", x); };
  return {{"output", c.output},
          {"init_from", c.init_from},
          {"model", c.model_json},
          {"data.tokens", c.data.tokens},
          {"data.shards", c.data.shards},
          {"data.order", c.data.order},
          {"data.sequence_length", n(c.data.sequence_length)},
          {"batch.sequences", n(c.sequences)},
          {"batch.accumulate", n(c.accumulate)},
          {"steps", n(c.steps)},
          {"minutes", n(c.minutes)},
          {"optimizer.name", c.optimizer.name},
          {"optimizer.lr", n(c.optimizer.lr)},
          {"optimizer.betas", fmt::format("[{}, {}]", c.optimizer.beta1, c.optimizer.beta2)},
          {"optimizer.eps", n(c.optimizer.eps)},
          {"optimizer.weight_decay", n(c.optimizer.weight_decay)},
          {"optimizer.grad_clip", n(c.optimizer.grad_clip)},
          {"optimizer.momentum", n(c.optimizer.momentum)},
          {"optimizer.nesterov", n(c.optimizer.nesterov)},
          {"schedule.name", c.schedule_name},
          {"schedule.warmup_steps", n(c.schedule.warmup_steps)},
          {"schedule.decay_steps", n(c.schedule.decay_steps)},
          {"schedule.final_ratio", n(c.schedule.final_ratio)},
          {"precision", c.precision},
          {"seed", n(c.seed)},
          {"checkpoint.every", n(c.checkpoint_every)},
          {"checkpoint.keep", n(c.checkpoint_keep)},
          {"eval.every", n(c.eval_every)},
          {"eval.sequences", n(c.eval_sequences)}};
}

std::vector<std::string> changed_settings(const Settings& before, const Settings& now) {
  std::vector<std::string> changes;
  for (const auto& [key, value] : now) {
    if (key == "output" || key.starts_with("eval.") || key.starts_with("checkpoint.")) continue;
    const auto old =
        std::find_if(before.begin(), before.end(), [&, k = key](const auto& s) { return s.first == k; });
    const std::string was = old == before.end() ? "(absent)" : old->second;
    if (was != value)
      changes.push_back(
          fmt::format("{}: {} -> {}", key, was.empty() ? "(none)" : was, value.empty() ? "(none)" : value));
  }
  return changes;
}

}  // namespace suiren::train
