#include "compiler/cli/explain_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "compiler/cli/places.h"
#include "compiler/eval/draw.h"
#include "compiler/eval/evaluator.h"
#include "compiler/eval/test_run.h"
#include "compiler/plan/placement.h"

namespace heddle::cli {

namespace {

using eval::Outcome;
using eval::Stage;
using eval::Step;

const char* stage_name(Stage stage) {
  static constexpr std::array<const char*, 7> names = {"destination", "form",  "caller", "access",
                                                       "limit",       "route", "target"};
  return names.at(static_cast<std::size_t>(stage));
}

class DecisionText {
 public:
  DecisionText(const model::Policy& policy, const source::SourceManager& sources,
               const eval::Request& request, const eval::Place& agent)
      : policy_(policy), sources_(sources), request_(request), evaluator_(policy, {{}, agent}) {}

  Explained render(std::optional<std::uint64_t> draw) {
    text_ = "caller " + request_.spiffe.value_or("unauthenticated");
    text_ += (request_.user ? ", for a user of `" + request_.user->issuer + "`" : "") + "\n";
    request_.draw = draw.value_or(0);
    const std::set<model::FilterId> unknown = evaluator_.decide(request_).unknown;
    if (unknown.empty()) {
      explain_draws(draw);
      return {text_, false};
    }
    if (unknown.size() <= most_shown) explain_answers(draw, unknown);
    text_ += "  => unknown: it depends on " + eval::filters_text(policy_, unknown) + "\n";
    return {text_, true};
  }

 private:
  static constexpr std::size_t most_shown = 4;  // filters: of more than so many there are too many combinations to read

  /// What happens with each combination of answers.
  void explain_answers(std::optional<std::uint64_t> draw, const std::set<model::FilterId>& filters) {
    for (std::uint32_t bits = 0; bits < std::uint32_t{1} << filters.size(); ++bits) {
      std::string condition;
      std::uint32_t bit = 0;
      for (const model::FilterId filter : filters) {
        answers_[filter] = (bits >> bit++ & 1) != 0;
        condition += (condition.empty() ? "if extern `" : " and extern `") + policy_.filters[filter].name +
                     (answers_[filter] ? "` holds" : "` does not hold");
      }
      text_ += condition + "\n";
      common_said_ = false;
      said_.clear();
      explain_draws(draw);
    }
  }

  void explain_draws(std::optional<std::uint64_t> draw) {
    std::vector<std::uint64_t> draws = {draw.value_or(0)};
    request_.draw = draws.front();
    std::vector<Step> trace;
    const auto* rule = eval::find_route_rule(policy_, evaluator_.explain(request_, trace, answers_).route_rule);
    if (!draw && rule != nullptr) draws = eval::draws_of_all_parts(*rule);
    for (const eval::FaultDraw& fault : !draw && rule != nullptr ? eval::fault_draws(*rule) : std::vector<eval::FaultDraw>{{}}) {
      request_.delayed = fault.delayed;
      request_.aborted = fault.aborted;
      for (const std::uint64_t one : draws) explain(one);
    }
    request_.delayed = request_.aborted = std::nullopt;
  }

  /// What was said for an earlier draw is not said again.
  void explain(std::uint64_t draw) {
    request_.draw = draw;
    std::vector<Step> trace;
    const Outcome outcome = evaluator_.explain(request_, trace, answers_);
    for (const Step& step : trace) {
      if (step.stage != Stage::target && !common_said_) add_step(step);
    }
    common_said_ = true;
    const std::size_t begin = text_.size();
    for (const Step& step : trace) {
      if (step.stage == Stage::target) add_step(step);
    }
    add_outcome(outcome);
    if (!said_.insert(text_.substr(begin)).second) text_.resize(begin);
  }

  void add_step(const Step& step) {
    const bool passed_over = !step.hit;
    text_ += fmt::format("  {:<12}{} ", stage_name(step.stage), passed_over ? '-' : '*');
    if (!step.rule.empty()) text_ += "`" + step.rule + "` ";
    text_ += step.text;
    if (passed_over && step.cause) {
      text_ += std::string(step.cause_holds ? "; true: " : "; false: ") + words_of(sources_, *step.cause);
    }
    if (step.place) text_ += "  (" + place_text(sources_, *step.place) + ")";
    text_ += "\n";
  }

