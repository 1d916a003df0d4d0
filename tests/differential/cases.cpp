#include "tests/differential/cases.h"

#include <algorithm>
#include <cstdio>

#include "compiler/eval/framing.h"
#include "compiler/eval/match.h"
#include "tests/differential/draft.h"
#include "tests/differential/wire.h"

namespace heddle::differential {
namespace {

using model::Condition;

const model::AccessRule* pick_allow(const model::Service& service, Random& random) {
  std::vector<const model::AccessRule*> allows;
  if (!service.access) return nullptr;
  for (const auto& rule : service.access->rules) {
    if (rule.effect == model::Effect::allow) allows.push_back(&rule);
  }
  return allows.empty() ? nullptr : random.pick(allows);
}

Shape pick_shape(bool negated, Random& random) {
  if (negated) return Shape::negated;
  const std::size_t roll = random.below(100);
  if (roll < 55) return Shape::hit;
  return roll < 70 ? Shape::miss : roll < 85 ? Shape::truncated : Shape::over_long;
}

/// False if the test has no value of that shape.
bool apply(Aimer& aimer, const model::Test& test, Shape shape, Draft& draft, Random& random) {
  if (shape == Shape::truncated) return aimer.truncate(test, draft);
  if (shape == Shape::over_long) return aimer.extend(test, draft);
  aimer.satisfy(test, draft, shape == Shape::hit || (shape == Shape::negated && random.chance(40)));
  return true;
}

void set_caller(const model::Policy& policy, std::optional<model::WorkloadId> caller, Case& made) {
  made.caller = caller;
  if (!caller) return;
  const auto& pattern = policy.identities[policy.workloads[*caller].identity].patterns.front();
  made.request.spiffe = "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

model::SocketAddress pick_destination(const model::Service& service, Random& random) {
  if (!service.endpoints.empty() && random.chance(6)) return random.pick(service.endpoints).address;
  return random.pick(service.addresses);
}

}  // namespace

std::string operator_name(const model::Test& test) {
  static constexpr std::array<const char*, 5> attributes = {"path", "host", "method", "header", "from"};
  static constexpr std::array<const char*, 5> operators = {"is", "under", "starts", "present", "absent"};
  const std::string attribute = attributes.at(static_cast<std::size_t>(test.attribute));
  if (test.attribute == model::Attribute::from) return attribute;
  return attribute + " " + operators.at(static_cast<std::size_t>(test.op));
}

bool keeps_aim(const model::Policy& policy, const Case& made) {
  eval::Refusal refusal;
  auto head = eval::read_head(made.request.head, refusal);
  if (!head || eval::check_framing(*head, eval::tested_headers(*made.service))) return false;
  eval::Facts facts{eval::make_caller(policy, made.request.spiffe), &*head,
                    eval::comparable_path(head->path)};
  const bool holds = eval::match(*made.aim, facts).holds;
  if (made.shape == Shape::hit) return holds;
  const bool may_hold = made.shape == Shape::negated || made.shape == Shape::over_long;
  return may_hold || !holds || made.aim->test.op == model::Operator::absent;
}

CaseMaker::CaseMaker(const model::Policy& policy, Random& random) : policy_(policy), random_(random) {
  for (const model::Service& service : policy.services) {
    if (service.protocol == model::Protocol::tcp) continue;
    if (service.access) {
      for (const auto& rule : service.access->rules) {
        if (rule.when) add_rule(service, *rule.when, &rule.from);
      }
    }
    if (service.route) {
      for (const auto& rule : service.route->rules) {
        if (rule.when) add_rule(service, *rule.when, nullptr);
      }
    }
  }
}

void CaseMaker::add_rule(const model::Service& service, const Condition& when, const model::Callers* from) {
  Rule rule{&service, &when, from, {}};
  collect(when, false, rule.leaves);
  rules_.push_back(std::move(rule));
}

void CaseMaker::collect(const Condition& condition, bool negated, std::vector<Leaf>& leaves) {
  if (condition.kind == Condition::Kind::test) leaves.push_back({&condition, negated});
  const bool flips = condition.kind == Condition::Kind::negation;
  for (const Condition& child : condition.children) collect(child, negated != flips, leaves);
}

Case CaseMaker::make() {
  while (true) {
    const Rule& rule = random_.pick(rules_);
    const Leaf& leaf = random_.pick(rule.leaves);
    Aimer aimer(policy_, random_);
    Draft draft;
    if (random_.chance(70)) draft.caller = random_.below(policy_.workloads.size());
    if (const auto* allow = rule.from == nullptr ? pick_allow(*rule.service, random_) : nullptr) {
      aimer.satisfy(allow->from, draft, true);
      if (allow->when) aimer.satisfy(*allow->when, draft, true);
    }
    if (rule.from != nullptr) aimer.satisfy(*rule.from, draft, true);
    aimer.satisfy(*rule.when, draft, true);
    Case made;
    made.shape = pick_shape(leaf.negated, random_);
    if (!apply(aimer, leaf.condition->test, made.shape, draft, random_)) continue;
    made.aim = leaf.condition;
    made.service = rule.service;
    set_caller(policy_, draft.caller, made);
    made.request.destination = pick_destination(*rule.service, random_);
    made.request.draw = random_.next();
    made.request.head = wire_text(draft, random_);
    made.damaged = random_.chance(8);
    if (made.damaged) made.request.head = damage(made.request.head, random_);
    return made;
  }
}

eval::World random_world(const model::Policy& policy, Random& random) {
  eval::World world;
  for (const model::Service& service : policy.services) {
    const std::size_t sick = random.pick(std::vector<std::size_t>{0, 0, 20, 60, 95});
    const std::size_t most = random.pick(std::vector<std::size_t>{0, 1, 3, 6});
    for (const model::Endpoint& endpoint : service.endpoints) {
      eval::EndpointState& state = world[endpoint.address];
      state.unhealthy = random.chance(sick / 2);
      state.ejected = random.chance(sick / 2);
      state.in_flight = static_cast<std::uint32_t>(random.between(0, most) * endpoint.weight);
    }
  }
  return world;
}

std::vector<Case> tcp_cases(const model::Policy& policy, Random& random) {
  std::vector<Case> cases;
  for (const model::Service& service : policy.services) {
    if (service.protocol != model::Protocol::tcp) continue;
    auto destinations = service.addresses;
    for (const auto& endpoint : service.endpoints) destinations.push_back(endpoint.address);
    for (model::WorkloadId caller = 0; caller <= policy.workloads.size(); ++caller) {
      for (const auto& destination : destinations) {
        Case made;
        set_caller(policy, caller == policy.workloads.size() ? std::nullopt : std::optional(caller), made);
        made.request.destination = destination;
        made.request.draw = random.next();
        cases.push_back(std::move(made));
      }
    }
  }
  return cases;
}

std::string Table::text() const {
  std::array<char, 128> line{};
  std::snprintf(line.data(), line.size(), "%-16s", "operator");
  std::string text = line.data();
  for (const char* name : shape_names) {
    std::snprintf(line.data(), line.size(), " %10s", name);
    text += line.data();
  }
  for (const auto& [name, cells] : cells_) {
    std::snprintf(line.data(), line.size(), "\n%-16s", name.c_str());
    text += line.data();
    for (const std::size_t cell : cells) {
      std::snprintf(line.data(), line.size(), " %10zu", cell);
      text += line.data();
    }
  }
  return text + "\n";
}

std::size_t Table::smallest() const {
  std::size_t smallest = cells_.empty() ? 0 : SIZE_MAX;
  for (const auto& [name, cells] : cells_) smallest = std::min(smallest, *std::ranges::min_element(cells));
  return smallest;
}

void Table::add(const Table& other) {
  for (const auto& [name, cells] : other.cells_) {
    for (std::size_t shape = 0; shape < cells.size(); ++shape) cells_[name][shape] += cells[shape];
  }
}

}  // namespace heddle::differential
