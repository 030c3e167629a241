#include "suiren/io/gguf.h"

#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/models/gguf/gguf_model.h"
#include "suiren/quant/dequantize.h"
#include "suiren/text/gguf_tokenizer.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

/// Takes a value apart as deep as it goes; the bytes of its strings and the number of its elements.
size_t take_apart(const io::GgufValue& v) {
  using Value = io::GgufValue;
  if (v.type() == Value::kBool) return v.boolean("v");
  if (v.type() == Value::kString) return v.encoded().size() - 8;
  if (!v.is_array()) return v.number("v") != 0;
  if (v.element_type() == Value::kString) {
    size_t sum = 0;
    for (std::string_view s : v.strings("v")) sum += s.size();
    return sum;
  }
  if (v.element_type() != Value::kArray && v.element_type() != Value::kBool) return v.numbers("v").size();
  size_t sum = 0;
  for (const Value& e : v.elements("v")) sum += 1 + take_apart(e);
  return sum;
}

bool same(Bytes a, Bytes b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

/// The file written again must read back the same.
void check_round_trip(const io::Gguf& file) {
  io::GgufMetadata metadata;
  for (const auto& [key, value] : file.metadata()) metadata.set(key, value);
  std::string text = io::gguf_head(file.entries(), metadata);
  const auto alignment = static_cast<size_t>(file.alignment());
  for (const io::BlockEntry& e : file.entries()) {
    text.append(e.bytes.begin(), e.bytes.end());
    text.resize((text.size() + alignment - 1) / alignment * alignment);
  }
  const auto again =
      io::Gguf::from_bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "again");
  if (again.metadata().size() != file.metadata().size() || again.names() != file.names())
    broken("written and read again, names are others");
  for (size_t i = 0; i < file.metadata().size(); ++i)
    if (!same(file.metadata()[i].value.encoded(), again.metadata()[i].value.encoded()))
      broken("written and read again, a value is another");
  for (const io::BlockEntry& e : file.entries())
    if (!same(e.bytes, again.entry(e.name).bytes) || e.shape != again.entry(e.name).shape)
      broken("written and read again, a tensor is another");
}

/// What a model makes of the file: any part may be refused.
template <class F>
void or_refused(F&& f) {
  try {
    f();
  } catch (const Error&) {
  }
}

void use_as_model(Bytes bytes) {
  or_refused([&] {
    const models::GgufModel model(io::Gguf::from_bytes(bytes, "input"));
    if (model.config().parameter_count() <= 0) broken("a model without parameters");
    for (const io::BlockEntry& e : model.entries()) {
      std::vector<uint8_t> room;
      if (std::ssize(e.read(room)) != io::checked_bytes(e.shape, e.format, e.name))
        broken("an entry has other bytes than its shape takes");
    }
  });
  or_refused([&] {
    const text::Tokenizer tokenizer = text::tokenizer_from_gguf(io::Gguf::from_bytes(bytes, "input"));
    const std::string text = "It's 2026:  blooms<s>\n ab\xff e\xCC\x81 \xE2\x96\x81 unable";
    for (const uint32_t id : tokenizer.encode(text, true, true))
      if (id >= tokenizer.vocab_size()) broken("an id beyond the vocabulary");
  });
}

void parse(Bytes bytes) {
  const auto file = io::Gguf::from_bytes(bytes, "input");
  size_t total = 0;
  for (const auto& [key, value] : file.metadata()) {
    if (take_apart(value) > bytes.size()) broken("a value holds more than the file");
    if (file.find(key) != &value) broken("a value is not found by its key");
  }
  for (const io::BlockEntry& e : file.entries()) {
    total += e.bytes.size();
    if (&file.entry(e.name) != &e) broken("an entry is not found by its name");
    if (!e.format.is_dequantizable() || e.bytes.empty()) continue;
    std::vector<float> values(static_cast<size_t>(e.format.block_elements()));
    quant::dequantize(e.format, e.bytes.last(static_cast<size_t>(e.format.block_bytes())), values);
  }
  if (total > bytes.size()) broken("tensors hold more than the file");
  const bool small = file.metadata().size() < 100 && file.entries().size() < 100 && file.alignment() <= 4096;
  if (small) check_round_trip(file);
  use_as_model(bytes);
  SR_CHECK(file.contains("no such name"), "{} names", file.names().size());
}

// A tensor of no elements stands in 33 bytes and becomes an entry of 80, in a list that doubles as it grows,
// and its places in others; a key of two letters stands in 15 and becomes one of 64.
const Target target("gguf", parse, 16);

}  // namespace
}  // namespace suiren::fuzz