  void add_outcome(const Outcome& outcome) {
    text_ += "  => " + eval::outcome_text(policy_, outcome) + " by `" + outcome.rule + "`";
    const bool routed = !outcome.access_rule.empty() && outcome.access_rule != outcome.rule;
    if (routed) text_ += ", allowed by `" + outcome.access_rule + "`";
    if (outcome.asked_source) text_ += " (as for no client's address: say which with `at`)";
    if (!outcome.assumed.empty())
      text_ += " (whether " + eval::filters_text(policy_, outcome.assumed) + (outcome.assumed.size() == 1 ? " holds" : " hold") +
               " changes nothing)";
    text_ += "\n";
  }

  const model::Policy& policy_;
  const source::SourceManager& sources_;
  eval::Request request_;
  eval::Evaluator evaluator_;
  std::string text_;
  eval::FilterAnswers answers_;
  bool common_said_ = false;
  std::set<std::string> said_;  // of the targets
};

struct Placed {
  std::string rule;
  std::string place;
  plan::Placement placement;
};

std::vector<Placed> rules_of(const model::Service& service, const plan::Placement& own,
                             const source::SourceManager& sources) {
  std::vector<Placed> rules;
  if (service.access) {
    for (const auto& rule : service.access->rules) rules.push_back({rule.id, place_text(sources, rule.span), own});
  }
  if (service.access) {
    for (const auto& rule : service.access->audits) rules.push_back({rule.id, place_text(sources, rule.span), own});
  }
  if (service.audit) {
    for (const auto& rule : service.audit->rules) rules.push_back({rule.id, place_text(sources, rule.span), own});
    rules.push_back({model::rule_id("access", service.name + " audit", "default"), "", own});
  }
  const bool only_audited = model::is_on_trial(service);
  rules.push_back({model::rule_id("access", service.name, only_audited ? "audit" : "default"), "", own});
  for (const auto& limit : service.limits) rules.push_back({limit.id, place_text(sources, limit.span), own});
  if (!service.route) {
    rules.push_back({model::rule_id("route", service.name, "otherwise"), "", own});
    return rules;
  }
  for (const auto& rule : service.route->rules)
    rules.push_back({rule.id, place_text(sources, rule.span), plan::placement(rule, own)});
  return rules;
}

std::string placed_text(const Placed& placed, const plan::Placement& own) {
  std::string text = fmt::format("  {:<8}  {}", plan::tier_name(placed.placement.tier), placed.rule);
  if (!placed.place.empty()) text += "  (" + placed.place + ")";
  if (placed.placement.tier != own.tier) text += ": " + placed.placement.why;
  return text + "\n";
}

std::string service_text(const model::Service& service, const plan::Placement& own) {
  const std::string name = "service `" + service.name + "` (";
  const bool plain = service.transport == model::Transport::plaintext;
  const std::string end = plain ? "\n" : ": only a tunnel leads to its endpoints, and this version refuses connections in its place\n";
  if (service.protocol == model::Protocol::tls)
    return name + "tls): decided per connection by the socket handler, when its ClientHello is there" + end;
  if (own.tier == plan::Tier::connect) return name + "tcp): decided when a socket connects" + end;
  if (own.tier == plan::Tier::kernel)
    return name + "http): decided per request in the kernel, at the client's own socket\n";
  return name + "http): decided per request by the socket handler: " + own.why + "\n";
}

}  // namespace

Explained render_decision(const model::Policy& policy, const source::SourceManager& sources,
                            const eval::Request& request, std::optional<std::uint64_t> draw,
                            const eval::Place& agent) {
  return DecisionText(policy, sources, request, agent).render(draw);
}

std::string render_placement(const model::Policy& policy, const source::SourceManager& sources) {
  std::string text;
  for (const model::Service& service : policy.services) {
    const plan::Placement own = plan::placement(service, policy);
    text += service_text(service, own);
    for (const Placed& rule : rules_of(service, own, sources)) text += placed_text(rule, own);
  }
  return text;
}

}  // namespace heddle::cli
