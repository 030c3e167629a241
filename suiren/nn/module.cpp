#include "suiren/nn/module.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "suiren/base/file.h"
#include "suiren/base/philox.h"
#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/backend.h"
#include "suiren/io/safetensors.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/quant/dequantize.h"

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

// Calls f(place in the parameter, place in the stored tensor) for each element of a parameter.
template <class F>
void for_each_stored(const Shape& shape, const Stored& at, F&& f) {
  Dims strides = at.strides;
  if (strides.empty()) strides = {1};  // one row of all elements
  const int64_t inner = at.strides.empty() ? shape.numel() : shape.rank() ? shape.dim(-1) : 1;
  const int64_t rows = inner ? shape.numel() / inner : 0;
  SR_CHECK_AS(kInternal, at.strides.empty() || at.strides.rank() == shape.rank(), "{}: strides of rank {}",
              at.name, at.strides.rank());
  const int64_t row = strides.rank() > 1 ? strides[0] : 0, step = strides[strides.rank() - 1];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < inner; ++j) f(i * inner + j, at.offset + i * row + j * step);
}

// The elements of a parameter among those of a file's tensor, row-major, in dtype `to`.
template <class From>
std::vector<uint8_t> taken(const uint8_t* bytes, const Shape& shape, const Stored& at, DType to) {
  std::vector<uint8_t> out;
  visit_dtype(to, [&]<class To>() {
    out.resize(static_cast<size_t>(shape.numel()) * sizeof(To));
    for_each_stored(shape, at, [&](int64_t i, int64_t from_index) {
      From from;  // the file's bytes need not be aligned
      std::memcpy(&from, bytes + static_cast<size_t>(from_index) * sizeof(From), sizeof(From));
      To value;
      if constexpr (std::is_same_v<To, From>)
        value = from;
      else
        value = static_cast<To>(static_cast<float>(from));
      std::memcpy(out.data() + static_cast<size_t>(i) * sizeof(To), &value, sizeof(To));
    });
  });
  return out;
}

// The same of bytes in any format.
std::vector<uint8_t> taken(quant::BlockFormat format, std::span<const uint8_t> bytes, const Shape& shape,
                           const Stored& at, DType to) {
  if (const auto dtype = format.dtype(); dtype && !dtype->is_block()) {
    std::vector<uint8_t> out;
    visit_dtype(*dtype, [&]<class From>() { out = taken<From>(bytes.data(), shape, at, to); });
    return out;
  }
  std::vector<float> values(static_cast<size_t>(at.shape.numel()));
  quant::dequantize(format, bytes, values);
  return taken<float>(reinterpret_cast<const uint8_t*>(values.data()), shape, at, to);
}

// The rows of a matrix where they stand in a file's bytes, when they stand there one after the other.
std::span<const uint8_t> whole_rows(quant::BlockFormat format, std::span<const uint8_t> bytes,
                                    const Shape& shape, const Stored& at) {
  const int64_t width = shape.dim(-1);
  const bool rows = at.strides.empty() || (at.shape.dim(-1) == width && at.offset % width == 0 &&
                                           at.strides[0] == width && at.strides[1] == 1);
  if (!rows) return {};
  return bytes.subspan(static_cast<size_t>(format.bytes(at.offset)),
                       static_cast<size_t>(format.bytes(shape.numel())));
}

// A parameter's elements put into the tensor of a file that it shares.
void put(const Tensor& parameter, const Stored& at, std::vector<uint8_t>& bytes) {
  const auto size = static_cast<size_t>(parameter.dtype().size());
  const std::vector<uint8_t> from = parameter.to_bytes();
  for_each_stored(parameter.shape(), at, [&](int64_t i, int64_t to) {
    std::memcpy(bytes.data() + static_cast<size_t>(to) * size, from.data() + static_cast<size_t>(i) * size,
                size);
  });
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

void Module::add_matrix(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                        const Placement& at, double bound) {
  add_parameter(name, slot, shape, init, at, bound);
  own_.back().takes_blocks = true;
}

void Module::add_buffer(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                        const Placement& at) {
  slot = Tensor::empty(shape, at.dtype, at.device);
  own_.push_back({name, std::make_shared<Tensor>(slot), init, 0, true});
}

void Module::add_child(const std::string& name, Module& child) { children_.emplace_back(name, &child); }

bool Module::ignores(const std::string&) const { return false; }
Stored Module::stored(const std::string& name, const Shape& shape) const { return {name, shape}; }
std::string Module::published(const std::string& name) const { return name; }

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
  std::vector<std::string> order;  // of the shared tensors, by their first parameter
  std::map<std::string, std::vector<std::pair<Stored, Tensor>>> shared;
  for (const Slot& s : slots()) {
    const Stored at = stored(s.name, s.tensor->shape());
    if (at.strides.empty()) {
      entries.add(at.name, *s.tensor);
      continue;
    }
    auto& parts = shared[at.name];
    if (parts.empty()) order.push_back(at.name);
    parts.emplace_back(at, *s.tensor);
  }
  std::vector<Tensor> whole;  // outlive the entries
  for (const std::string& name : order) {
    const auto& parts = shared[name];
    const auto& [at, first] = parts[0];
    std::vector<uint8_t> bytes(static_cast<size_t>(at.shape.numel() * first.dtype().size()));
    for (const auto& [place, parameter] : parts) put(parameter, place, bytes);
    whole.push_back(Tensor::from_bytes(bytes, at.shape, first.dtype()));
    entries.add(name, whole.back());
  }
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
    Tensor& target = *to[static_cast<size_t>(i)].tensor;
    const Tensor& source = *from[static_cast<size_t>(i)].tensor;
    if (source.dtype().is_block())
      target.become(source);
    else
      assign(target, cast(source.detach(), target.dtype()));
  });
}

