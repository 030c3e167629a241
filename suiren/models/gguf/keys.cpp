#include "suiren/models/gguf/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "suiren/base/error.h"

namespace suiren::models {

double shortest(float x) { return std::strtod(fmt::format("{}", x).c_str(), nullptr); }

GgufKeys::GgufKeys(const io::Gguf& file) : file_(file), architecture_(file.string("general.architecture")) {
  // They change nothing that is computed.
  known_ = {"vocab_size", "rope.scaling.finetuned", "tensor_data_layout"};
}

const io::GgufValue* GgufKeys::find(const std::string& key) const {
  known_.insert(key);
  return file_.find(full(key));
}

bool GgufKeys::is_array(const std::string& key) const {
  const io::GgufValue* value = find(key);
  return value && value->is_array();
}

int64_t GgufKeys::size(const std::string& key) const {
  constexpr int64_t kMost = int64_t{1} << 31;
  int64_t n = 0;
  if (is_array(key)) {
    const std::vector<int64_t> list = file_.integers(full(key));
    SR_CHECK_AS(kUnsupported, !list.empty() && std::ranges::count(list, list[0]) == std::ssize(list),
                "{}: {} differs from layer to layer, which is not supported", file_.path(), full(key));
    n = list[0];
  } else {
    known_.insert(key);
    n = file_.integer(full(key));
  }
  SR_CHECK(n >= 0 && n <= kMost, "{}: {} is {}, expected 0 to {}", file_.path(), full(key), n, kMost);
  return n;
}

double GgufKeys::number(const std::string& key) const {
  known_.insert(key);
  const double x = file_.number(full(key));
  SR_CHECK(std::isfinite(x), "{}: {} is {}", file_.path(), full(key), x);
  return find(key)->type() == io::GgufValue::kF32 ? shortest(static_cast<float>(x)) : x;
}

bool GgufKeys::flag(const std::string& key) const {
  known_.insert(key);
  return file_.boolean(full(key));
}

std::string GgufKeys::text(const std::string& key) const {
  known_.insert(key);
  return std::string(file_.string(full(key)));
}

std::vector<bool> GgufKeys::flags(const std::string& key, int64_t count) const {
  const io::GgufValue* value = find(key);
  SR_CHECK(
      value && value->is_array() && value->element_type() == io::GgufValue::kBool && value->size() == count,
      "{}: {} is no array of {} bools", file_.path(), full(key), count);
  std::vector<bool> out;
  for (const io::GgufValue& element : value->elements(full(key))) out.push_back(element.boolean(full(key)));
  return out;
}

void GgufKeys::require(std::initializer_list<const char*> keys) const {
  for (const char* key : keys)
    SR_CHECK_AS(kNotFound, has(key), "{}: the key '{}' is missing", file_.path(), full(key));
}

void GgufKeys::ignore(std::initializer_list<const char*> keys) const {
  known_.insert(keys.begin(), keys.end());
}

void GgufKeys::refuse_unknown() const {
  const std::string prefix = architecture_ + ".";
  for (const auto& [key, value] : file_.metadata()) {
    if (!key.starts_with(prefix)) continue;
    const std::string name(key.substr(prefix.size()));
    SR_CHECK_AS(kUnsupported, known_.count(name),
                "{}: the key '{}' is not understood: it may change what the model "
                "computes",
                file_.path(), key);
  }
}

}  // namespace suiren::models
