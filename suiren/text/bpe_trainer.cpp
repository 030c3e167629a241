#include "suiren/text/bpe_trainer.h"

#include <algorithm>

#include "suiren/base/error.h"
#include "suiren/text/byte_level.h"
#include "suiren/text/pair_merger.h"
#include "suiren/text/tokenizer_data.h"
#include "suiren/text/word_counter.h"

namespace suiren::text {

namespace {

void check_specials(const std::vector<std::string>& specials) {
  for (size_t i = 0; i < specials.size(); ++i) {
    SR_CHECK(!specials[i].empty(), "special token {} is empty", i);
    SR_CHECK(std::find(specials.begin(), specials.begin() + static_cast<int64_t>(i), specials[i]) ==
                 specials.begin() + static_cast<int64_t>(i),
             "the special token '{}' is given twice", specials[i]);
    const auto bytes = to_bytes(specials[i]);
    SR_CHECK(!bytes || bytes->size() > 1, "'{}' cannot be a special token: it is the token of a single byte",
             specials[i]);
  }
}

}  // namespace

BpeTrainer::BpeTrainer(BpeOptions options) : options_(std::move(options)) {
  check_specials(options_.specials);
  const auto least = static_cast<int64_t>(options_.specials.size()) + 256;
  SR_CHECK(options_.vocab_size >= least,
           "a vocabulary of {} is too small: {} special tokens and 256 bytes need {} (--vocab-size)",
           options_.vocab_size, options_.specials.size(), least);
  SR_CHECK(options_.vocab_size <= 16 << 20, "a vocabulary of {} is too large: at most {}",
           options_.vocab_size, 16 << 20);
  PreTokenizer pre_tokenizer = PreTokenizer::from_pattern(options_.pattern);
  regex_ = pre_tokenizer.regex();
  words_ = std::make_unique<WordCounter>(std::move(pre_tokenizer));
}

BpeTrainer::~BpeTrainer() = default;
BpeTrainer::BpeTrainer(BpeTrainer&&) noexcept = default;

void BpeTrainer::add_document(std::string_view text) { words_->add(text); }

int64_t BpeTrainer::bytes() const { return words_->bytes(); }

Tokenizer BpeTrainer::train() {
  words_->finish();
  const size_t specials = options_.specials.size();
  // A special's text can be learned as a token too, if bytes can spell it; it keeps its id then.
  std::vector<std::string> tokens;
  for (const std::string& s : options_.specials) tokens.push_back(to_bytes(s).value_or(""));
  for (const uint8_t byte : byte_order()) tokens.emplace_back(1, static_cast<char>(byte));
  MergeOptions merging;
  merging.vocab_size = options_.vocab_size;
  merging.first_byte = static_cast<uint32_t>(specials);
  if (options_.progress)
    merging.progress = [this](int64_t done, int64_t total) { options_.progress("merge", done, total); };
  const auto rules = learn_merges(*words_, merging, tokens);
  std::copy(options_.specials.begin(), options_.specials.end(), tokens.begin());
  return Tokenizer::from_json(write_tokenizer_json(tokens, specials, rules, regex_), "the trained tokenizer");
}

}  // namespace suiren::text
