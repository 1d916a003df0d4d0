#include "compiler/eval/evaluator.h"

#include <utility>

#include "compiler/eval/decision.h"

namespace heddle::eval {

Evaluator::Evaluator(const model::Policy& policy, World world) : policy_(policy), world_(std::move(world)) {
  for (const model::Service& service : policy.services) tested_.push_back(tested_names(service));
}

Outcome Evaluator::decide(const Request& request) const {
  return Decision(policy_, world_, tested_, request, nullptr).run();
}

Outcome Evaluator::explain(const Request& request, std::vector<Step>& trace) const {
  return Decision(policy_, world_, tested_, request, &trace).run();
}

}  // namespace heddle::eval
