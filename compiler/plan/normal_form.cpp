#include "compiler/plan/chooser.h"

namespace heddle::plan {
namespace {

using Kind = Formula::Kind;

Formula of_kind(Kind kind) {
  Formula out;
  out.kind = kind;
  return out;
}

bool never_holds(const Formula& formula) {
  return formula.kind == Kind::any && formula.children.empty();
}

/// What decides an `all` or `any` whatever its other parts are.
bool decides(const Formula& child, Kind kind) {
  return kind == Kind::any ? child.kind == Kind::always : never_holds(child);
}
bool changes_nothing(const Formula& child, Kind kind) {
  return kind == Kind::any ? never_holds(child) : child.kind == Kind::always;
}

Formula normal(const Formula& formula, bool negated);

Formula combined(const Formula& formula, Kind kind, bool negated) {
  Formula out = of_kind(kind);
  for (const Formula& each : formula.children) {
    Formula child = normal(each, negated);
    if (decides(child, kind)) return child;
    if (changes_nothing(child, kind)) continue;
    if (child.kind == kind) {
      for (Formula& inner : child.children) out.children.push_back(std::move(inner));
    } else {
      out.children.push_back(std::move(child));
    }
  }
  if (out.children.size() == 1) return Formula(std::move(out.children.front()));
  if (out.children.empty() && kind == Kind::all) return of_kind(Kind::always);
  return out;
}

Formula normal(const Formula& formula, bool negated) {
  switch (formula.kind) {
    case Kind::negation:
      return normal(formula.children.front(), !negated);
    case Kind::all:
      return combined(formula, negated ? Kind::any : Kind::all, negated);
    case Kind::any:
      return combined(formula, negated ? Kind::all : Kind::any, negated);
    case Kind::always:
      return of_kind(negated ? Kind::any : Kind::always);
    case Kind::atom:
    case Kind::line_atom:
    case Kind::identity:
    case Kind::has_peer:
    case Kind::filter:
      break;
  }
  if (!negated) return formula;
  Formula out = of_kind(Kind::negation);
  out.children.push_back(formula);
  return out;
}

}  // namespace

Formula normal_form(const Formula& formula) {
  return normal(formula, false);
}

}  // namespace heddle::plan
