#include "compiler/eval/balance.h"

#include <algorithm>

#include "compiler/eval/draw.h"

namespace heddle::eval {
namespace {

using Members = std::vector<const model::Endpoint*>;

/// More are not compared with each other by `least_request`: of a larger pool a part, that the draw chooses.
constexpr std::size_t compared_members = 64;

EndpointState state_of(const model::Endpoint& endpoint, const World& world) {
  const auto found = world.endpoints.find(endpoint.address);
  return found == world.endpoints.end() ? EndpointState{} : found->second;
}

/// Those for which less is on its way than `bound`; all where there is no bound.
Members below(const Members& members, const World& world, std::optional<std::uint64_t> bound) {
  Members some;
  for (const model::Endpoint* one : members) {
    if (!bound || state_of(*one, world).in_flight < *bound) some.push_back(one);
  }
  return some;
}

std::uint64_t weight_of(const Members& members) {
  std::uint64_t sum = 0;
  for (const model::Endpoint* one : members) sum += one->weight;
  return sum;
}

/// The member at a place, each having as many places as its weight is.
const model::Endpoint* at_place(const Members& members, std::uint64_t place) {
  for (const model::Endpoint* one : members) {
    if (place < one->weight) return one;
    place -= one->weight;
  }
  return members.back();
}

/// A place among all members; who is not there for it is replaced by an equally random one of those who are.
const model::Endpoint* drawn_of(const Members& all, const Members& able, std::uint64_t number) {
  const std::uint64_t upper = number >> 32;
  const std::uint64_t lower = number & 0xffffffff;
  const model::Endpoint* first = at_place(all, (upper * weight_of(all)) >> 32);
  if (std::ranges::find(able, first) != able.end()) return first;
  return at_place(able, (lower * weight_of(able)) >> 32);
}

/// Those that `prefer` prefers; all if there is none of them.
Members near_first(const model::Service& service, const Members& members, const World& world) {
  Members near;
  std::ranges::copy_if(members, std::back_inserter(near),
                       [&](const auto* one) { return is_near(service, *one, world.agent); });
  return near.empty() ? members : near;
}

/// The owner of the first slot, from the value's on, that is able.
const model::Endpoint* owner_of(const MaglevSlots::Slots& slots, const Members& able, std::uint64_t draw) {
  std::size_t at = first_slot(draw, slots.size());
  while (std::ranges::find(able, slots[at]) == able.end()) at = (at + 1) % slots.size();
  return slots[at];
}

Members least_loaded(const Members& members, const World& world) {
  const auto load = [&](const model::Endpoint* one) {
    return static_cast<double>(state_of(*one, world).in_flight) / one->weight;
  };
  const auto compare = [&](const auto* a, const auto* b) { return load(a) < load(b); };
  const double least = load(*std::ranges::min_element(members, compare));
  Members some;
  std::ranges::copy_if(members, std::back_inserter(some),
                       [&](const auto* one) { return load(one) == least; });
  return some;
}

}  // namespace

Choice choose_endpoint(const model::Policy& policy, const Pool& pool, const World& world,
                       std::uint64_t draw, MaglevSlots& slots) {
  const model::Service& service = policy.services[pool.service];
  const Members all = endpoints_of(policy, pool);
  Members healthy;
  for (const model::Endpoint* one : all) {
    const EndpointState state = state_of(*one, world);
    if (!state.unhealthy && !state.ejected) healthy.push_back(one);
  }
  if (healthy.empty()) return {Choice::Kind::unhealthy, {}, std::nullopt};
  std::optional<std::uint64_t> bound;
  if (service.at_most) bound = service.at_most->connections;
  Members able = near_first(service, below(healthy, world, bound), world);
  if (able.empty()) able = below(healthy, world, *bound + service.at_most->pending);
  if (able.empty()) return {Choice::Kind::full, {}, std::nullopt};

  Choice choice;
  if (service.balance == model::Balance::least_request && all.size() <= compared_members)
    able = least_loaded(able, world);
  for (const model::Endpoint* one : able) choice.endpoints.push_back(one->address);
  if (service.balance == model::Balance::random) {
    const std::string name =
        service.name + (pool.subset ? "." + service.subsets[*pool.subset].name : std::string());
    choice.drawn = drawn_of(all, able, mixed_draw(draw, name))->address;
  }
  if (service.balance == model::Balance::maglev)
    choice.drawn = owner_of(slots.of(policy, pool), able, draw)->address;
  return choice;
}

bool is_near(const model::Service& service, const model::Endpoint& endpoint, const Place& agent) {
  if (service.prefer.empty()) return false;
  const std::string& own = service.prefer == "zone" ? agent.zone : agent.node;
  const auto label = endpoint.labels.find(service.prefer);
  return !own.empty() && label != endpoint.labels.end() && label->second == own;
}

bool has_room(const model::Service& service, const model::Endpoint& endpoint, const World& world) {
  if (!service.at_most) return true;
  const std::uint64_t bound = std::uint64_t{service.at_most->connections} + service.at_most->pending;
  return state_of(endpoint, world).in_flight < bound;
}

}  // namespace heddle::eval
