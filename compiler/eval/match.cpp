#include "compiler/eval/match.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "compiler/eval/bytes.h"

namespace heddle::eval {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;
using model::Test;

/// The value that a test looks at; none if the request does not have it.
using Value = std::optional<std::string_view>;

bool is_under(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  return path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/';
}

/// A test of an absent value is false, but for `absent`.
bool compare(Operator op, Value value, std::string_view literal) {
  static const std::map<Operator, std::function<bool(std::string_view, std::string_view)>> comparisons = {
      {Operator::is, [](auto text, auto operand) { return text == operand; }},
      {Operator::under, is_under},
      {Operator::starts, [](auto text, auto operand) { return text.starts_with(operand); }},
      {Operator::present, [](auto, auto) { return true; }},
  };
  if (!value) return op == Operator::absent;
  return op != Operator::absent && comparisons.at(op)(*value, literal);
}

bool test_path(const Test& test, const Facts& facts) {
  return compare(test.op, facts.path, comparable_path(test.literal));
}

bool test_host(const Test& test, const Facts& facts) {
  const auto& host = facts.head->host;
  return compare(test.op, host ? Value(*host) : std::nullopt, lower(test.literal));
}

bool test_method(const Test& test, const Facts& facts) {
  return compare(test.op, facts.head->method, test.literal);
}

/// A header whose value is compared has one line here, or none: two were refused.
bool test_header(const Test& test, const Facts& facts) {
  const auto values = values_of(*facts.head, lower(test.name));
  return compare(test.op, values.empty() ? std::nullopt : Value(values.front()), test.literal);
}

bool test_head(const Test& test, const Facts& facts) {
  static const std::map<Attribute, bool (*)(const Test&, const Facts&)> tests = {
      {Attribute::path, test_path},
      {Attribute::host, test_host},
      {Attribute::method, test_method},
      {Attribute::header, test_header},
  };
  if (facts.head == nullptr) {
    std::fputs("heddle: a condition on a tcp service tests a part of a request\n", stderr);
    std::abort();
  }
  return tests.at(test.attribute)(test, facts);
}

bool holds_test(const Test& test, const Facts& facts) {
  if (test.attribute == Attribute::from) return includes(test.callers, facts.caller);
  return test_head(test, facts);
}

/// `all` is decided by its first false child, `any` by its first true one; otherwise all children did it
/// together.
Match match_children(const Condition& condition, const Facts& facts, bool deciding) {
  for (const Condition& child : condition.children) {
    const Match found = match(child, facts);
    if (found.holds == deciding) return found;
  }
  return {!deciding, &condition, !deciding};
}

}  // namespace

std::string comparable_path(std::string_view path) {
  std::string result(path);
  for (std::size_t at = 0; at < result.size(); ++at) {
    if (result[at] != '%') continue;
    for (int digits = 0; digits < 2 && at + 1 < result.size(); ++digits) {
      char& digit = result[++at];
      if ('a' <= digit && digit <= 'f') digit = static_cast<char>(digit - 'a' + 'A');
    }
  }
  return result;
}

Match match(const Condition& condition, const Facts& facts) {
  if (condition.kind == Condition::Kind::all) return match_children(condition, facts, false);
  if (condition.kind == Condition::Kind::any) return match_children(condition, facts, true);
  if (condition.kind == Condition::Kind::test) {
    const bool holds = holds_test(condition.test, facts);
    return {holds, &condition, holds};
  }
  Match found = match(condition.children.front(), facts);
  found.holds = !found.holds;
  return found;
}

}  // namespace heddle::eval
