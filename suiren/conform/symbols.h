#pragma once
// The dynamic symbols of a shared object, read from its bytes.

#include <string>
#include <vector>

namespace suiren::conform {

/// Names that an ELF file of this machine's word size exports: defined, global (not weak), of default
/// visibility; without those that linkers add. Throws Error{kInvalid} when the file is no such thing.
std::vector<std::string> exported_symbols(const std::string& path);

}  // namespace suiren::conform
