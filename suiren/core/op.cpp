#include "suiren/core/op.h"

#include <algorithm>
#include <cstring>

#include "suiren/core/backend.h"

namespace suiren {

uint32_t OpInfo::id() const {
  // A slot in OpInfo would have to be mutable; interning again costs a lock and a hash of the name, so each
  // thread keeps the numbers in a table of its own, by address, with linear probing. It has room for many
  // more ops than there are.
  constexpr size_t kSlots = 1024;
  thread_local std::vector<std::pair<const OpInfo*, uint32_t>> known(kSlots);
  size_t i = (reinterpret_cast<uintptr_t>(this) >> 4) % kSlots;
  while (known[i].first != this) {
    if (!known[i].first) {
      known[i] = {this, intern(name)};
      break;
    }
    i = (i + 1) % kSlots;
  }
  return known[i].second;
}

const std::vector<const OpInfo*>& all_ops() {
  static const auto* ops = [] {
    auto* list = new std::vector<const OpInfo*>;
    for (const OpList& room : all_rooms()) list->insert(list->end(), room.begin(), room.end());
    std::sort(list->begin(), list->end(), [](auto* a, auto* b) { return std::strcmp(a->name, b->name) < 0; });
    return list;
  }();
  return *ops;
}

const OpInfo& find_op(const std::string& name) {
  std::vector<std::string> names;
  for (const OpInfo* op : all_ops()) {
    if (name == op->name) return *op;
    names.push_back(op->name);
  }
  const std::string near = nearest(name, names);
  fail(ErrorCode::kNotFound, "no op named '{}'{}", name,
       near.empty() ? "" : "; did you mean '" + near + "'?");
}

std::string describe_attributes(const OpInfo& op, const void* attrs) {
  std::string text;
  for (const AttrValue& a : op.attributes(attrs)) {
    if (!text.empty()) text += ", ";
    text += std::string(a.name) + "=";
    if (a.kind == AttrValue::kInt)
      text += fmt::format("{}", a.i);
    else if (a.kind == AttrValue::kFloat)
      text += fmt::format("{:g}", a.f);
    else
      text += fmt::format("[{}]", fmt::join(a.list, a.list + a.size, ", "));
  }
  return text;
}

void detail::wrong_input_count(OpName name, int expected, size_t given) {
  throw Error(ErrorCode::kShape, fmt::format("takes {} inputs, {} given", expected, given), name);
}
void detail::wrong_attribute_count(OpName name, int expected, size_t given) {
  throw Error(ErrorCode::kInvalid, fmt::format("has {} attributes, {} given", expected, given), name);
}

}  // namespace suiren
