#pragma once
// JSON in and out. Include <nlohmann/json.hpp> in the .cpp file that looks inside a Json. Safe from any
// thread.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace suiren::io {

using Json = nlohmann::json;  ///< its objects sort their keys
/// Its objects keep their keys in the order of the text, for what shows them to a person or a model.
using OrderedJson = nlohmann::ordered_json;

/// What two equal keys in one object mean. Files that suiren acts on refuse them; people's own data may have
/// them.
enum class DuplicateKeys { kRefuse, kLastWins };

/// Parses one JSON value. `name` (a path) opens the message of every Error{kInvalid}, with line and column:
/// bad syntax, text that is not UTF-8, nesting deeper than 64, a key that stands twice.
/// `first_line` is the line of the file on which `text` begins.
Json parse_json(std::string_view text, const std::string& name,
                DuplicateKeys duplicates = DuplicateKeys::kRefuse, int64_t first_line = 1);
OrderedJson parse_ordered_json(std::string_view text, const std::string& name,
                               DuplicateKeys duplicates = DuplicateKeys::kRefuse, int64_t first_line = 1);
/// parse_json of a whole file.
Json read_json(const std::string& path);
/// Writes `value` and a newline, whole or not at all; `indent` < 0 puts it on one line.
void write_json(const std::string& path, const Json& value, int indent = 2);

/// Typed members of an object. A missing key or a wrong type is Error{kInvalid}: "NAME: KEY is ..., expected
/// ...".
const Json& json_member(const Json& object, const std::string& key, const std::string& name);
int64_t json_int(const Json& object, const std::string& key, const std::string& name);
double json_number(const Json& object, const std::string& key, const std::string& name);
bool json_bool(const Json& object, const std::string& key, const std::string& name);
std::string json_string(const Json& object, const std::string& key, const std::string& name);
/// An array of integers; of integers >= 0.
std::vector<int64_t> json_ints(const Json& object, const std::string& key, const std::string& name);
std::vector<int64_t> json_sizes(const Json& object, const std::string& key, const std::string& name);

}  // namespace suiren::io
