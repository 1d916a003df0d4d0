#include "compiler/eval/tested.h"

namespace heddle::eval {
namespace {

bool compares_value(model::Operator op) {
  return op != model::Operator::present && op != model::Operator::absent;
}

void collect(const model::Condition& condition, TestedHeaders& tested) {
  for (const model::Condition& child : condition.children) collect(child, tested);
  if (condition.kind != model::Condition::Kind::test) return;
  const model::Test& test = condition.test;
  if (test.attribute != model::Attribute::header) return;
  tested.names.insert(test.name);
  if (compares_value(test.op)) tested.singular.insert(test.name);
}

template <typename Rules>
void collect_rules(const Rules& rules, TestedHeaders& tested) {
  for (const auto& rule : rules) {
    if (rule.when) collect(*rule.when, tested);
  }
}

}  // namespace

TestedHeaders tested_headers(const model::Service& service) {
  TestedHeaders tested;
  if (service.access) collect_rules(service.access->rules, tested);
  if (service.route) collect_rules(service.route->rules, tested);
  return tested;
}

}  // namespace heddle::eval
