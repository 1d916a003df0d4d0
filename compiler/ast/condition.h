#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compiler/ast/node.h"

namespace heddle::ast {

/// Who a `from` names, as written.
struct Callers {
  enum class Kind : std::uint8_t { any, authenticated, unauthenticated, names };
  Kind kind = Kind::any;
  std::vector<QualifiedName> names;
  Span span;
};

enum class Attribute : std::uint8_t { path, host, method, header, from };
enum class Operator : std::uint8_t { is, in, not_in, under, starts, present, absent };

/// One comparison.
struct Test {
  Attribute attribute = Attribute::path;
  Span attribute_span;         // `path`, `header "x"`
  std::optional<String> name;  // of the header
  Operator op = Operator::is;
  Span op_span;                  // `is`, `not in`
  std::vector<String> operands;  // methods too: their names
  Callers callers;
};

struct Condition {
  // `unsupported`: one of File::unsupported, which makes the whole rule unusable.
  enum class Kind : std::uint8_t { test, all, any, negation, unsupported };
  Kind kind = Kind::test;
  Test test;
  std::vector<Condition> children;
  Span span;
};

}  // namespace heddle::ast
