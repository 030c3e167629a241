#pragma once
// Modules: named parameters in a tree, saved and loaded as safetensors. A module may be read from many
// threads at once (its calls are const); loading and initialization need it alone.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "suiren/core/op.h"
#include "suiren/core/tensor.h"
#include "suiren/io/block_entry.h"

namespace suiren::nn {

/// Parameters by their full names ("model.layers.0.mlp.up_proj.weight"), in order of registration. The
/// pointers are valid as long as the module; write through them with assign().
using NamedParameters = std::vector<std::pair<std::string, Tensor*>>;

/// What a fresh parameter holds: normal(0, standard deviation), ones or zeros.
enum class Init { kNormal, kOnes, kZeros };

/// Where a module's parameters live, and their element type.
struct Placement {
  Device device;
  DType dtype = kF32;
};

/// Where a parameter's elements lie in the files of a model: in a tensor `name` of `shape`, the element
/// [i, j] of the parameter at offset + i strides[0] + j strides[1]. Without strides the tensor is the
/// parameter's own.
struct Stored {
  std::string name;
  Shape shape;
  int64_t offset = 0;
  Dims strides = {};
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  /// A module without children may be moved, as into a Sequential. Error{kInternal} with children: they are
  /// known by their addresses.
  Module(Module&& other);

  NamedParameters named_parameters() const;
  /// What is saved beside the parameters and never trained: running statistics.
  NamedParameters named_buffers() const;
  /// The handles alone, in the same order: what gradients() takes.
  Tensors parameters() const;
  int64_t parameter_count() const;  ///< elements

  /// Training (the state of a fresh module) or evaluation, for the whole tree: what dropout and batch
  /// normalization do depends on it.
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Fills every parameter. Element i of a normal one is Philox normal number i of the stream that is a hash
  /// of the parameter's name: neither order nor threads matter.
  void initialize(uint64_t seed, double standard_deviation);
  /// The same with the distribution that each layer states: for linear layers and convolutions, weights and
  /// biases alike, uniform in +-1 / sqrt(inputs of one output) (as torch.nn).
  void initialize(uint64_t seed);

  /// Writes the parameters and buffers, whole or not at all.
  void save(const std::string& path, const std::map<std::string, std::string>& metadata = {}) const;
  /// Reads the parameters and buffers in place from one file or from the shards of one model; floating types
  /// are converted. Throws Error{kInvalid} that lists what is missing, unexpected or of another shape;
  /// nothing is changed then.
  void load(const std::string& path) { load_files({path}); }
  void load_files(const std::vector<std::string>& paths);
  /// The same from tensors in memory, which `where` names. Matrices of linear layers and embeddings that come
  /// in a block format stay in it, and have no gradient; other tensors become floats. A parameter whose
  /// tensor of files is not there may come under its own name, in its own shape.
  void load_entries(std::span<const io::BlockEntry> entries, const std::string& where);
  /// Writes another module's parameters and buffers over these, converted to their dtypes; the devices are
  /// the same. Error{kInternal} unless both have the same tree.
  void copy_from(const Module& other);

 protected:
  /// Makes `slot` a parameter: uninitialized memory that is marked stable and requires a gradient.
  /// initialize(seed) draws it uniformly in +-bound; a bound of 0 means what `init` says.
  void add_parameter(const std::string& name, Tensor& slot, const Shape& shape, Init init,
                     const Placement& at, double bound = 0);
  /// Makes `slot` a buffer: uninitialized memory.
  void add_buffer(const std::string& name, Tensor& slot, const Shape& shape, Init init, const Placement& at);
  /// The same of a matrix that only ever meets ops which take block formats (linear, embedding).
  void add_matrix(const std::string& name, Tensor& slot, const Shape& shape, Init init, const Placement& at,
                  double bound = 0);
  void add_child(const std::string& name, Module& child);
  /// A tensor that files may hold and this module does not need.
  virtual bool ignores(const std::string& name) const;
  /// Where files hold a parameter or buffer of this tree; by default under its own name. Parameters that
  /// share a tensor fill it together.
  virtual Stored stored(const std::string& name, const Shape& shape) const;
  /// The name that stored() would give to a file's tensor that other publishers call `name`.
  virtual std::string published(const std::string& name) const;

 private:
  struct Slot {
    std::string name;
    std::shared_ptr<Tensor> tensor;  // the member is another handle to it
    Init init;
    double bound;
    bool buffer;
    bool takes_blocks = false;
  };
  std::vector<Slot> slots() const;  // of the whole tree, full names
  void fill_from(const io::BlockEntry& entry, const Stored& at, const Slot& slot) const;
  NamedParameters named(bool buffers) const;
  void fill(uint64_t seed, double standard_deviation, bool bounded);
  bool training_ = true;
  std::vector<Slot> own_;
  std::vector<std::pair<std::string, Module*>> children_;
};

}  // namespace suiren::nn
