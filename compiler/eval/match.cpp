#include "compiler/eval/match.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "compiler/eval/bytes.h"
#include "compiler/eval/parts.h"
#include "compiler/eval/regex.h"

namespace heddle::eval {
namespace {

using model::Attribute;
using model::Condition;
using model::Operator;
using model::Test;

/// The value that a test looks at; none if the request does not have it.
using Value = std::optional<std::string_view>;

/// Whole segments of a path, or whole labels of a host: `example.com` covers `a.example.com`.
bool is_under(const Test& test, std::string_view text, std::string_view literal) {
  if (text == literal) return true;
  const bool labels = test.attribute == Attribute::host || test.attribute == Attribute::sni;
  if (labels) return text.ends_with("." + std::string(literal));
  return text.starts_with(literal.ends_with('/') ? std::string(literal) : std::string(literal) + "/");
}

/// Segment by segment. Both begin with `/`.
bool is_like(std::string_view text, std::string_view pattern) {
  while (!pattern.empty()) {
    if (pattern == "/**") return text.empty() || text.front() == '/';
    if (text.empty() || text.front() != '/') return false;
    pattern.remove_prefix(1);
    text.remove_prefix(1);
    const std::size_t wanted_end = std::min(pattern.find('/'), pattern.size());
    const std::size_t found_end = std::min(text.find('/'), text.size());
    const std::string_view wanted = pattern.substr(0, wanted_end);
    const std::string_view found = text.substr(0, found_end);
    if (wanted.starts_with('{') ? found.empty() : found != wanted) return false;
    pattern.remove_prefix(wanted_end);
    text.remove_prefix(found_end);
  }
  return text.empty();
}

bool compare_strings(const Test& test, std::string_view text, std::string_view literal) {
  switch (test.op) {
    case Operator::is:
      return text == literal;
    case Operator::under:
      return is_under(test, text, literal);
    case Operator::starts:
      return text.starts_with(literal);
    case Operator::ends:
      return text.ends_with(literal);
    case Operator::contains:
      return text.find(literal) != std::string_view::npos;
    case Operator::like:
      return is_like(text, literal);
    case Operator::matches:
      return matches(*test.regex, text);
    case Operator::present:
      return true;
    case Operator::has:  // of lists, by their elements
    case Operator::absent:
      break;
  }
  return false;
}

/// A test of an absent value is false, but for `absent`.
bool compare(const Test& test, Value value, std::string_view literal) {
  if (!value) return test.op == Operator::absent;
  if (!test.ignoring_case) return compare_strings(test, *value, literal);
  return compare_strings(test, lower(*value), lower(literal));
}

bool test_path(const Test& test, const Facts& facts) {
  return compare(test, facts.path, comparable_path(test.literal));
}

bool test_host(const Test& test, const Facts& facts) {
  const auto& host = facts.head->host;
  return compare(test, host ? Value(*host) : std::nullopt, lower(test.literal));
}

/// Names of servers have no case.
bool test_sni(const Test& test, const Facts& facts) {
  if (!facts.sni) return compare(test, std::nullopt, "");
  return compare(test, lower(*facts.sni), lower(test.literal));
}

bool test_method(const Test& test, const Facts& facts) {
  return compare(test, facts.head->method, test.literal);
}

/// The lines of a header are one list; blanks around an element do not belong to it.
bool has_element(const Test& test, const std::vector<std::string_view>& lines) {
  return std::ranges::any_of(lines, [&](std::string_view line) {
    return std::ranges::any_of(list_elements(line), [&](std::string_view element) {
      return test.ignoring_case ? equal_ignoring_case(element, test.literal) : element == test.literal;
    });
  });
}

/// A header whose value is compared has one line here, or none: two were refused.
bool test_header(const Test& test, const Facts& facts) {
  const auto values = values_of(*facts.head, lower(test.name));
  if (test.op == Operator::has) return has_element(test, values);
  return compare(test, values.empty() ? std::nullopt : Value(values.front()), test.literal);
}

/// The escapes of a query compare as those of a path.
bool test_query(const Test& test, const Facts& facts) {
  const auto values = query_values(*facts.head, test.name);
  if (values.empty()) return compare(test, std::nullopt, "");
  return compare(test, comparable_path(values.front()), comparable_path(test.literal));
}

bool test_cookie(const Test& test, const Facts& facts) {
  const auto values = cookie_values(*facts.head, test.name);
  return compare(test, values.empty() ? std::nullopt : Value(values.front()), test.literal);
}

bool knows_source(const Facts& facts) {
  if (facts.source != model::IpAddress{}) return true;
  facts.asked_source = true;
  return false;
}

bool test_address(const Test& test, const Facts& facts) {
  if (!knows_source(facts)) return false;
  const auto bit = [](const model::IpAddress& address, unsigned at) {
    return address.bytes[at / 8] >> (7 - at % 8) & 1;
  };
  for (unsigned at = 0; at < test.range.bits; ++at) {
    if (bit(facts.source, at) != bit(test.range.first, at)) return false;
  }
  return true;
}

/// What is no list is a list of one.
bool test_claim(const Test& test, const Facts& facts) {
  const Claim* claim = find_claim(facts.user, test.claim);
  const bool is_there = claim != nullptr || has_claims_in(facts.user, test.claim);
  if (test.op == Operator::present || test.op == Operator::absent) return is_there == (test.op == Operator::present);
  if (test.op != Operator::has) {
    const auto value = claim_value(facts.user, test.claim);
    return compare(test, value ? Value(*value) : std::nullopt, test.literal);
  }
  return claim != nullptr && std::ranges::any_of(claim->values, [&](const std::string& value) {
           return test.ignoring_case ? equal_ignoring_case(value, test.literal) : value == test.literal;
         });
}

bool test_head(const Test& test, const Facts& facts) {
  static const std::map<Attribute, bool (*)(const Test&, const Facts&)> tests = {
      {Attribute::path, test_path},
      {Attribute::host, test_host},
      {Attribute::method, test_method},
      {Attribute::header, test_header},
      {Attribute::query, test_query},
      {Attribute::cookie, test_cookie},
  };
  if (facts.head == nullptr) {
    std::fputs("heddle: a condition on a tcp or tls service tests a part of a request\n", stderr);
    std::abort();
  }
  return tests.at(test.attribute)(test, facts);
}

bool test_filter(const Test& test, const Facts& facts) {
  const auto answer = facts.filters.find(test.filter);
  if (answer != facts.filters.end()) return answer->second;
  facts.asked_filters.insert(test.filter);
  return false;
}

bool holds_test(const Test& test, const Facts& facts) {
  if (test.attribute == Attribute::filter) return test_filter(test, facts);
  if (test.attribute == Attribute::from) return includes(test.callers, facts.caller);
  if (test.attribute == Attribute::port) return test.port == facts.port;
  if (test.attribute == Attribute::address) return test_address(test, facts);
  if (test.attribute == Attribute::claim) return test_claim(test, facts);
  if (test.attribute == Attribute::sni) return test_sni(test, facts);
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

std::optional<std::string> key_value(const model::RequestKey& key, const Facts& facts) {
  const auto first = [](const auto& values) {
    return values.empty() ? std::nullopt : std::optional(std::string(values.front()));
  };
  switch (key.attribute) {
    case Attribute::header:
      return first(values_of(*facts.head, key.name));
    case Attribute::cookie:
      return first(cookie_values(*facts.head, key.name));
    case Attribute::query: {
      const auto value = first(query_values(*facts.head, key.name));
      return value ? std::optional(comparable_path(*value)) : std::nullopt;
    }
    case Attribute::address:
      if (!knows_source(facts)) return std::nullopt;
      return std::string(facts.source.bytes.begin(), facts.source.bytes.end());
    case Attribute::method:
      return facts.head->method;
    case Attribute::host:
      return facts.head->host;
    case Attribute::from:
      return facts.spiffe;
    case Attribute::claim:
      return claim_value(facts.user, key.claim);
    case Attribute::user: {
      const auto subject = claim_value(facts.user, {"sub"});
      return subject ? std::optional(std::to_string(facts.user->issuer.size()) + ":" + facts.user->issuer + *subject) : std::nullopt;
    }
    case Attribute::path:
    case Attribute::port:
    case Attribute::sni:
    case Attribute::filter:
      break;  // no key
  }
  return std::nullopt;
}

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
