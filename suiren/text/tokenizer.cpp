#include "suiren/text/tokenizer.h"

#include <atomic>
#include <cstring>
#include <filesystem>
#include <utility>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"
#include "suiren/base/file.h"
#include "suiren/text/tokenizer_data.h"

namespace suiren::text {

namespace {

/// The ids of short pre-tokens met before, one table per thread: direct-mapped, newest wins. Text repeats its
/// words (Zipf), so most pieces of prose are found here.
class PieceCache {
 public:
  static constexpr size_t kMaxBytes = 16, kMaxIds = 7, kSlots = 1 << 13;

  struct Slot {
    uint64_t low = 0, high = 0;  // the bytes: first 8 and last 8 of them, which with the size say all
    uint8_t size = 0, count = 0;
    uint32_t ids[kMaxIds];
  };

  /// The slot for `piece` (1 to kMaxBytes bytes); `hit` says whether it holds its ids already.
  Slot& find(std::string_view piece, bool& hit) {
    uint64_t low = 0, high = 0;
    const size_t n = piece.size();
    if (n >= 8) {
      std::memcpy(&low, piece.data(), 8);
      std::memcpy(&high, piece.data() + n - 8, 8);
    } else if (n >= 4) {
      uint32_t a, b;
      std::memcpy(&a, piece.data(), 4);
      std::memcpy(&b, piece.data() + n - 4, 4);
      low = uint64_t{b} << 32 | a;
    } else {
      const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(piece[i])); };
      low = byte(0) | byte(n / 2) << 8 | byte(n - 1) << 16;
    }
    const uint64_t hash = ((low ^ n) * 0x9E3779B97F4A7C15) ^ (high * 0xC2B2AE3D27D4EB4F);
    Slot& slot = slots_[(hash ^ hash >> 29) * 0xBF58476D1CE4E5B9 >> 51];
    hit = slot.low == low && slot.high == high && slot.size == n;
    if (!hit) slot.low = low, slot.high = high, slot.size = static_cast<uint8_t>(n), slot.count = 0;
    return slot;
  }

 private:
  std::vector<Slot> slots_{kSlots};
};

struct ThreadState {
  uint64_t serial = 0;
  PieceCache cache;
  ModelScratch scratch;
};

/// This thread's state for one tokenizer; another tokenizer starts it anew.
ThreadState& thread_state(uint64_t serial) {
  thread_local ThreadState state;
  if (state.serial != serial) {
    state.cache = PieceCache();
    state.serial = serial;
  }
  return state;
}

void encode_piece(const TokenizerData& d, ThreadState& state, std::string_view piece,
                  std::vector<uint32_t>& out) {
  if (!d.whole_pieces.empty()) {
    if (const uint32_t whole = d.find(d.whole_pieces, piece); whole != TokenIndex::kNone)
      return out.push_back(whole);
  }
  d.model->encode(piece, out, state.scratch);
  if (state.scratch.is_large()) state.scratch = {};  // do not keep what one giant piece took
}

void encode_cached(const TokenizerData& d, ThreadState& state, std::string_view piece,
                   std::vector<uint32_t>& out) {
  if (piece.size() > PieceCache::kMaxBytes) return encode_piece(d, state, piece, out);
  bool hit = false;
  PieceCache::Slot& slot = state.cache.find(piece, hit);
  if (hit) {
    out.insert(out.end(), slot.ids, slot.ids + slot.count);
    return;
  }
  const size_t begin = out.size();
  encode_piece(d, state, piece, out);
  const size_t count = out.size() - begin;
  if (count > PieceCache::kMaxIds) {
    slot.size = 0;
    return;
  }
  slot.count = static_cast<uint8_t>(count);
  std::memcpy(slot.ids, out.data() + begin, count * sizeof(uint32_t));
}

/// How many bytes at the end of `text` begin a character that more bytes may complete.
size_t unfinished(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<uint8_t>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t size = byte >= 0xF0 && byte < 0xF5 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return byte < 0xF5 && size > back ? back : 0;
  }
  return 0;
}

}  // namespace

