// What tests/peers/tokenizers_check.py and gguf_tokenizers_check.py drive: peer_tokenizer_runner TOKENIZER
// TEXT IDS DECODED, with a tokenizer.json or a GGUF file.
//
// TEXT holds documents with 0x1E between them. IDS becomes their ids as u32, 0xFFFFFFFF after each document;
// DECODED the text of those ids, 0x1E after each. On standard output: {"load_ms": ..., "encode_mb_s": ...,
// "decode_mb_s": ...}. Exits 1 with the message on an error, or when a stream of ids gives another text than
// all of them at once.

#include <fmt/core.h>

#include <chrono>
#include <cstdio>

#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/text/gguf_tokenizer.h"
#include "suiren/text/tokenizer.h"

namespace {

using namespace suiren;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string streamed(const text::Tokenizer& t, const std::vector<uint32_t>& ids) {
  text::StreamDecoder decoder(t, false);
  std::string out;
  for (const uint32_t id : ids) out += decoder.push(id);
  return out + decoder.finish();
}

void run(char** files) {
  const double start = seconds();
  const std::string file = files[0];
  const text::Tokenizer t =
      file.ends_with(".gguf") ? text::tokenizer_from_gguf(io::Gguf::open(file)) : text::Tokenizer::load(file);
  const double loaded = seconds();
  const std::string text = read_file(files[1]);
  std::vector<uint32_t> all;
  std::string decoded;
  double encoding = 0, decoding = 0;
  for (size_t at = 0, end; at <= text.size(); at = end + 1) {
    end = std::min(text.find('\x1E', at), text.size());
    const double before = seconds();
    const auto ids = t.encode(std::string_view(text).substr(at, end - at));
    const double between = seconds();
    const std::string back = t.decode(ids);
    encoding += between - before, decoding += seconds() - between;
    SR_CHECK(streamed(t, ids) == back, "document at byte {}: the stream gives another text", at);
    all.insert(all.end(), ids.begin(), ids.end());
    all.push_back(0xFFFFFFFF);
    decoded += back + '\x1E';
  }
  write_file(files[2], {reinterpret_cast<const char*>(all.data()), all.size() * sizeof(uint32_t)});
  write_file(files[3], decoded);
  const double mb = static_cast<double>(text.size()) * 1e-6;
  fmt::print("{{\"load_ms\": {:.0f}, \"encode_mb_s\": {:.1f}, \"decode_mb_s\": {:.1f}}}\n",
             (loaded - start) * 1e3, mb / encoding, mb / decoding);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: {} TOKENIZER TEXT IDS DECODED\n", argv[0]);
    return 2;
  }
  try {
    run(argv + 1);
    return 0;
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
