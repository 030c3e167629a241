// The `loop` of a for.

#include "suiren/text/jinja/interpreter.h"

namespace suiren::text::jinja {
namespace {

constexpr Builtin kCycle{"cycle", [](Interpreter&, const Value& on, const Args& args) {
                           return on.as<Loop>()->cycle(args.positional);
                         }};
constexpr Builtin kChanged{"changed", [](Interpreter& in, const Value& on, const Args& args) {
                             return Value(on.as<Loop>()->changed(in, args.positional));
                           }};

}  // namespace

Loop::Loop(const Value& iterable, IteratorPtr items, int64_t depth, const Stmt* again,
           std::shared_ptr<Scope> around)
    : depth0(depth),
      recurse(again),
      scope(std::move(around)),
      items_(std::move(items)),
      length_(size_of(iterable)) {}

bool Loop::peek(Interpreter& in) {
  if (!has_next_ && !at_end_) {
    has_next_ = items_->next(in, next_);
    at_end_ = !has_next_;
  }
  return has_next_;
}

bool Loop::next(Interpreter& in, Value& out) {
  if (!peek(in)) return false;
  has_next_ = false;
  ++index0_;
  before_ = std::move(current_);
  current_ = out = std::move(next_);
  return true;
}

int64_t Loop::length(Interpreter& in) {
  if (length_ < 0) {
    List rest = to_list(in, Value(items_));
    length_ = static_cast<int64_t>(rest.size()) + index0_ + 1 + has_next_;
    items_ = iterate(Value::list(std::move(rest)));
  }
  return length_;
}

Value Loop::attribute(Interpreter& in, std::string_view name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek(in);
  if (name == "length") return length(in);
  if (name == "revindex") return length(in) - index0_;
  if (name == "revindex0") return length(in) - index0_ - 1;
  if (name == "depth") return depth0 + 1;
  if (name == "depth0") return depth0;
  if (name == "previtem") return index0_ == 0 ? Value::undefined("there is no previous item") : before_;
  if (name == "nextitem") return peek(in) ? next_ : Value::undefined("there is no next item");
  if (name == "cycle") return std::make_shared<Function>(kCycle, shared_from_this());
  if (name == "changed") return std::make_shared<Function>(kChanged, shared_from_this());
  return {};
}

Value Loop::cycle(const List& items) const {
  SR_CHECK(!items.empty(), "loop.cycle() needs at least one value");
  return items[static_cast<size_t>(index0_) % items.size()];
}

bool Loop::changed(Interpreter& in, List values) {
  Value now = Value::tuple(std::move(values));
  if (!changed_.is_missing() && in.equals(changed_, now)) return false;
  changed_ = std::move(now);
  return true;
}

}  // namespace suiren::text::jinja
