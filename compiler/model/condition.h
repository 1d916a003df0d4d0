#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/model/address.h"
#include "compiler/model/regex.h"
#include "compiler/source/span.h"

namespace heddle::model {

using IdentityId = std::uint32_t;
using FilterId = std::uint32_t;

/// What of a request a test looks at (language reference, "What a request is").
enum class Attribute : std::uint8_t { path, host, method, header, query, cookie, address, port, from, sni, claim, user, filter };

enum class Operator : std::uint8_t { is, under, starts, ends, contains, like, matches, has, present, absent };

/// Who a `from` names: `any`, everybody with a peer, everybody without, or the holders of declared identities.
struct Callers {
  enum class Kind : std::uint8_t { any, authenticated, unauthenticated, identities };
  Kind kind = Kind::any;
  std::vector<IdentityId> identities;  // Kind::identities: any of them
  std::vector<IdentityId> via = {};    // then the users, through any of these peers; empty: however they come

  friend bool operator==(const Callers&, const Callers&) = default;
};

/// One comparison of one attribute. A test of an absent value is false.
struct Test {
  Attribute attribute = Attribute::path;
  Operator op = Operator::is;
  std::string name;     // of the header (in lower case), query parameter or cookie; of the filter; else empty
  std::string literal;  // the operand in wire form; hosts, names of servers, and all that ignores case, in lower case; of `matches` the text
                        // of the expression; empty for present, absent and from
  Callers callers;      // Attribute::from
  bool ignoring_case = false;
  std::shared_ptr<const Regex> regex = nullptr;  // Operator::matches
  AddressRange range = {};                       // Attribute::address
  std::vector<std::string> claim = {};           // Attribute::claim: its path; `name` is it in one text
  std::uint16_t port = 0;                        // Attribute::port
  FilterId filter = 0;                           // Attribute::filter
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
