#include "compiler/cli/tiers.h"

#include "compiler/eval/test_run.h"
#include "compiler/plan/placement.h"

namespace heddle::cli {

std::optional<std::string> tier_of(const model::Policy& policy, const eval::Outcome& outcome) {
  if (!policy.not_built.empty()) return std::nullopt;
  if (!outcome.service) return plan::tier_name(plan::Tier::connect);
  const model::Service& service = policy.services[*outcome.service];
  plan::Placement placed = plan::placement(service, policy);
  // What is malformed, or in no normal form, is the handler's to refuse.
  if (outcome.verdict == eval::Verdict::refuse) return plan::tier_name(plan::Tier::handler);
  if (const auto* rule = eval::find_route_rule(policy, outcome.route_rule)) placed = plan::placement(*rule, placed);
  return plan::tier_name(placed.tier);
}

}  // namespace heddle::cli
