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
  std::vector<QualifiedName> via;  // the peers through which users ask
  Span via_span;                   // `via [web, batch]`; of no meaning without
  Span span;
};

enum class Attribute : std::uint8_t { path, host, method, header, query, cookie, address, port, from, sni, claim, user, filter };
enum class Operator : std::uint8_t { is, in, not_in, under, starts, ends, contains, like, matches, has, present, absent };

/// One comparison.
struct Test {
  Attribute attribute = Attribute::path;
  Span attribute_span;         // `path`, `header "x"`
  std::optional<String> name;  // of the header, query parameter or cookie
  std::vector<String> claim;   // the path of a claim
  Operator op = Operator::is;
  Span op_span;                  // `is`, `not in`
  std::vector<String> operands;  // methods, addresses and ports too, as they are written; of `matches` what stands between the slashes
  bool ignoring_case = false;
  Callers callers;
  QualifiedName filter;   // the name of an `extern`, or what is none
  bool compared = false;  // and something is said of it
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
