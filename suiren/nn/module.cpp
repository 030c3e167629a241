#include "suiren/nn/module.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/io/safetensors.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/copy/copy.h"

namespace suiren::nn {
namespace {

// FNV-1a: the stream of a parameter's random numbers.
uint64_t hash(const std::string& name) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return h;
}

// Names for a message: the first few, and how many more.
std::string list(const std::vector<std::string>& names) {
  constexpr size_t kShown = 6;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kShown) text += fmt::format(" and {} more", names.size() - kShown);
  return text;
}

// Row-major elements of one floating dtype as another.
std::vector<uint8_t> converted(const io::TensorEntry& entry, DType to) {
  std::vector<uint8_t> out;
  visit_dtype(entry.dtype, [&]<class From>() {
    const size_t n = entry.bytes.size() / sizeof(From);
    visit_dtype(to, [&]<class To>() {
      out.resize(n * sizeof(To));
      for (size_t i = 0; i < n; ++i) {
        From from;  // the file's bytes need not be aligned
        std::memcpy(&from, entry.bytes.data() + i * sizeof(From), sizeof(From));
        To value;
        if constexpr (std::is_same_v<To, double> && std::is_same_v<From, double>)
          value = from;
        else
          value = static_cast<To>(static_cast<float>(from));
        std::memcpy(out.data() + i * sizeof(To), &value, sizeof(To));
      }
    });
  });
  return out;
}

// Straight into the parameter's memory, which is row-major from its start: no op that a chip might lack.
void write(const Tensor& parameter, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  parameter.device().context().write(parameter.storage()->memory(), 0, bytes.data(),
                                     static_cast<int64_t>(bytes.size()));
  parameter.storage()->bump_version();
}

// bound > 0: uniform in +-bound.
std::vector<uint8_t> initial(const Tensor& t, Init init, uint64_t seed, uint64_t stream, double deviation,
                             double bound) {
  std::vector<uint8_t> bytes(static_cast<size_t>(t.bytes()));
  visit_dtype(t.dtype(), [&]<class T>() {
    T* out = reinterpret_cast<T*>(bytes.data());
    parallel_for(t.numel(), 4096, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const auto index = static_cast<uint64_t>(i);
        const double x = bound > 0               ? bound * (2 * philox_uniform(seed, stream, index) - 1)
                         : init == Init::kNormal ? deviation * philox_normal(seed, stream, index)
                                                 : init == Init::kOnes;
        if constexpr (std::is_same_v<T, double>)
          out[i] = x;
        else
          out[i] = static_cast<T>(static_cast<float>(x));
      }
    });
  });
  return bytes;
}

}  // namespace

Module::Module(Module&& other) : training_(other.training_), own_(std::move(other.own_)) {
  SR_CHECK_AS(kInternal, other.children_.empty(), "a module with children cannot be moved");
}

void Module::add_parameter(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                           const Placement& at, double bound) {
  slot = Tensor::empty(shape, at.dtype, at.device);
  slot.storage()->set_stable(true);
  slot.set_requires_grad();
  own_.push_back({name, std::make_shared<Tensor>(slot), init, bound, false});
}

void Module::add_buffer(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                        const Placement& at) {
  slot = Tensor::empty(shape, at.dtype, at.device);
  own_.push_back({name, std::make_shared<Tensor>(slot), init, 0, true});
}

void Module::add_child(const std::string& name, Module& child) { children_.emplace_back(name, &child); }

bool Module::ignores(const std::string&) const { return false; }

std::vector<Module::Slot> Module::slots() const {
  std::vector<Slot> all = own_;
  for (const auto& [name, child] : children_)
    for (Slot s : child->slots()) {
      s.name = name + "." + s.name;
      all.push_back(std::move(s));
    }
  return all;
}

NamedParameters Module::named(bool buffers) const {
  NamedParameters all;
  for (const Slot& s : slots())
    if (s.buffer == buffers) all.emplace_back(s.name, s.tensor.get());
  return all;
}
NamedParameters Module::named_parameters() const { return named(false); }
NamedParameters Module::named_buffers() const { return named(true); }

