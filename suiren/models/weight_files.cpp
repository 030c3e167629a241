#include "suiren/models/weight_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "suiren/base/error.h"
#include "suiren/io/json.h"

namespace suiren::models {

std::vector<std::string> weight_files(const std::string& folder) {
  const std::string whole = folder + "/model.safetensors", index = whole + ".index.json";
  if (std::filesystem::exists(whole) || !std::filesystem::exists(index)) return {whole};
  const io::Json json = io::read_json(index);
  std::set<std::string> shards;
  for (const auto& [tensor, file] : io::json_member(json, "weight_map", index).items()) {
    SR_CHECK(file.is_string() && file.get_ref<const std::string&>().find('/') == std::string::npos,
             "{}: weight_map.{} is {}, expected a file name beside the index", index, tensor, file.dump());
    shards.insert(folder + "/" + file.get<std::string>());
  }
  return {shards.begin(), shards.end()};
}

}  // namespace suiren::models
