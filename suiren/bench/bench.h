#pragma once
// What `suiren bench` measures: figures beside the machine's own roof, beside what was committed for this
// CPU, and beside a peer in turns. One run at a time in a process; the machine should be idle.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "suiren/base/dtype.h"
#include "suiren/io/json.h"

namespace suiren::bench {

/// Multiply-adds of float32 and bfloat16 (float32, on a CPU without a bf16 unit); memory read,
/// or read and written.
enum class Roof { kNone, kF32, kBF16, kInt8, kRead, kUpdate };
const char* roof_name(Roof roof);

/// One thing to measure. The fastest of its calls counts: other work on the machine disturbs that least.
struct Figure {
  std::string group;  ///< gemm, attention, train, optimizer, tokenizer, scaling, inference
  std::string name;   ///< "matmul 1024": its key in results and for --figure
  std::string unit;   ///< "GFLOP/s"
  double work = 0;    ///< of one call, in `unit` times seconds
  Roof roof = Roof::kNone;
  double load = 0;  ///< flops or bytes of one call, for the roof
  /// Builds the operands and returns what one call does.
  std::function<std::function<void()>()> make;
  std::shared_ptr<const io::Json> peer;  ///< what the peer is asked for (bench/peer.py)
  /// What is wrong with the peer's answer, such as another result than ours; empty: nothing.
  std::function<std::string(const io::Json& answer)> check;
  int64_t memory = 0;        ///< bytes that it takes at most, about
  bool peak_memory = false;  ///< its peak memory is a figure too
};

struct Options {
  std::vector<std::string> groups;    ///< of the above; empty: all but scaling and inference
  std::string figure;                 ///< only figures whose name holds this
  std::string precision = "float32";  ///< or bfloat16: of products, attention and training; int8: of products
  double seconds = 1;                 ///< for each figure, and as much for the peer
  /// Of the models trained: small 1.85 M, medium 6.9 M too, large 91 M too. Empty: what fits when `groups`
  /// names train, else medium.
  std::string size;
  std::string model;              ///< folder or GGUF file that `inference` runs
  std::optional<DType> cache;     ///< what its keys and values are kept as; none: as the model has it
  std::vector<std::string> text;  ///< files to encode; empty: see tokenizer.cpp
  std::string peer;               ///< a Python with torch, tokenizers and llama-cpp-python; empty: none
  std::string results;            ///< folder of committed results; empty: bench/results beside the sources
  std::string program;            ///< this command, run once more for peak memory; empty: not measured
  std::function<void(const std::string& what)> progress;
};

struct PeerResult {
  double value = 0;
  std::string mode;    ///< "eager", "compile"
  int64_t memory = 0;  ///< bytes at its peak less its base; 0: not measured
};
struct LastResult {
  double value = 0, roof = 0;
  std::string date;
};
struct Result {
  std::string group, name, unit;
  double value = 0;
  Roof roof = Roof::kNone;
  double roof_before = 0, roof_after = 0;  ///< GFLOP/s or GB/s
  double share = 0;                        ///< of the larger of the two
  bool steady = true;                      ///< false: the roof moved by more than 5% in each of three runs
  int64_t memory = 0;                      ///< bytes at its peak less the program's base; 0: not measured
  std::optional<PeerResult> peer;
  std::optional<LastResult> last;
};

struct Report {
  std::string cpu, isa, date, peer;  ///< peer: "torch 2.15.0"
  int threads = 1;
  std::vector<Result> results;
  std::vector<std::string> notes;  ///< figures left out and why; what text was encoded
};

/// Throws Error{kInvalid} or {kNotFound} for a group, size, figure, text, peer or folder that there is not.
Report run(const Options& options);

/// Peak memory of some training steps of the model of that figure in this process, less what the process held
/// before, in bytes. For a process that has done nothing else.
int64_t peak_memory_of(const std::string& figure);

/// As `suiren bench --json` prints it, which is what bench/results keeps.
io::Json report_json(const Report& report);
/// At most 100 columns wide.
std::string report_table(const Report& report);

}  // namespace suiren::bench
