#include "compiler/eval/tested.h"

namespace heddle::eval {
namespace {

bool compares_value(model::Operator op) {
  return op != model::Operator::present && op != model::Operator::absent && op != model::Operator::has;
}

/// `cookie` is the header that cookies stand in.
void add(TestedNames& tested, model::Attribute attribute, const std::string& name, bool singular) {
  using model::Attribute;
  if (attribute == Attribute::header) tested.headers.insert(name);
  if (attribute == Attribute::cookie) tested.headers.insert("cookie");
  if (!singular) return;
  if (attribute == Attribute::header) tested.singular_headers.insert(name);
  if (attribute == Attribute::query) tested.singular_queries.insert(name);
  if (attribute == Attribute::cookie) tested.singular_cookies.insert(name);
}

void collect(const model::Condition& condition, TestedNames& tested) {
  for (const model::Condition& child : condition.children) collect(child, tested);
  if (condition.kind != model::Condition::Kind::test) return;
  const model::Test& test = condition.test;
  add(tested, test.attribute, test.name, compares_value(test.op));
  if (test.op == model::Operator::has) tested.lists.insert(test.name);
}

template <typename Rules>
void collect_rules(const Rules& rules, TestedNames& tested) {
  for (const auto& rule : rules) {
    if (rule.when) collect(*rule.when, tested);
  }
}

/// What every request to its endpoints is asked for, whatever service's route sends it there.
void collect_access(const model::Service& service, TestedNames& tested) {
  if (service.access) collect_rules(service.access->rules, tested);
  if (service.access) collect_rules(service.access->audits, tested);
  if (service.audit) collect_rules(service.audit->rules, tested);
  if (service.maglev_by) add(tested, service.maglev_by->attribute, service.maglev_by->name, true);
}

}  // namespace

TestedNames tested_names(const model::Policy& policy, model::ServiceId id) {
  const model::Service& service = policy.services[id];
  TestedNames tested;
  collect_access(service, tested);
  for (const model::ServiceId other : model::other_targets(policy, id)) collect_access(policy.services[other], tested);
  collect_rules(service.limits, tested);
  for (const model::Limit& limit : service.limits) {
    for (const model::RequestKey& key : limit.key) add(tested, key.attribute, key.name, true);
  }
  if (!service.route) return tested;
  collect_rules(service.route->rules, tested);
  for (const model::RouteRule& rule : service.route->rules) {
    if (rule.target.by) add(tested, rule.target.by->attribute, rule.target.by->name, true);
  }
  return tested;
}

}  // namespace heddle::eval
