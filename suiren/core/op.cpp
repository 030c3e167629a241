#include "suiren/core/op.h"

#include <algorithm>
#include <cstring>

#include "suiren/core/backend.h"

namespace suiren {

uint32_t OpInfo::id() const {
  // One slot per op would need a mutable field; interning again costs a lock, so the number is kept per
  // thread.
  thread_local std::vector<std::pair<const OpInfo*, uint32_t>> known(256);
  auto& slot = known[(reinterpret_cast<uintptr_t>(this) >> 4) % known.size()];
  if (slot.first != this) slot = {this, intern(name)};
  return slot.second;
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
