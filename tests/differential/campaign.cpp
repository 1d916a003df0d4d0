#include "tests/differential/campaign.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "compiler/eval/balance.h"
#include "compiler/eval/evaluator.h"
#include "tests/differential/agreement.h"
#include "tests/differential/compiled.h"
#include "tests/differential/shrink.h"

namespace heddle::differential {
namespace {

constexpr std::size_t shown_differences = 5;

std::vector<Case> make_cases(const model::Policy& policy, const Table& so_far, std::size_t count, Random& random) {
  CaseMaker maker(policy, so_far, random);
  std::vector<Case> cases;
  for (std::size_t number = 0; number < count; ++number) cases.push_back(maker.make());
  for (Case& made : tcp_cases(policy, random)) cases.push_back(std::move(made));
  return cases;
}

void note_case(const model::Policy& policy, const Case& made, const eval::Outcome& outcome, Tally& tally) {
  ++tally.decided;
  tally.audited += outcome.audited.size();
  if (made.aim == nullptr) ++tally.tcp;
  if (is_written_rule(outcome.rule)) ++tally.hit_a_rule;
  if (outcome.verdict == eval::Verdict::refuse) ++tally.refused;
  if (!made.damaged && made.aim != nullptr && keeps_aim(policy, made))
    tally.table.count(operator_name(made.aim->test), made.shape);
}

/// Where some of a pool are near: whether they are the ones.
void note_preference(const model::Policy& policy, const Case& made, const eval::Outcome& outcome, Tally& tally) {
  const model::Service& service = policy.services[outcome.pool->service];
  const auto all = eval::endpoints_of(policy, *outcome.pool);
  const auto near = [&](const model::Endpoint* one) {
    return made.world && eval::is_near(service, *one, made.world->agent);
  };
  if (std::ranges::none_of(all, near) || std::ranges::all_of(all, near)) return;
  const auto chosen = std::ranges::find(all, outcome.endpoints.front(), &model::Endpoint::address);
  ++tally.choices[near(*chosen) ? "near" : "spilled over"];
}

/// What the choice of an endpoint depended on.
void note_choice(const model::Policy& policy, const Case& made, const eval::Outcome& outcome, Tally& tally) {
  if (outcome.timeout_ms != 0) ++tally.choices["timeout"];
  if (!outcome.pool) {
    if (outcome.verdict == eval::Verdict::full) ++tally.choices["full, dialled itself"];
    return;
  }
  if (outcome.verdict != eval::Verdict::forward) {
    ++tally.choices[eval::verdict_name(outcome.verdict)];
    return;
  }
  const std::size_t all = eval::endpoints_of(policy, *outcome.pool).size();
  if (all < 2) return;
  note_preference(policy, made, outcome, tally);
  const std::string name = model::balance_name(policy.services[outcome.pool->service].balance);
  ++tally.choices[name + (outcome.endpoints.size() < all ? ", some" : ", all")];
}

plan::CodeBounds random_bounds(Random& random) {
  plan::CodeBounds bounds;
  bounds.rules = random.pick(std::vector<std::size_t>{0, 0, 3, 5, bounds.rules, bounds.rules, bounds.rules});
  return bounds;
}

/// Who only asks whether there is a difference wants no small one.
void note_difference(const std::string& text, const Case& made, const plan::CodeBounds& bounds, Tally& tally) {
  static const bool first_only = std::getenv("HEDDLE_FIRST_DIFFERENCE") != nullptr;
  tally.difference_count += first_only ? shown_differences * shown_differences : 1;
  if (first_only) return;
  if (tally.differences.size() < shown_differences)
    tally.differences.push_back(smallest_difference(text, made, bounds));
}

/// Rules that decide nothing are only counted.
void compare_audits(const std::string& text, const std::map<std::string, std::uint64_t>& audited,
                    const CompiledPolicy& compiled, Tally& tally) {
  const auto counted = compiled.counted();
  for (const auto& [rule, times] : audited) {
    const std::uint64_t found = counted && counted->contains(rule) ? counted->at(rule) : 0;
    if (found == times) continue;
    ++tally.difference_count;
    tally.differences.push_back("---- policy\n" + text + "---- " + rule + " is audited " + std::to_string(times) +
                                " times, and counted " + std::to_string(found) + " times\n");
  }
}

}  // namespace

void Tally::add(const Tally& other) {
  table.add(other.table);
  requests += other.requests;
  decided += other.decided;
  hit_a_rule += other.hit_a_rule;
  refused += other.refused;
  tcp += other.tcp;
  audited += other.audited;
  for (const auto& [name, count] : other.choices) choices[name] += count;
  difference_count += other.difference_count;
  differences.insert(differences.end(), other.differences.begin(), other.differences.end());
}

bool is_written_rule(const std::string& id) {
  return !id.starts_with("mesh/") && !id.ends_with("/default") && !id.ends_with("/otherwise");
}

void compare(const std::string& text, const Parsed& parsed, std::size_t requests, Random& random,
             Tally& tally, bool worlds, std::optional<plan::CodeBounds> bounds) {
  const model::Policy& policy = *parsed.policy;
  std::vector<Case> cases = make_cases(policy, tally.table, requests, random);
  eval::Place agent;
  if (worlds) agent = {random.pick(std::vector<std::string>{"", "a", "b", "c"}), random.chance(20) ? "" : "1"};
  for (Case& made : cases) {
    if (worlds) made.world = random_world(policy, random);
    if (worlds) made.world->agent = agent;
  }
  tally.requests += cases.size();
  if (!bounds) bounds = random_bounds(random);
  auto compiled = CompiledPolicy::make(policy, parsed.sources, *bounds, agent);
  const auto answers = compiled ? compiled->decide(cases) : compiled.error();
  if (!answers) {
    ++tally.difference_count;
    tally.differences.push_back("---- policy\n" + text +
                                "---- cannot be compiled and asked: " + answers.error().what);
    return;
  }
  const eval::Evaluator idle(policy);
  std::map<std::string, std::uint64_t> audited;
  for (std::size_t at = 0; at < cases.size(); ++at) {
    const auto& answer = (*answers)[at];
    if (!answer) continue;
    const eval::Outcome outcome = worlds ? eval::Evaluator(policy, *cases[at].world).decide(cases[at].request)
                                         : idle.decide(cases[at].request);
    for (const std::string& rule : outcome.audited) ++audited[rule];
    note_choice(policy, cases[at], outcome, tally);
    note_case(policy, cases[at], outcome, tally);
    if (!difference(policy, outcome, *answer).empty()) note_difference(text, cases[at], *bounds, tally);
  }
  compare_audits(text, audited, *compiled, tally);
}

void rehearse(const Parsed& parsed, std::size_t requests, Random& random, Tally& tally) {
  const eval::Evaluator evaluator(*parsed.policy);
  for (const Case& made : make_cases(*parsed.policy, tally.table, requests, random)) {
    ++tally.requests;
    note_case(*parsed.policy, made, evaluator.decide(made.request), tally);
  }
}

}  // namespace heddle::differential
