#include "tests/differential/cases.h"

#include <algorithm>
#include <cstdio>

#include "compiler/eval/framing.h"
#include "compiler/eval/match.h"
#include "compiler/eval/server_name.h"
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

/// False if the test has no value of that shape.
bool apply(Aimer& aimer, const model::Test& test, Shape shape, Draft& draft, Random& random) {
  if (shape == Shape::truncated) return aimer.truncate(test, draft);
  if (shape == Shape::over_long) return aimer.extend(test, draft);
  if (shape == Shape::repeated) return aimer.repeat(test, draft);
  if (shape == Shape::absent) return aimer.leave_out(test, draft);
  aimer.satisfy(test, draft, shape == Shape::hit || (shape == Shape::negated && random.chance(40)));
  return true;
}

void set_caller(const model::Policy& policy, std::optional<model::WorkloadId> caller, Case& made) {
  made.caller = caller;
  if (!caller) return;
  const auto& pattern = policy.identities[policy.workloads[*caller].identity].patterns.front();
  made.request.spiffe = "spiffe://" + pattern.trust_domain + "/" + pattern.path;
}

/// The same caller with a certificate, or another peer that is no workload.
void come_from_afar(Case& made, Random& random) {
  static const std::vector<std::string> ids = {
      "spiffe://t.example/ns/a/batch-77", "spiffe://t.example/ns/a/batch-", "spiffe://t.example/ns/a/we2", "spiffe://t.example/ns/b/web",
      "spiffe://t.example/ns/a/batch-1/deep/er", "spiffe://old.example/ns/a/web", "spiffe://old.example/ns/a/batch-9",
      "spiffe://old.example/ns/c/far", "spiffe://far.example/ns/a/web", "spiffe://far.example/ns/x/far", "spiffe://far.example/ns/far",
      "spiffe://t.example/ns/x/far", "spiffe://other.example/ns/a/web"};
  made.caller.reset();
  if (!made.request.spiffe || random.chance(60)) made.request.spiffe = random.pick(ids);
}

bool is_tls(const model::Service& service) {
  return service.protocol == model::Protocol::tls;
}

bool is_tcp(const model::Service& service) {
  return service.protocol == model::Protocol::tcp;
}

/// What no client should ask for, or another name.
std::string damaged_name(std::string name, Random& random) {
  static const std::vector<std::string> pieces = {".", "..", "*", ":443", "-", "_", "x", "\x80", " ", "\0", "[", "1", "0"};
  static const std::vector<std::string> names = {"", ".", "10.0.0.1", "a.10", "1", "[::1]", "::1", "a.example.", ".a.example"};
  if (random.chance(25)) return random.pick(names);
  if (random.chance(15)) return std::string(random.between(60, 66), 'a') + "." + name;
  if (random.chance(15)) {
    while (name.size() < 250) name = "abcdefghi." + name;
    return std::string(random.between(0, 6), 'z') + name;
  }
  return name.insert(random.below(name.size() + 1), random.pick(pieces));
}

model::SocketAddress pick_destination(const model::Service& service, Random& random) {
  if (!service.endpoints.empty() && random.chance(6)) return random.pick(service.endpoints).address;
  return random.pick(service.addresses);
}

}  // namespace

std::string operator_name(const model::Test& test) {
  static constexpr std::array<const char*, 10> attributes = {"path",   "host",    "method", "header", "query",
                                                             "cookie", "address", "port",   "from",   "sni"};
  static constexpr std::array<const char*, 10> operators = {"is",   "under",   "starts", "ends",    "contains",
                                                            "like", "matches", "has",    "present", "absent"};
  const std::string attribute = attributes.at(static_cast<std::size_t>(test.attribute));
  const bool of_connection = test.attribute == model::Attribute::from ||
                             test.attribute == model::Attribute::address || test.attribute == model::Attribute::port;
  if (of_connection) return attribute;
  return attribute + " " + operators.at(static_cast<std::size_t>(test.op)) + (test.ignoring_case ? " i" : "");
}

