#include "suiren/io/gguf.h"

#include <algorithm>
#include <numeric>

#include "suiren/base/error.h"
#include "suiren/io/gguf_parser.h"

namespace suiren::io {
namespace {

/// Sorts the numbers of items by their name and returns an item whose name stands twice, or nullptr.
template <class Items, class Name>
auto* sort_by_name(const Items& items, std::vector<uint32_t>& order, Name&& name) {
  order.resize(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return name(items[a]) < name(items[b]); });
  const auto twice = std::adjacent_find(
      order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return name(items[a]) == name(items[b]); });
  return twice == order.end() ? nullptr : &items[*twice];
}

/// The item of that name, or nullptr.
template <class Items, class Name>
auto* find_by_name(const Items& items, const std::vector<uint32_t>& order, std::string_view wanted,
                   Name&& name) {
  const auto at = std::lower_bound(order.begin(), order.end(), wanted,
                                   [&](uint32_t i, std::string_view w) { return name(items[i]) < w; });
  return at != order.end() && name(items[*at]) == wanted ? &items[*at] : nullptr;
}

constexpr auto entry_name = [](const BlockEntry& e) { return std::string_view(e.name); };
constexpr auto key_name = [](const Gguf::KeyValue& kv) { return kv.key; };

/// "NAME-00002-of-00003.gguf" from "NAME-00001-of-00003.gguf"; empty when the path does not end so.
std::string part_path(const std::string& path, int64_t number, int64_t parts) {
  const std::string end = fmt::format("-00001-of-{:05}.gguf", parts);
  if (!path.ends_with(end)) return "";
  return fmt::format("{}-{:05}-of-{:05}.gguf", path.substr(0, path.size() - end.size()), number, parts);
}

}  // namespace

Gguf Gguf::open(const std::string& path) {
  MappedFile file(path);
  Gguf first = from_bytes(file.bytes(), path);
  first.files_.push_back(std::move(file));
  const int64_t parts = first.find("split.count") ? first.integer("split.count") : 1;
  if (parts <= 1) return first;
  SR_CHECK(first.integer("split.no") == 0, "{} is part {} of {}; open the first of them", path,
           first.integer("split.no") + 1, parts);
  SR_CHECK(!part_path(path, 1, parts).empty(),
           "{} is the first of {} parts; its name should end in -00001-of-{:05}.gguf, so that the others can "
           "be found",
           path, parts, parts);
  for (int64_t number = 2; number <= parts; ++number) {
    const std::string name = part_path(path, number, parts);
    MappedFile next(name);
    Gguf part = from_bytes(next.bytes(), name);
    part.files_.push_back(std::move(next));
    first.append_part(std::move(part), number, parts);
  }
  first.index_entries();
  if (first.find("split.tensors.count")) {
    const int64_t tensors = first.integer("split.tensors.count");
    SR_CHECK(tensors == static_cast<int64_t>(first.entries_.size()),
             "{}: the {} parts hold {} tensors, but split.tensors.count is {}", path, parts,
             first.entries_.size(), tensors);
  }
  return first;
}

Gguf Gguf::from_bytes(std::span<const uint8_t> bytes, const std::string& name) {
  Gguf result;
  result.path_ = name;
  GgufParser(bytes, name).parse(result);
  const KeyValue* twice = sort_by_name(result.metadata_, result.by_key_, key_name);
  SR_CHECK(twice == nullptr, "{}: key '{}' stands twice", name, twice->key);
  result.index_entries();
  return result;
}

void Gguf::append_part(Gguf part, int64_t number, int64_t parts) {
  SR_CHECK(part.integer("split.no") == number - 1 && part.integer("split.count") == parts,
           "{} says that it is part {} of {}, expected {} of {}; do the parts belong together?", part.path_,
           part.integer("split.no") + 1, part.integer("split.count"), number, parts);
  std::move(part.entries_.begin(), part.entries_.end(), std::back_inserter(entries_));
  files_.push_back(std::move(part.files_.front()));
}

void Gguf::index_entries() {
  const BlockEntry* twice = sort_by_name(entries_, by_name_, entry_name);
  SR_CHECK(twice == nullptr, "{}: tensor '{}' stands twice", path_, twice->name);
}

std::vector<std::string> Gguf::names() const {
  std::vector<std::string> names;
  for (const BlockEntry& e : entries_) names.push_back(e.name);
  return names;
}

const BlockEntry* Gguf::find_entry(std::string_view name) const {
  return find_by_name(entries_, by_name_, name, entry_name);
}

const BlockEntry& Gguf::entry(const std::string& name) const {
  if (const BlockEntry* found = find_entry(name)) return *found;
  const std::string near = nearest(name, names());
  fail(ErrorCode::kNotFound, "{} has no tensor '{}'{}", path_, name,
       near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

const GgufValue* Gguf::find(std::string_view key) const {
  const KeyValue* found = find_by_name(metadata_, by_key_, key, key_name);
  return found ? &found->value : nullptr;
}

const GgufValue& Gguf::value(std::string_view key) const {
  const GgufValue* found = find(key);
  SR_CHECK_AS(kNotFound, found != nullptr, "{} has no key '{}'", path_, key);
  return *found;
}

std::string Gguf::where(std::string_view key) const { return fmt::format("{}: {}", path_, key); }

int64_t Gguf::integer(std::string_view key) const { return value(key).integer(where(key)); }
double Gguf::number(std::string_view key) const { return value(key).number(where(key)); }
bool Gguf::boolean(std::string_view key) const { return value(key).boolean(where(key)); }
std::string_view Gguf::string(std::string_view key) const { return value(key).string(where(key)); }
std::vector<int64_t> Gguf::integers(std::string_view key) const { return value(key).integers(where(key)); }
std::vector<double> Gguf::numbers(std::string_view key) const { return value(key).numbers(where(key)); }
std::vector<std::string_view> Gguf::strings(std::string_view key) const {
  return value(key).strings(where(key));
}

}  // namespace suiren::io
