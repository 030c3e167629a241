#pragma once
// Results that were committed, as `suiren bench --json` printed them.

#include <map>
#include <string>

#include "suiren/bench/bench.h"

namespace suiren::bench {

/// bench/ of the sources: in the working folder, or above this program; empty when there is none.
std::string source_folder();

/// By figure, the latest of those for `cpu` and `threads` in the JSON files of `folder`; other files are
/// passed over. Throws Error{kNotFound} when the folder is absent, {kInvalid} for JSON that is damaged.
std::map<std::string, LastResult> last_results(const std::string& folder, const std::string& cpu,
                                               int threads);

}  // namespace suiren::bench
