#pragma once
// Where the weights of a model folder lie. Thread-safe.

#include <string>
#include <vector>

namespace suiren::models {

/// FOLDER/model.safetensors, or else the shards that FOLDER/model.safetensors.index.json names.
/// Error{kInvalid} for an index that is damaged; whether the files are there is for who opens them.
std::vector<std::string> weight_files(const std::string& folder);

}  // namespace suiren::models