Tensors Module::parameters() const {
  Tensors all;
  for (const auto& [name, tensor] : named_parameters()) all.push_back(*tensor);
  return all;
}

int64_t Module::parameter_count() const {
  int64_t n = 0;
  for (const auto& [name, tensor] : named_parameters()) n += tensor->numel();
  return n;
}

void Module::train(bool on) {
  training_ = on;
  for (const auto& [name, child] : children_) child->train(on);
}

void Module::fill(uint64_t seed, double standard_deviation, bool bounded) {
  for (const Slot& s : slots())
    write(*s.tensor,
          initial(*s.tensor, s.init, seed, hash(s.name), standard_deviation, bounded ? s.bound : 0));
}
void Module::initialize(uint64_t seed, double standard_deviation) { fill(seed, standard_deviation, false); }
void Module::initialize(uint64_t seed) { fill(seed, 1, true); }

void Module::save(const std::string& path, const std::map<std::string, std::string>& metadata) const {
  io::TensorEntries entries;
  for (const Slot& s : slots()) entries.add(s.name, *s.tensor);
  io::write_safetensors(path, entries.list(), metadata);
}

void Module::copy_from(const Module& other) {
  const std::vector<Slot> to = slots(), from = other.slots();
  const auto same = [](const Slot& a, const Slot& b) {
    return a.name == b.name && a.tensor->shape() == b.tensor->shape();
  };
  SR_CHECK_AS(kInternal, std::ranges::equal(to, from, same), "copy_from: the modules differ");
  parallel_tasks(static_cast<int64_t>(to.size()), [&](int64_t i) {
    const NoGrad off;
    const Tensor& target = *to[static_cast<size_t>(i)].tensor;
    assign(target, cast(from[static_cast<size_t>(i)].tensor->detach(), target.dtype()));
  });
}

void Module::load_files(const std::vector<std::string>& paths) {
  SR_CHECK(!paths.empty(), "no weight files were given");
  std::vector<io::SafeTensors> files;
  for (const std::string& path : paths) files.push_back(io::SafeTensors::open(path));
  std::map<std::string, const io::TensorEntry*> found;
  std::vector<std::string> missing, unexpected, wrong;
  for (const io::SafeTensors& file : files)
    for (const io::TensorEntry& e : file.entries())
      SR_CHECK(found.emplace(e.name, &e).second, "{}: tensor {} stands in another shard too", file.path(),
               e.name);

  const std::vector<Slot> all = slots();
  std::set<std::string> wanted;
  for (const Slot& s : all) {
    wanted.insert(s.name);
    const auto e = found.find(s.name);
    if (e == found.end()) {
      missing.push_back(s.name);
    } else if (const Shape shape(e->second->shape); !(shape == s.tensor->shape())) {
      wrong.push_back(fmt::format("{} has shape {}, expected {}", s.name, shape, s.tensor->shape()));
    } else if (!e->second->dtype.is_floating()) {
      wrong.push_back(fmt::format("{} is {}, expected a floating type", s.name, e->second->dtype));
    }
  }
  for (const auto& [name, entry] : found)
    if (!wanted.count(name) && !ignores(name)) unexpected.push_back(name);
  std::string problems;
  for (const auto& [what, names] :
       {std::pair{"missing: ", &missing}, {"unexpected: ", &unexpected}, {"", &wrong}})
    if (!names->empty()) problems += (problems.empty() ? "" : "; ") + (what + list(*names));
  SR_CHECK(problems.empty(), "{} does not fit the model: {}", paths[0], problems);

  for (const Slot& s : all) {
    const io::TensorEntry& e = *found[s.name];
    if (e.dtype == s.tensor->dtype())
      write(*s.tensor, e.bytes);
    else
      write(*s.tensor, converted(e, s.tensor->dtype()));
  }
}

}  // namespace suiren::nn