namespace {

bool holds_as_aimed(const Case& made, const eval::Facts& facts) {
  const bool holds = eval::match(*made.aim, facts).holds;
  if (made.shape == Shape::hit) return holds;
  const bool may_hold =
      made.shape == Shape::negated || made.shape == Shape::over_long || made.shape == Shape::repeated;
  return may_hold || !holds || made.aim->test.op == model::Operator::absent;
}

}  // namespace

bool keeps_aim(const model::Policy& policy, const Case& made) {
  eval::Facts facts{eval::make_caller(policy, eval::own_spiffe(policy, made.request.spiffe)), nullptr, "", made.request.source.ip,
                    made.request.destination.port};
  facts.sni = made.request.sni;
  if (is_tcp(*made.service)) return holds_as_aimed(made, facts);
  if (is_tls(*made.service))
    return !(facts.sni && eval::check_server_name(*facts.sni)) && holds_as_aimed(made, facts);
  eval::Refusal refusal;
  auto head = eval::read_head(made.request.head, made.service->paths, refusal);
  if (!head) return false;
  const auto id = static_cast<model::ServiceId>(made.service - policy.services.data());
  if (eval::check_framing(*head, eval::tested_names(policy, id))) return made.shape == Shape::repeated;
  facts.head = &*head;
  facts.path = eval::comparable_path(head->path);
  return holds_as_aimed(made, facts);
}

