#include "tests/differential/campaign.h"

#include "compiler/diagnostics/render.h"
#include "compiler/eval/evaluator.h"
#include "compiler/sema/check.h"
#include "tests/differential/agreement.h"
#include "tests/differential/compiled.h"

namespace heddle::differential {
namespace {

constexpr std::size_t shown_differences = 5;

std::vector<Case> make_cases(const model::Policy& policy, std::size_t count, Random& random) {
  CaseMaker maker(policy, random);
  std::vector<Case> cases;
  for (std::size_t number = 0; number < count; ++number) cases.push_back(maker.make());
  for (Case& made : tcp_cases(policy, random)) cases.push_back(std::move(made));
  return cases;
}

void note_case(const model::Policy& policy, const Case& made, const eval::Outcome& outcome, Tally& tally) {
  ++tally.decided;
  if (made.aim == nullptr) ++tally.tcp;
  if (is_written_rule(outcome.rule)) ++tally.hit_a_rule;
  if (outcome.verdict == eval::Verdict::refuse) ++tally.refused;
  if (!made.damaged && made.aim != nullptr && keeps_aim(policy, made))
    tally.table.count(operator_name(made.aim->test), made.shape);
}

/// A smaller request on which the two still differ: lines are left out as long as that goes.
class Shrinker {
 public:
  Shrinker(const model::Policy& policy, const eval::Evaluator& evaluator, CompiledPolicy& compiled)
      : policy_(policy), evaluator_(evaluator), compiled_(compiled) {}

  Case shrink(Case made) {
    for (bool smaller = true; smaller;) {
      smaller = false;
      for (std::size_t line = made.request.head.find('\n'); line + 1 < made.request.head.size();) {
        const std::size_t end = made.request.head.find('\n', line + 1);
        if (end == std::string::npos) break;
        Case shorter = made;
        shorter.request.head.erase(line + 1, end - line);
        if (differs(shorter).empty()) {
          line = end;
        } else {
          made = std::move(shorter);
          smaller = true;
        }
      }
    }
    return made;
  }

  std::string differs(const Case& made) {
    const auto answers = compiled_.decide({made});
    if (!answers || !answers->front()) return "";
    return difference(policy_, evaluator_.decide(made.request), *answers->front());
  }

 private:
  const model::Policy& policy_;
  const eval::Evaluator& evaluator_;
  CompiledPolicy& compiled_;
};

std::string report(const std::string& text, const Case& made, const std::string& what) {
  return "---- policy\n" + text + "---- request from " + made.request.spiffe.value_or("nobody") + " to " +
         made.request.destination.text() + ", draw " + std::to_string(made.request.draw) + "\n" +
         printable_head(made.request.head) + "\n---- differs\n" + what;
}

void note_difference(const std::string& text, const Case& made, Shrinker& shrinker, std::string what,
                     Tally& tally) {
  ++tally.difference_count;
  if (tally.differences.size() >= shown_differences) return;
  const Case shorter = shrinker.shrink(made);
  const std::string again = shrinker.differs(shorter);
  tally.differences.push_back(report(text, again.empty() ? made : shorter, again.empty() ? what : again));
}

}  // namespace

Parsed parse(const std::string& text) {
  Parsed parsed;
  parsed.sources.add("generated.mesh", text);
  diagnostics::Sink sink;
  parsed.policy = sema::check(parsed.sources, sink);
  if (!parsed.policy) parsed.complaint = diagnostics::render_pretty(sink, parsed.sources, false);
  return parsed;
}

void Tally::add(const Tally& other) {
  table.add(other.table);
  requests += other.requests;
  decided += other.decided;
  hit_a_rule += other.hit_a_rule;
  refused += other.refused;
  tcp += other.tcp;
  difference_count += other.difference_count;
  differences.insert(differences.end(), other.differences.begin(), other.differences.end());
}

bool is_written_rule(const std::string& id) {
  return !id.starts_with("mesh/") && !id.ends_with("/default") && !id.ends_with("/otherwise");
}

void compare(const std::string& text, const Parsed& parsed, std::size_t requests, Random& random,
             Tally& tally) {
  const model::Policy& policy = *parsed.policy;
  const std::vector<Case> cases = make_cases(policy, requests, random);
  tally.requests += cases.size();
  auto compiled = CompiledPolicy::make(policy, parsed.sources);
  const auto answers = compiled ? compiled->decide(cases) : compiled.error();
  if (!answers) {
    ++tally.difference_count;
    tally.differences.push_back("---- policy\n" + text +
                                "---- cannot be compiled and asked: " + answers.error().what);
    return;
  }
  const eval::Evaluator evaluator(policy);
  Shrinker shrinker(policy, evaluator, *compiled);
  for (std::size_t at = 0; at < cases.size(); ++at) {
    const auto& answer = (*answers)[at];
    if (!answer) continue;
    const eval::Outcome outcome = evaluator.decide(cases[at].request);
    note_case(policy, cases[at], outcome, tally);
    const std::string what = difference(policy, outcome, *answer);
    if (!what.empty()) note_difference(text, cases[at], shrinker, what, tally);
  }
}

void rehearse(const Parsed& parsed, std::size_t requests, Random& random, Tally& tally) {
  const eval::Evaluator evaluator(*parsed.policy);
  for (const Case& made : make_cases(*parsed.policy, requests, random)) {
    ++tally.requests;
    note_case(*parsed.policy, made, evaluator.decide(made.request), tally);
  }
}

}  // namespace heddle::differential
