#pragma once
// One call of an op over the border: the question whether a chip runs it, and the run itself in memory whose
// surroundings are watched.

#include <memory>
#include <string>
#include <vector>

#include "suiren/conform/chip.h"
#include "suiren/conform/harness.h"

namespace suiren::conform {

/// What op_query said.
struct Answer {
  uint32_t level = 0, accumulation = 0;
  sr_plan plan = nullptr;
  uint64_t workspace = 0;
  std::string reason;
  /// Plans may be fresh ones.
  bool operator==(const Answer& o) const {
    return level == o.level && workspace == o.workspace && reason == o.reason &&
           (level != SR_SUPPORT_NATIVE || accumulation == o.accumulation);
  }
  std::string text() const;
};

/// Where an operand lies: what the border shows of it.
struct Operand {
  DType dtype;
  Shape shape;
  Strides strides;
  int64_t offset = 0;  ///< elements
};

/// Row-major inputs for a sample.
std::vector<Operand> specs_of(const Sample& s, DType dtype, DType index_dtype = kI64);
/// The place of t in its storage.
Operand operand_of(const Tensor& t);

/// A descriptor and all that it points to.
class Question {
 public:
  Question(const OpInfo& op, const void* attrs, std::vector<Operand> inputs);
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  /// op_query with the inputs' handles; a status other than SR_OK and SR_ERROR_UNSUPPORTED is a failure.
  Answer ask(const Chip& c, const std::vector<sr_memory>& inputs);
  /// op_run with these handles (inputs, then outputs). The descriptors are overwritten before it returns, as
  /// the interface allows.
  sr_status run(const Chip& c, sr_stream stream, const Answer& answer, const std::vector<sr_memory>& memory,
                sr_memory workspace);
  const std::vector<Operand>& outputs() const { return outputs_; }

 private:
  void fill(sr_op& op, std::vector<sr_tensor>& tensors, std::vector<sr_attr>& attrs) const;
  const OpInfo& op_;
  std::shared_ptr<const void> attributes_;
  std::vector<Operand> inputs_, outputs_;
  uint64_t version_ = 1;
};

/// A call with its operands on the chip: each in an allocation with marks behind its end.
class Call {
 public:
  /// `inputs` lie on the CPU, anywhere in their storage.
  Call(Chip& c, const OpInfo& op, const void* attrs, const Tensors& inputs);
  const Answer& answer() const { return answer_; }
  Answer ask();  ///< once more
  Question& question() { return question_; }
  void run();  ///< queues it; outputs are filled with marks first
  /// Waits, and gives what the call wrote: inputs that it changes, then outputs, on the CPU.
  Tensors results();
  /// Failed when a byte changed that the call may not write.
  void check_surroundings();

 private:
  Chip& chip_;
  const OpInfo& op_;
  Tensors inputs_;
  Question question_;
  Answer answer_;
  std::vector<Bytes> before_;
  std::vector<Memory> memory_;
  std::vector<Memory> workspace_;
};

}  // namespace suiren::conform
