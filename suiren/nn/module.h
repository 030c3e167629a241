#pragma once
// Modules: named parameters in a tree, saved and loaded as safetensors. A module may be read from many
// threads at once (its calls are const); loading and initialization need it alone.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "suiren/core/op.h"
#include "suiren/core/tensor.h"

namespace suiren::nn {

/// Parameters by their full names ("model.layers.0.mlp.up_proj.weight"), in order of registration. The
/// pointers are valid as long as the module.
using NamedParameters = std::vector<std::pair<std::string, Tensor*>>;

/// What a fresh parameter holds: normal(0, standard deviation), ones or zeros.
enum class Init { kNormal, kOnes, kZeros };

/// Where a module's parameters live, and their element type.
struct Placement {
  Device device;
  DType dtype = kF32;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  NamedParameters named_parameters() const;
  /// The handles alone, in the same order: what gradients() takes.
  Tensors parameters() const;
  int64_t parameter_count() const;  ///< elements

  /// Fills every parameter. Element i of a normal one is Philox normal number i of the stream that is a hash
  /// of the parameter's name: neither order nor threads matter.
  void initialize(uint64_t seed, double standard_deviation);

  /// Writes the parameters, whole or not at all.
  void save(const std::string& path, const std::map<std::string, std::string>& metadata = {}) const;
  /// Reads the parameters in place from one file or from the shards of one model; floating types are
  /// converted. Throws Error{kInvalid} that lists what is missing, unexpected or of another shape; nothing is
  /// changed then.
  void load(const std::string& path) { load_files({path}); }
  void load_files(const std::vector<std::string>& paths);

 protected:
  /// Makes `slot` a parameter: uninitialized memory that is marked stable and requires a gradient.
  void add_parameter(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                     const Placement& at);
  void add_child(const std::string& name, Module& child);
  /// A tensor that files may hold and this module does not need.
  virtual bool ignores(const std::string& name) const;

 private:
  struct Slot {
    std::string name;
    Tensor* tensor;
    Init init;
  };
  std::vector<Slot> slots() const;  // of the whole tree, full names
  std::vector<Slot> own_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace suiren::nn
