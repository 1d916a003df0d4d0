#include "compiler/eval/evaluator.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "compiler/eval/decision.h"

namespace heddle::eval {
namespace {

/// Filters that one decision asks, both answers of which are tried. Of more it is unknown what happens.
constexpr std::size_t most_tried = 10;

}  // namespace

Evaluator::Evaluator(const model::Policy& policy, World world) : policy_(policy), world_(std::move(world)) {
  for (model::ServiceId service = 0; service < policy.services.size(); ++service)
    tested_.push_back(tested_names(policy, service));
}

Outcome Evaluator::decide(const Request& request, Accounts* accounts) const {
  Accounts fresh;
  Accounts& own = accounts != nullptr ? *accounts : fresh;
  if (policy_.filters.empty()) return Decision(policy_, world_, tested_, request, own, slots_, nullptr).run();
  Possible possible = explore(request, own, {});
  own = std::move(possible.accounts.front());
  if (possible.accounts.size() > 1) own.become_unsure(possible.filters);
  Outcome outcome = std::move(possible.outcomes.front());
  outcome.unknown = std::move(possible.unsure);
  if (possible.outcomes.size() > 1) outcome.unknown.insert(possible.filters.begin(), possible.filters.end());
  return outcome;
}

/// Both answers of the first filter that is asked are tried, and with each of them those of the next. What happens is known if
/// it is always the same.
Evaluator::Possible Evaluator::explore(const Request& request, const Accounts& before, const FilterAnswers& filters) const {
  Possible possible;
  Accounts accounts = before;
  Decision decision(policy_, world_, tested_, request, accounts, slots_, nullptr, filters);
  Outcome outcome = decision.run();
  const std::set<model::FilterId> asked = decision.asked_filters();
  const bool too_many = filters.size() >= most_tried;
  if (asked.empty() || too_many) {
    if (too_many) outcome.unknown.insert(asked.begin(), asked.end());
    possible.unsure = outcome.unknown;
    possible.outcomes.push_back(std::move(outcome));
    possible.accounts.push_back(std::move(accounts));
    return possible;
  }
  const model::FilterId first = *asked.begin();
  FilterAnswers answers = filters;
  answers[first] = false;
  possible = explore(request, before, answers);
  answers[first] = true;
  const Possible other = explore(request, before, answers);
  bool matters = false;
  const auto add = [&matters](auto& to, const auto& items, const auto& same) {
    const std::size_t known = to.size();
    matters = matters || known != items.size();
    for (const auto& item : items) {
      const auto is_it = [&](const auto& each) { return same(each, item); };
      if (std::none_of(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(known), is_it)) {
        to.push_back(item);
        matters = true;
      }
    }
  };
  add(possible.outcomes, other.outcomes, is_same);
  add(possible.accounts, other.accounts, std::equal_to<>());
  possible.filters.insert(other.filters.begin(), other.filters.end());
  possible.unsure.insert(other.unsure.begin(), other.unsure.end());
  if (matters) possible.filters.insert(first);
  return possible;
}

Outcome Evaluator::explain(const Request& request, std::vector<Step>& trace, const FilterAnswers& filters) const {
  Accounts fresh;
  Decision decision(policy_, world_, tested_, request, fresh, slots_, &trace, filters);
  Outcome outcome = decision.run();
  outcome.assumed = decision.asked_filters();
  return outcome;
}

}  // namespace heddle::eval
