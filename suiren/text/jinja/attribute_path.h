#pragma once
// "function.name" as filters take it: attributes of attributes. Pure.

#include <string>
#include <vector>

#include "suiren/text/jinja/interpreter.h"

namespace suiren::text::jinja {

/// What jinja2 makes of the argument `attribute`: parts between dots, where digits are an index.
class AttributePath {
 public:
  /// Missing and None: the value itself.
  explicit AttributePath(const Value& attribute);
  Value of(Interpreter& in, Value value) const;

 private:
  List parts_;
};

/// Lower case for str, as filters compare without regard to case.
Value ignore_case(const Value& value);

}  // namespace suiren::text::jinja
