#pragma once
// Which scope each variable of a template belongs to, decided before anything runs, by the rules of jinja2's
// idtracking: a loop, macro or block has variables of its own; one that it assigns begins with the outer
// value, and an `if` has none of its own. Thread-safe.

#include "suiren/text/jinja/ast.h"

namespace suiren::text::jinja {

/// Fills in every slot and frame, and finds filters and tests. Error{kInvalid} for one that is not known,
/// unless it stands inside an `if`, where it is an error only when it is reached; and for an assignment to
/// `loop`.
void resolve_variables(Template& made);

}  // namespace suiren::text::jinja
