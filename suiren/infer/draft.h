#pragma once
// Drafts by prompt lookup: text that repeats itself is guessed from what followed last time (Saxena 2023,
// "Prompt lookup decoding"). A draft is only a guess: the model is asked at each of its positions in one
// pass, the id there is drawn as always, with the Philox number of its position, and the draft counts up to
// the first id that differs. So what is written has the same bits, whatever was guessed. Pure.

#include <cstdint>
#include <span>
#include <vector>

namespace suiren::infer {

/// Up to `most` ids that may follow `ids`: those that followed the latest earlier place where the last 4 ids
/// stand, or else 3, or 2. Empty when there is none.
std::vector<int64_t> draft_by_lookup(std::span<const int64_t> ids, int64_t most);

}  // namespace suiren::infer
