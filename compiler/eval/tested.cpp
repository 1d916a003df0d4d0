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

void collect(const model::Target& target, TestedNames& tested) {
  using Kind = model::StickyKey::Kind;
  if (!target.by) return;
  const std::string& name = target.by->name;
  if (target.by->kind == Kind::header) {
    tested.headers.insert(name);
    tested.singular_headers.insert(name);
  }
  if (target.by->kind == Kind::query) tested.singular_queries.insert(name);
  if (target.by->kind == Kind::cookie) {
    tested.headers.insert("cookie");
    tested.singular_cookies.insert(name);
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
  if (!service.route) return tested;
  collect_rules(service.route->rules, tested);
  for (const model::RouteRule& rule : service.route->rules) collect(rule.target, tested);
  return tested;
}

}  // namespace heddle::eval