CaseMaker::CaseMaker(const model::Policy& policy, const Table& so_far, Random& random)
    : policy_(policy), so_far_(so_far), random_(random) {
  for (const model::Service& service : policy.services) {
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

/// Of three the one whose operator was met least.
CaseMaker::Aim CaseMaker::pick_aim() {
  Aim best;
  std::size_t least = SIZE_MAX;
  for (int candidate = 0; candidate < 3; ++candidate) {
    const Rule& rule = random_.pick(rules_);
    const Leaf& leaf = random_.pick(rule.leaves);
    const std::size_t met = so_far_.smallest_of(operator_name(leaf.condition->test));
    if (met >= least) continue;
    least = met;
    best = {&rule, &leaf};
  }
  return best;
}

/// Half of them hit; the others take the rarer of two shapes.
Shape CaseMaker::pick_shape(const Leaf& leaf) {
  if (leaf.negated) return Shape::negated;
  if (random_.chance(55)) return Shape::hit;
  static const std::vector<Shape> others = {Shape::miss, Shape::truncated, Shape::over_long, Shape::repeated, Shape::absent};
  const std::string name = operator_name(leaf.condition->test);
  const Shape one = random_.pick(others);
  const Shape other = random_.pick(others);
  return is_possible(name, other) && so_far_.count_of(name, other) < so_far_.count_of(name, one) ? other : one;
}

Case CaseMaker::make() {
  while (true) {
    const auto [picked_rule, picked_leaf] = pick_aim();
    const Rule& rule = *picked_rule;
    const Leaf& leaf = *picked_leaf;
    Aimer aimer(policy_, *rule.service, random_);
    Draft draft;
    draft.paths = rule.service->paths;
    if (random_.chance(70)) draft.caller = random_.below(policy_.workloads.size());
    if (const auto* allow = rule.from == nullptr ? pick_allow(*rule.service, random_) : nullptr) {
      aimer.satisfy(allow->from, draft, true);
      if (allow->when) aimer.satisfy(*allow->when, draft, true);
    }
    if (rule.from != nullptr) aimer.satisfy(*rule.from, draft, true);
    aimer.satisfy(*rule.when, draft, true);
    Case made;
    made.shape = pick_shape(leaf);
    if (!apply(aimer, leaf.condition->test, made.shape, draft, random_)) continue;
    made.aim = leaf.condition;
    made.service = rule.service;
    set_caller(policy_, draft.caller, made);
    if (random_.chance(25)) come_from_afar(made, random_);
    made.request.destination = draft.destination ? *draft.destination : pick_destination(*rule.service, random_);
    made.request.tunnelled = random_.chance(5);
    if (made.request.tunnelled && !rule.service->endpoints.empty() && random_.chance(80))
      made.request.destination = random_.pick(rule.service->endpoints).address;
    made.request.draw = random_.next();
    made.request.source = draft.source ? *draft.source : random_source(random_);
    if (is_tcp(*rule.service)) return made;
    made.damaged = random_.chance(8);
    if (is_tls(*rule.service)) {
      made.request.sni = made.damaged ? damaged_name(draft.sni.value_or("a"), random_) : draft.sni;
      return made;
    }
    made.request.head = wire_text(draft, random_);
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
      eval::EndpointState& state = world.endpoints[endpoint.address];
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
    if (!is_tcp(service)) continue;
    auto destinations = service.addresses;
    for (const auto& endpoint : service.endpoints) destinations.push_back(endpoint.address);
    for (model::WorkloadId caller = 0; caller <= policy.workloads.size(); ++caller) {
      for (const auto& destination : destinations) {
        Case made;
        set_caller(policy, caller == policy.workloads.size() ? std::nullopt : std::optional(caller), made);
        if (random.chance(30)) come_from_afar(made, random);
        made.request.tunnelled = random.chance(15);
        made.request.destination = destination;
        made.request.draw = random.next();
        made.request.source = random_source(random);
        cases.push_back(std::move(made));
      }
    }
  }
  return cases;
}

bool is_possible(const std::string& name, Shape shape) {
  const bool of_connection = name == "address" || name == "port";
  const bool always_once = name.starts_with("path") || name.starts_with("method") || of_connection;
  if (shape == Shape::truncated || shape == Shape::over_long) return !of_connection;
  if (shape == Shape::repeated) return !always_once && name != "from" && !name.starts_with("sni");
  return shape != Shape::absent || !always_once;
}

std::string Table::text() const {
  std::array<char, 128> line{};
  std::snprintf(line.data(), line.size(), "%-20s", "operator");
  std::string text = line.data();
  for (const char* name : shape_names) {
    std::snprintf(line.data(), line.size(), " %10s", name);
    text += line.data();
  }
  for (const auto& [name, cells] : cells_) {
    std::snprintf(line.data(), line.size(), "\n%-20s", name.c_str());
    text += line.data();
    for (std::size_t shape = 0; shape < cells.size(); ++shape) {
      if (is_possible(name, static_cast<Shape>(shape))) {
        std::snprintf(line.data(), line.size(), " %10zu", cells[shape]);
      } else {
        std::snprintf(line.data(), line.size(), " %10s", "-");
      }
      text += line.data();
    }
  }
  return text + "\n";
}

std::size_t Table::smallest() const {
  std::size_t smallest = cells_.empty() ? 0 : SIZE_MAX;
  for (const auto& [name, cells] : cells_) smallest = std::min(smallest, smallest_of(name));
  return smallest;
}

std::size_t Table::count_of(const std::string& name, Shape shape) const {
  const auto row = cells_.find(name);
  return row == cells_.end() ? 0 : row->second[static_cast<std::size_t>(shape)];
}

std::size_t Table::smallest_of(const std::string& name) const {
  std::size_t smallest = SIZE_MAX;
  for (std::size_t shape = 0; shape < shape_names.size(); ++shape) {
    if (is_possible(name, static_cast<Shape>(shape))) smallest = std::min(smallest, count_of(name, static_cast<Shape>(shape)));
  }
  return smallest;
}

void Table::add(const Table& other) {
  for (const auto& [name, cells] : other.cells_) {
    for (std::size_t shape = 0; shape < cells.size(); ++shape) cells_[name][shape] += cells[shape];
  }
}

}  // namespace heddle::differential
