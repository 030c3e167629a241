#include "suiren/text/tokenizer.h"

#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

void parse(Bytes bytes) {
  const auto tokenizer = text::Tokenizer::from_json(text_of(bytes), "input");
  const std::string text =
      "It's 2026: \xE7\x9D\xA1\xE8\x8E\xB2  blooms<|endoftext|>\n\tab ab\xff e\xCC\x81 \xE2\x96\x81"
      "ab \xEF\xAC\x81 \xEA\xB0\x81 unable";
  for (bool special : {false, true}) {
    const auto ids = tokenizer.encode(text, special, special);
    for (uint32_t id : ids)
      if (id >= tokenizer.vocab_size()) broken("an id beyond the vocabulary");
    text::StreamDecoder stream(tokenizer, special);
    std::string streamed;
    for (uint32_t id : ids) streamed += stream.push(id);
    if (streamed + stream.finish() != tokenizer.decode(ids, special)) broken("a stream gives another text");
  }
  (void)tokenizer.id_of("ab");
}

const Target target("tokenizer_json", parse);

}  // namespace
}  // namespace suiren::fuzz
