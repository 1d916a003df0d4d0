#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/source/span.h"

/// The text of a policy as a tree, with the place of everything; nothing is resolved or checked yet.
namespace heddle::ast {

using source::Span;

struct Name {
  std::string text;
  Span span;
};

/// `web` or `payments.web`.
struct QualifiedName {
  std::string space;  // empty: not written
  std::string name;
  Span span;

  [[nodiscard]] std::string text() const { return space.empty() ? name : space + "." + name; }
};

/// A string with its escapes resolved; the span includes the quotes.
struct String {
  std::string value;
  Span span;
};

/// A number as written, without its unit's meaning: `12.5%`, `404`.
struct Number {
  std::string text;
  Span span;
};

/// A part of the language that this version does not build. Its text was well formed.
struct Unsupported {
  std::string what;  // as it is written: `retry`, `transport mtls`
  Span span;
};

}  // namespace heddle::ast
