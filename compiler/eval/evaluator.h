#pragma once

#include <vector>

#include "compiler/eval/accounts.h"
#include "compiler/eval/maglev.h"
#include "compiler/eval/match.h"
#include "compiler/eval/outcome.h"
#include "compiler/eval/request.h"
#include "compiler/eval/tested.h"
#include "compiler/eval/world.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// The reference: what a policy means, executed on the checked model from the raw bytes of a request.
/// Everything else that decides (the programs in the kernel) is held against this, and shares nothing with
/// it.
class Evaluator {
 public:
  /// The policy outlives the evaluator. In the world are the endpoints that are not as they are at first:
  /// healthy and without requests.
  explicit Evaluator(const model::Policy& policy, World world = {});

  /// With accounts the request is charged to the limits that apply; without, all limits are fresh.
  [[nodiscard]] Outcome decide(const Request& request, Accounts* accounts = nullptr) const;

  /// The same, and every step on the way to it.
  [[nodiscard]] Outcome explain(const Request& request, std::vector<Step>& trace, const FilterAnswers& filters = {}) const;

 private:
  /// What may happen, once each; `filters` are those on which it depends.
  struct Possible {
    std::vector<Outcome> outcomes;
    std::vector<Accounts> accounts;
    std::set<model::FilterId> filters;
    std::set<model::FilterId> unsure;  // what was charged before depends on these
  };
  [[nodiscard]] Possible explore(const Request& request, const Accounts& before, const FilterAnswers& filters) const;

  const model::Policy& policy_;
  World world_;
  std::vector<TestedNames> tested_;  // by service
  mutable MaglevSlots slots_;        // found when they are asked for
};

}  // namespace heddle::eval