void Module::load_files(const std::vector<std::string>& paths) {
  SR_CHECK(!paths.empty(), "no weight files were given");
  std::vector<io::SafeTensors> files;
  std::vector<io::BlockEntry> entries;
  for (const std::string& path : paths) {
    files.push_back(io::SafeTensors::open(path));
    const io::SafeTensors& file = files.back();
    SR_CHECK_AS(kUnsupported, file.float8_entries().empty(),
                "{}: tensor {} is {}, which no layer holds; cast it to bf16", file.path(),
                file.float8_entries()[0].name, file.float8_entries()[0].format);
    for (const io::TensorEntry& e : file.entries()) {
      const auto format = quant::BlockFormat::of(e.dtype);
      SR_CHECK(format, "{}: tensor {} is {}, expected a floating type", path, e.name, e.dtype);
      entries.push_back({e.name, *format, e.shape, e.bytes});
    }
  }
  load_entries(entries, paths[0]);
}

void Module::load_entries(std::span<const io::BlockEntry> entries, const std::string& where) {
  std::map<std::string, const io::BlockEntry*> found;
  std::vector<std::string> missing, unexpected, wrong;
  for (const io::BlockEntry& e : entries)
    SR_CHECK(found.emplace(published(e.name), &e).second, "{}: tensor {} stands in another shard too", where,
             e.name);

  const std::vector<Slot> all = slots();
  const auto place = [&](const Slot& s) {
    const Shape shape = s.tensor->shape();
    const Stored at = stored(s.name, shape);
    return found.count(at.name) || !found.count(s.name) ? at : Stored{s.name, shape};
  };
  std::set<std::string> wanted;
  for (const Slot& s : all) {
    const Stored at = place(s);
    if (!wanted.insert(at.name).second) continue;  // shared with a parameter before
    const auto e = found.find(at.name);
    if (e == found.end()) {
      missing.push_back(at.name);
    } else if (const Shape shape(e->second->shape); !(shape == at.shape)) {
      wrong.push_back(fmt::format("{} has shape {}, expected {}", at.name, shape, at.shape));
    } else if (const auto f = e->second->format; !f.is_dequantizable() && f != quant::BlockFormat::kF64) {
      wrong.push_back(fmt::format("{} is {}, expected a floating type", at.name, f));
    }
  }
  for (const auto& [name, entry] : found)
    if (!wanted.count(name) && !ignores(name)) unexpected.push_back(name);
  std::string problems;
  for (const auto& [what, names] :
       {std::pair{"missing: ", &missing}, {"unexpected: ", &unexpected}, {"", &wrong}})
    if (!names->empty()) problems += (problems.empty() ? "" : "; ") + (what + list(*names));
  SR_CHECK(problems.empty(), "{} does not fit the model: {}", where, problems);
  for (const Slot& s : all) {
    const Stored at = place(s);
    fill_from(*found[at.name], at, s);
    forget_pages(found[at.name]->bytes);  // a model in memory twice would be the most that it ever takes
  }
}

void Module::fill_from(const io::BlockEntry& entry, const Stored& at, const Slot& slot) const {
  Tensor& parameter = *slot.tensor;
  const Shape shape = parameter.shape();
  const quant::BlockFormat format = entry.format;
  const auto dtype = format.dtype();
  std::vector<uint8_t> room;
  const std::span<const uint8_t> bytes = entry.read(room);
  if (dtype && dtype->is_block() && slot.takes_blocks && shape.dim(-1) % dtype->block_elements() == 0)
    if (const auto rows = whole_rows(format, bytes, shape, at); !rows.empty()) {
      parameter.become(Tensor::from_bytes(rows, shape, *dtype, parameter.device()));
      parameter.storage()->set_stable(true);
      return;
    }
  if (dtype == parameter.dtype() && at.strides.empty())
    write(parameter, bytes);
  else
    write(parameter, taken(format, bytes, shape, at, parameter.dtype()));
}

}  // namespace suiren::nn
