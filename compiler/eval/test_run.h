#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compiler/eval/engine.h"
#include "compiler/model/policy.h"

namespace heddle::eval {

/// An expectation of a test that did not hold.
struct TestFailure {
  std::string engine;
  source::Span send;                   // the request as the block writes it
  std::optional<source::Span> expect;  // none: the request could not be sent
  std::string expected;
  std::string happened;
  std::string rule;                   // that ended the decision; empty: there was none
  std::optional<source::Span> place;  // of that rule; none for the built-in ones
  std::string caller;                 // who sent it
  std::optional<std::uint64_t> draw;  // where the outcome depends on it
};

struct TestResult {
  const model::TestBlock* block = nullptr;
  std::vector<TestFailure> failures;
  std::vector<TestFailure> unknown;  // what happens depends on filters: neither passed nor failed
  std::optional<EngineFailure> trouble;  // the engine could not decide: neither passed nor failed
};

/// Sends every request of the block, by every caller it stands for, with a draw for every part that a split
/// can take.
TestResult run_test(const model::Policy& policy, const model::TestBlock& block, Engine& engine);

/// What happened, as a sentence would say it: `denied with 403`, `forwarded to v2`.
std::string outcome_text(const model::Policy& policy, const Outcome& outcome);

/// Where a rule stands; none for the built-in ones.
std::optional<source::Span> find_rule(const model::Policy& policy, const std::string& id);

/// The rule of a route by its id, or null.
const model::RouteRule* find_route_rule(const model::Policy& policy, const std::string& id);

}  // namespace heddle::eval
