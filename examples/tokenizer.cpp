// Byte-level BPE: learn merges from text, encode, decode to exactly the bytes, stream a reply character by
// character.

#include <fmt/ranges.h>

#include "suiren/text/bpe_trainer.h"

using namespace suiren::text;

int main() {
  BpeTrainer trainer({.vocab_size = 300, .pattern = "cl100k", .specials = {"<|endoftext|>"}});
  for (int i = 0; i < 50; ++i) {
    trainer.add_document("床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。");
    trainer.add_document("the moonlight, the frost, the moon, the home");
  }
  const Tokenizer tokenizer = trainer.train();

  const std::string text = "明月 the moon 🌙";
  const std::vector<uint32_t> ids = tokenizer.encode(text);
  fmt::print("{} tokens; {} bytes become {} ids: {}\n", tokenizer.vocab_size(), text.size(), ids.size(), ids);

  // The same file that Hugging Face's tokenizers reads; ids survive the way through it.
  const Tokenizer again = Tokenizer::from_json(tokenizer.to_json(), "tokenizer.json");

  StreamDecoder stream(tokenizer);
  std::string whole;
  for (uint32_t id : ids) {
    const std::string piece = stream.push(id);  // never half of a character
    fmt::print("[{}]", piece);
    whole += piece;
  }
  whole += stream.finish();
  fmt::print("\n");
  return whole == text && tokenizer.decode(ids) == text && again.encode(text) == ids ? 0 : 1;
}
