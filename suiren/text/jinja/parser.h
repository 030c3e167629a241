#pragma once
// Template text to tree, by the grammar of jinja2 3.1 with its loopcontrols extension and the `generation`
// tag of transformers. Thread-safe.

#include <string>
#include <string_view>

#include "suiren/text/jinja/ast.h"

namespace suiren::text::jinja {

/// The whole template, variables resolved. Error{kInvalid} "name:line: expected ..., found ...";
/// {kUnsupported} for a tag that needs other files (include, import, extends, block) or that changes
/// escaping.
Template parse_template(std::string_view source, const std::string& name);

}  // namespace suiren::text::jinja