Tokenizer Tokenizer::load(const std::string& path) {
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(path, ignored) ? path + "/tokenizer.json" : path;
  return from_json(read_file(file), file);
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& name) {
  static std::atomic<uint64_t> serial{0};
  auto data = std::make_shared<TokenizerData>(parse_tokenizer_json(json, name));
  data->serial = ++serial;
  return Tokenizer(std::move(data));
}

std::vector<uint32_t> Tokenizer::encode(std::string_view text, bool parse_special, bool add_special) const {
  const TokenizerData& d = *data_;
  ThreadState& state = thread_state(d.serial);
  std::vector<uint32_t> out;
  out.reserve(text.size() / 3 + 8);
  if (add_special) out = d.before;
  const auto put = [&](uint32_t id) { out.push_back(id); };
  const auto encode_plain = [&](std::string_view plain, bool first) {
    d.pre_tokenizer.split(
        plain, [&](std::string_view piece) { encode_cached(d, state, piece, out); }, first);
  };
  d.raw_added.split(
      text, parse_special,
      [&](std::string_view plain) {
        const bool first = plain.data() == text.data();
        std::string normalized;
        if (!d.normalizer.empty()) plain = normalized = d.normalizer.apply(plain);
        if (d.normalized_added.empty()) return encode_plain(plain, first);
        d.normalized_added.split(
            plain, parse_special,
            [&](std::string_view rest) { encode_plain(rest, first && rest.data() == plain.data()); }, put);
      },
      put);
  if (add_special) out.insert(out.end(), d.after.begin(), d.after.end());
  return out;
}

std::span<const uint32_t> Tokenizer::special_before() const { return data_->before; }
std::span<const uint32_t> Tokenizer::special_after() const { return data_->after; }

std::string Tokenizer::decode(std::span<const uint32_t> ids, bool skip_special) const {
  std::string out;
  Decoder::State state;
  for (const uint32_t id : ids) decode_next(id, skip_special, state, out);
  data_->decoder.finish(state, out);
  return out;
}

void Tokenizer::decode_next(uint32_t id, bool skip_special, Decoder::State& state, std::string& out) const {
  const TokenizerData& d = *data_;
  const std::string* token = &token_of(id);
  if (skip_special && d.special[id]) return;
  if (!d.normalized_spellings.empty())
    if (const auto found = d.normalized_spellings.find(id); found != d.normalized_spellings.end())
      token = &found->second;
  if (d.decoder.empty())
    out += *token;
  else
    d.decoder.push(*token, state, out);
}

const std::string& Tokenizer::token_of(uint32_t id) const {
  SR_CHECK(id < data_->tokens.size() && !data_->tokens[id].empty(),
           "id {} has no token: the vocabulary has ids below {}", id, data_->tokens.size());
  return data_->tokens[id];
}

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(data_->tokens.size()); }

std::optional<uint32_t> Tokenizer::id_of(std::string_view token) const {
  const uint32_t id = data_->find(data_->ids, token);
  return id == TokenIndex::kNone ? std::nullopt : std::optional(id);
}

std::string Tokenizer::bytes_of(uint32_t id) const { return token_of(id); }

bool Tokenizer::is_special(uint32_t id) const { return id < data_->special.size() && data_->special[id]; }

std::string Tokenizer::to_json() const { return data_->json; }

void Tokenizer::save(const std::string& path) const { write_file(path, data_->json); }

std::string Tokenizer::digest() const { return sha256(data_->json); }

std::string StreamDecoder::push(uint32_t id) {
  tokenizer_.decode_next(id, skip_special_, state_, pending_);
  const size_t keep = unfinished(pending_);
  std::string complete = pending_.substr(0, pending_.size() - keep);
  pending_.erase(0, complete.size());
  return complete;
}

std::string StreamDecoder::finish() {
  tokenizer_.data_->decoder.finish(state_, pending_);
  return std::exchange(pending_, {});
}

}  // namespace suiren::text
