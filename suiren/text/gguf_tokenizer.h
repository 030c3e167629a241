#pragma once
// The tokenizer of a GGUF file: its fields tokenizer.* as the tokenizer.json that says the same, and back.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md Thread-safe.

#include <string>

#include "suiren/io/gguf.h"
#include "suiren/io/gguf_writer.h"
#include "suiren/text/tokenizer.h"

namespace suiren::text {

/// Whether the file has a tokenizer, in one form or the other: tokenizer.ggml.model "none" and "no_vocab" say
/// that it has none.
bool has_gguf_tokenizer(const io::Gguf& file);

/// The tokenizer.json: tokenizer.huggingface.json where the file has it, else made from the fields of
/// tokenizer.ggml.model "gpt2" (BPE over bytes, split as tokenizer.ggml.pre says), "llama" (SentencePiece
/// BPE: a merge for each two tokens that make a third, those with the highest score first) or "bert"
/// (WordPiece). add_bos_token and add_eos_token become the post-processor, control tokens special ones,
/// user-defined tokens added ones. Throws Error{kInvalid} naming the field that is missing or damaged,
/// Error{kUnsupported} naming a model or a pre-tokenizer that is not understood.
std::string tokenizer_json_from_gguf(const io::Gguf& file);

/// The tokenizer itself; ids are those of the file.
Tokenizer tokenizer_from_gguf(const io::Gguf& file);

/// The way back: tokenizer.huggingface.json holds the text as it is, and tokenizer.ggml.* say the same to
/// other programs. False when they cannot (a model other than BPE over bytes or with byte fallback, an
/// unknown way to split): then the text stands alone. Ids without a token up to `vocab_size` are filled with
/// unused ones.
bool write_gguf_tokenizer(const Tokenizer& tokenizer, int64_t vocab_size, io::GgufMetadata& metadata);

}  // namespace suiren::text
