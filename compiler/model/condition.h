#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/source/span.h"

namespace heddle::model {

using IdentityId = std::uint32_t;

/// What of a request a test looks at (language reference, "What a request is").
enum class Attribute : std::uint8_t { path, host, method, header, from };

enum class Operator : std::uint8_t { is, under, starts, present, absent };

/// Who a `from` names: `any`, everybody with a peer, everybody without, or the holders of declared identities.
struct Callers {
  enum class Kind : std::uint8_t { any, authenticated, unauthenticated, identities };
  Kind kind = Kind::any;
  std::vector<IdentityId> identities;  // Kind::identities: any of them

  friend bool operator==(const Callers&, const Callers&) = default;
};

/// One comparison of one attribute. A test of an absent value is false.
struct Test {
  Attribute attribute = Attribute::path;
  Operator op = Operator::is;
  std::string name;     // Attribute::header: the header's name in lower case, else empty
  std::string literal;  // the operand in wire form; hosts in lower case; empty for present, absent and from
  Callers callers;      // Attribute::from
};

/// A boolean combination of tests. `all` and `any` have at least two children, `negation` exactly one, `test` none.
struct Condition {
  enum class Kind : std::uint8_t { test, all, any, negation };
  Kind kind = Kind::test;
  Test test;
  std::vector<Condition> children;
  source::Span span;
};

}  // namespace heddle::model
