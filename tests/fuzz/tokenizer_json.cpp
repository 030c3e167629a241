#include "suiren/text/tokenizer.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const auto tokenizer = text::Tokenizer::from_json(text_of(bytes), "input");
  const std::string text = "It's 2026: \xE7\x9D\xA1\xE8\x8E\xB2  blooms<|endoftext|>\n\tab ab\xff";
  for (bool special : {false, true}) {
    const auto ids = tokenizer.encode(text, special, special);
    for (uint32_t id : ids)
      if (id >= tokenizer.vocab_size()) broken("an id beyond the vocabulary");
    (void)tokenizer.decode(ids, special);
  }
  (void)tokenizer.id_of("ab");
}

const Target target("tokenizer_json", parse);

}  // namespace
}  // namespace suiren::fuzz
