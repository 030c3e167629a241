#pragma once
// The parts of tokenizer.json around the model: normalizer, pre_tokenizer, decoder. Error{kUnsupported} names
// a part that is not understood, Error{kInvalid} what is damaged; `name` opens each message. Thread-safe.

#include <optional>
#include <string>
#include <vector>

#include "suiren/io/json.h"
#include "suiren/text/decoder.h"
#include "suiren/text/normalizer.h"
#include "suiren/text/pretokenizer.h"

namespace suiren::text {

/// A member, or null when it is absent.
const io::Json& part_member(const io::Json& object, const char* key);
/// The member `type`; `what` names the part in messages.
std::string part_type(const io::Json& part, const char* what, const std::string& name);
bool part_flag(const io::Json& part, const char* key, bool otherwise, const std::string& name);

std::vector<NormalizerStep> read_normalizer(const io::Json& part, const std::string& name);
std::vector<SplitStage> read_pre_tokenizer(const io::Json& part, const std::string& name);

struct DecoderParts {
  std::vector<DecoderStep> steps, whole;
  bool fused = false;
};
DecoderParts read_decoder(const io::Json& part, const std::string& name);

}  // namespace suiren::text
