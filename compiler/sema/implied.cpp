#include "compiler/sema/implied.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace heddle::sema {

namespace {

using model::Condition;
using model::Operator;
using model::Test;

/// A path by its segments, each of them a text or, none, any text; `open`: more may follow.
struct Shape {
  std::vector<std::optional<std::string>> segments;
  bool open = false;
};

Shape shape_of(std::string_view pattern, bool names, bool open) {
  Shape shape;
  shape.open = open;
  if (names && pattern.ends_with("/**")) {
    shape.open = true;
    pattern.remove_suffix(3);
  }
  if (open && pattern == "/") pattern = "";
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const std::size_t end = std::min(pattern.find('/'), pattern.size());
    const std::string_view segment = pattern.substr(0, end);
    const bool any = names && segment.starts_with('{');
    shape.segments.push_back(any ? std::nullopt : std::optional(std::string(segment)));
    pattern.remove_prefix(end);
  }
  return shape;
}

/// What every path on which the test holds looks like.
std::optional<Shape> shape_of(const Test& test) {
  const std::string_view literal = test.literal;
  switch (test.op) {
    case Operator::is:
      return shape_of(literal, false, false);
    case Operator::under:
      return shape_of(literal, false, true);
    case Operator::starts:
      return shape_of(literal.substr(0, literal.rfind('/')), false, true);
    case Operator::like:
      return shape_of(literal, true, false);
    default:
      return std::nullopt;
  }
}

bool covers(const Shape& wide, const Shape& narrow) {
  if (narrow.segments.size() < wide.segments.size()) return false;
  for (std::size_t i = 0; i < wide.segments.size(); ++i) {
    const auto& wanted = wide.segments[i];
    const auto& found = narrow.segments[i];
    const bool fits = wanted ? found == wanted : (!found || !found->empty());
    if (!fits) return false;
  }
  return wide.open || (!narrow.open && narrow.segments.size() == wide.segments.size());
}

bool implies(const Condition& condition, const std::function<bool(const Test&)>& holds) {
  const auto child_implies = [&](const Condition& child) { return implies(child, holds); };
  switch (condition.kind) {
    case Condition::Kind::all:
      return std::any_of(condition.children.begin(), condition.children.end(), child_implies);
    case Condition::Kind::any:
      return std::all_of(condition.children.begin(), condition.children.end(), child_implies);
    case Condition::Kind::negation:
      return false;
    case Condition::Kind::test:
      break;
  }
  const Test& test = condition.test;
  return test.attribute == model::Attribute::path && !test.ignoring_case && holds(test);
}

bool implies_shape(const Condition& condition, const Shape& wide) {
  return implies(condition, [&wide](const Test& test) {
    const auto narrow = shape_of(test);
    return narrow && covers(wide, *narrow);
  });
}

}  // namespace

bool implies_under(const Condition& condition, const std::string& prefix) {
  return implies_shape(condition, shape_of(prefix, false, true));
}

bool implies_like(const Condition& condition, const std::string& pattern) {
  return implies_shape(condition, shape_of(pattern, true, false));
}

}  // namespace heddle::sema
