#include "compiler/eval/tested.h"

namespace heddle::eval {
namespace {

bool compares_value(model::Operator op) {
  return op != model::Operator::present && op != model::Operator::absent;
}

void collect(const model::Condition& condition, TestedNames& tested) {
  for (const model::Condition& child : condition.children) collect(child, tested);
  if (condition.kind != model::Condition::Kind::test) return;
  const model::Test& test = condition.test;
  const bool singular = compares_value(test.op);
  if (test.attribute == model::Attribute::header) {
    tested.headers.insert(test.name);
    if (singular) tested.singular_headers.insert(test.name);
  }
  if (test.attribute == model::Attribute::query && singular) tested.singular_queries.insert(test.name);
  if (test.attribute == model::Attribute::cookie) {
    tested.headers.insert("cookie");
    if (singular) tested.singular_cookies.insert(test.name);
  }
}

/// Requests are told apart by that value.
void collect(const model::RequestKey& key, TestedNames& tested) {
  using Kind = model::RequestKey::Kind;
  if (key.kind == Kind::header) {
    tested.headers.insert(key.name);
    tested.singular_headers.insert(key.name);
  }
  if (key.kind == Kind::query) tested.singular_queries.insert(key.name);
  if (key.kind == Kind::cookie) {
    tested.headers.insert("cookie");
    tested.singular_cookies.insert(key.name);
  }
}

template <typename Rules>
void collect_rules(const Rules& rules, TestedNames& tested) {
  for (const auto& rule : rules) {
    if (rule.when) collect(*rule.when, tested);
  }
}

}  // namespace

TestedNames tested_names(const model::Service& service) {
  TestedNames tested;
  if (service.access) collect_rules(service.access->rules, tested);
  collect_rules(service.limits, tested);
  for (const model::Limit& limit : service.limits) {
    for (const model::RequestKey& key : limit.key) collect(key, tested);
  }
  if (!service.route) return tested;
  collect_rules(service.route->rules, tested);
  for (const model::RouteRule& rule : service.route->rules) {
    if (rule.target.by) collect(*rule.target.by, tested);
  }
  return tested;
}

}  // namespace heddle::eval
