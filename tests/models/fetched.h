#pragma once
// Published models, which are no part of the repository: a test that lacks one skips by its name.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace suiren::models {

/// The folder in which tools/fetch_models keeps NAME; "" when it was not fetched.
inline std::string fetched(const std::string& name) {
  const auto setting = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value ? value : "");
  };
  std::string cache = setting("SUIREN_MODELS"), shared = setting("XDG_CACHE_HOME");
  if (shared.empty()) shared = setting("HOME") + "/.cache";
  if (cache.empty()) cache = shared + "/suiren/models";
  const std::string folder = cache + "/" + name;
  return std::filesystem::exists(folder) ? folder : "";
}

}  // namespace suiren::models
