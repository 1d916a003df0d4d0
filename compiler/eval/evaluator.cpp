#include "compiler/eval/evaluator.h"

#include <utility>

#include "compiler/eval/decision.h"

namespace heddle::eval {

Evaluator::Evaluator(const model::Policy& policy, World world) : policy_(policy), world_(std::move(world)) {
  for (model::ServiceId service = 0; service < policy.services.size(); ++service)
    tested_.push_back(tested_names(policy, service));
}

Outcome Evaluator::decide(const Request& request, Accounts* accounts) const {
  Accounts fresh;
  return Decision(policy_, world_, tested_, request, accounts != nullptr ? *accounts : fresh, slots_, nullptr).run();
}

Outcome Evaluator::explain(const Request& request, std::vector<Step>& trace) const {
  Accounts fresh;
  return Decision(policy_, world_, tested_, request, fresh, slots_, &trace).run();
}

}  // namespace heddle::eval
