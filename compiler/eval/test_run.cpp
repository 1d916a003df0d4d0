#include "compiler/eval/test_run.h"

#include <algorithm>
#include <map>

#include "compiler/eval/draw.h"
#include "compiler/eval/expectation.h"
#include "compiler/eval/phrases.h"
#include "compiler/eval/send.h"

namespace heddle::eval {
namespace {

/// One `send … expect …` of a block, on one engine.
class CaseRun {
 public:
  CaseRun(const model::Policy& policy, const model::TestCase& test, Engine& engine, TestResult& result)
      : policy_(policy), test_(test), engine_(engine), result_(result) {}

  void run() {
    const Sent sent = make_requests(policy_, test_.send);
    if (sent.requests.empty()) fail_unsent(sent.problem);
    for (const Request& request : sent.requests) run_request(request);
  }

 private:
  /// Which rule a request meets does not depend on the draw, so the reference knows which draws there are to
  /// try.
  void run_request(Request request) {
    const Outcome known = decide_by_reference(request);
    if (!known.unknown.empty()) return note_unknown(known);
    if (known.asked_source)
      return fail_unsent("what happens depends on the client's address: add `at 10.0.0.1`, or whatever it is");
    const model::RouteRule* rule = find_route_rule(policy_, known.route_rule);
    if (rule == nullptr || (rule->target.kind != model::Target::Kind::split && !rule->fault)) {
      if (const auto outcome = decide(request)) compare(request, *outcome, std::nullopt);
      return;
    }
    for (const FaultDraw& fault : fault_draws(*rule)) {
      request.delayed = fault.delayed;
      request.aborted = fault.aborted;
      for (const std::uint64_t draw : draws_of_all_parts(*rule)) {
        request.draw = draw;
        if (const auto outcome = decide(request)) compare(request, *outcome, draw);
      }
    }
  }

  /// The last of `N times`.
  Outcome decide_by_reference(const Request& request) const {
    const Evaluator evaluator(policy_);
    Accounts accounts;
    Outcome last = evaluator.decide(request, &accounts);
    if (policy_.filters.empty()) return last;
    for (std::uint32_t time = 1; time < test_.send.times; ++time) last = evaluator.decide(request, &accounts);
    return last;
  }

  void note_unknown(const Outcome& outcome) {
    TestFailure unknown = start_failure();
    unknown.happened = "depends on " + filters_text(policy_, outcome.unknown) + ", which decides by what lies in its maps";
    if (outcome.unknown.size() > 1)
      unknown.happened = "depends on " + filters_text(policy_, outcome.unknown) + ", which decide by what lies in their maps";
    result_.unknown.push_back(std::move(unknown));
  }

  /// `N times`: the expectations are for the last.
  std::optional<Outcome> decide(const Request& request) {
    std::optional<Outcome> last;
    engine_.begin();
    for (std::uint32_t time = 0; time < test_.send.times && !result_.trouble; ++time) {
      Answer answer = engine_.decide(request);
      if (auto* failure = std::get_if<EngineFailure>(&answer)) {
        result_.trouble = std::move(*failure);
        return std::nullopt;
      }
      last = std::get<Outcome>(std::move(answer));
    }
    return last;
  }

  void compare(const Request& request, const Outcome& outcome, std::optional<std::uint64_t> draw) {
    for (const model::Expectation& expectation : test_.expect) {
      if (depends_on_source(expectation, outcome))
        return fail_unsent("header `" + expectation.header + "` depends on the client's address: add `at 10.0.0.1`, or whatever it is");
      if (expectation.kind == model::Expectation::Kind::tier) {
        const auto tier = engine_.tier_of(outcome);
        if (!tier) result_.trouble = {"where a rule is decided is not known: this version cannot run the policy", ""};
        if (!tier || *tier == expectation.text) continue;
      } else if (meets(policy_, expectation, outcome)) {
        continue;
      }
      TestFailure failure = start_failure();
      failure.expect = expectation.span;
      failure.expected = expectation_text(expectation);
      failure.happened = outcome_text(policy_, outcome);
      failure.rule = outcome.rule;
      failure.place = find_rule(policy_, outcome.rule);
      failure.caller = request.spiffe.value_or("unauthenticated");
      failure.draw = draw;
      result_.failures.push_back(std::move(failure));
    }
  }

  static bool depends_on_source(const model::Expectation& expectation, const Outcome& outcome) {
    return expectation.kind == model::Expectation::Kind::header && outcome.forwarded &&
           std::ranges::count(outcome.forwarded->of_source, expectation.header) > 0;
  }

  void fail_unsent(const std::string& problem) {
    TestFailure failure = start_failure();
    failure.expected = "a request that can be sent";
    failure.happened = problem;
    result_.failures.push_back(std::move(failure));
  }

  TestFailure start_failure() {
    TestFailure failure;
    failure.engine = std::string(engine_.name());
    failure.send = test_.send.span;
    return failure;
  }

  const model::Policy& policy_;
  const model::TestCase& test_;
  Engine& engine_;
  TestResult& result_;
};

/// What differs from the answers that most rules give.
std::string headers_text(const Outcome& outcome) {
  std::string text;
  for (const auto& [name, value] : outcome.headers) {
    if (value != model::plain_text) text += ", " + name + " " + value;
  }
  return text;
}

}  // namespace

TestResult run_test(const model::Policy& policy, const model::TestBlock& block, Engine& engine) {
  TestResult result;
  result.block = &block;
  for (const model::TestCase& test : block.cases) CaseRun(policy, test, engine, result).run();
  return result;
}

std::string outcome_text(const model::Policy& policy, const Outcome& outcome) {
  const std::string with = outcome.status == 0 ? "" : " with " + std::to_string(outcome.status);
  switch (outcome.verdict) {
    case Verdict::forward:
      return "forwarded to " +
             (outcome.pool ? pool_name(policy, *outcome.pool, *outcome.service) : outcome.endpoints.front().text()) +
             (outcome.timeout_ms == 0 ? "" : ", timeout " + time_text(outcome.timeout_ms));
    case Verdict::respond:
      return "answered" + with + headers_text(outcome);
    case Verdict::deny:
      return "denied" + with;
    case Verdict::refuse:
      return "refused" + with;
    case Verdict::unhealthy:
      return "no healthy endpoint" + (with.empty() ? "" : ", answered" + with);
    case Verdict::limited:
      return "limited" + (with.empty() ? "" : ", answered" + with);
    case Verdict::full:
      return "every endpoint full" + (with.empty() ? "" : ", answered" + with);
    case Verdict::outside:
      return "left alone, outside the mesh";
  }
  return "";
}

const model::RouteRule* find_route_rule(const model::Policy& policy, const std::string& id) {
  for (const model::Service& service : policy.services) {
    if (!service.route) continue;
    for (const model::RouteRule& rule : service.route->rules) {
      if (rule.id == id) return &rule;
    }
  }
  return nullptr;
}

std::optional<source::Span> find_rule(const model::Policy& policy, const std::string& id) {
  if (const auto* rule = find_route_rule(policy, id)) return rule->span;
  for (const model::Service& service : policy.services) {
    if (!service.access) continue;
    for (const model::AccessRule& rule : service.access->rules) {
      if (rule.id == id) return rule.span;
    }
  }
  return std::nullopt;
}

}  // namespace heddle::eval
