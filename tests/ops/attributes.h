#pragma once
// Attributes of any op from JSON, by the names of its fields: what the goldens and the peer checks are
// written in.

#include <nlohmann/json.hpp>

#include "suiren/core/op.h"

namespace suiren {

template <class D>
D dims_of_json(const nlohmann::json& list) {
  D out;
  for (const auto& d : list) out.push_back(d.get<int64_t>());
  return out;
}

/// {"eps": 1e-5, "axes": [0, 2], "dtype": "f32", "keep": true}; a field that is not given throws.
/// JSON has no infinity: "inf" and "-inf" stand for it.
inline std::shared_ptr<const void> attributes_of_json(const OpInfo& op, const nlohmann::json& given) {
  std::vector<AttrValue> values;
  std::vector<Dims> lists;
  lists.reserve(static_cast<size_t>(op.attribute_count));  // values point into it
  for (const char* name : op.attribute_names()) {
    const auto& v = given.at(name);
    if (v.is_array()) {
      lists.push_back(dims_of_json<Dims>(v));
      values.push_back({AttrValue::kList, name, 0, 0, lists.back().data(), lists.back().rank()});
    } else if (v.is_string()) {
      const auto text = v.get<std::string>();
      const auto dtype = DType::parse(text);
      values.push_back(dtype ? AttrValue{AttrValue::kInt, name, dtype->id()}
                             : AttrValue{AttrValue::kFloat, name, 0, std::stod(text)});
    } else if (v.is_number_float()) {
      values.push_back({AttrValue::kFloat, name, 0, v.get<double>()});
    } else {
      values.push_back({AttrValue::kInt, name, v.is_boolean() ? v.get<bool>() : v.get<int64_t>()});
    }
  }
  return op.make_attrs(values);
}

}  // namespace suiren
