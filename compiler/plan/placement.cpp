#include "compiler/plan/placement.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace heddle::plan {
namespace {

/// `*` is a run without `/`. Only the last one that was met is tried longer: one before it would find nothing more, and none goes
/// over a `/`.
bool glob_matches(std::string_view pattern, std::string_view text) {
  constexpr std::size_t none = std::string_view::npos;
  std::size_t at = 0;
  std::size_t from = 0;
  std::size_t star = none;
  std::size_t resume = 0;
  while (from < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = from;
    } else if (at < pattern.size() && pattern[at] == text[from]) {
      if (text[from] == '/') star = none;
      ++at;
      ++from;
    } else if (star != none && text[resume] != '/') {
      at = star + 1;
      from = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == none;
}

/// Who serves it is known by the service's identity alone: without one nobody is known to have opted out.
const model::Workload* opted_out(const model::Service& service, const model::Policy& policy) {
  if (!service.identity) return nullptr;
  const model::Identity& own = policy.identities[*service.identity];
  for (const model::Workload& workload : policy.workloads) {
    if (!workload.fast_path && holds(own, policy.identities[workload.identity].patterns.front())) return &workload;
  }
  return nullptr;
}

}  // namespace

const char* tier_name(Tier tier) {
  static constexpr std::array<const char*, 3> names = {"connect", "kernel", "handler"};
  return names.at(static_cast<std::size_t>(tier));
}

bool holds(const model::Identity& identity, const model::SpiffePattern& caller) {
  return std::any_of(
      identity.patterns.begin(), identity.patterns.end(), [&](const model::SpiffePattern& pattern) {
        return pattern.trust_domain == caller.trust_domain && glob_matches(pattern.path, caller.path);
      });
}

Placement placement(const model::Service& service, const model::Policy& policy) {
  if (service.protocol == model::Protocol::tcp) return {Tier::connect, ""};
  if (service.protocol == model::Protocol::tls) return {Tier::handler, "what a client asks for is known when it has sent it"};
  if (const model::Workload* workload = opted_out(service, policy))
    return {Tier::handler, "workload `" + workload->name + "` serves it and has `fast_path off`"};
  if (service.transport != model::Transport::plaintext)
    return {Tier::handler, "only a tunnel leads to its endpoints, and this version answers 503 in its place"};
  const auto own = static_cast<model::ServiceId>(&service - policy.services.data());
  for (const model::ServiceId other : model::other_targets(policy, own)) {
    const model::Service& target = policy.services[other];
    if (target.transport != model::Transport::plaintext)
      return {Tier::handler, "only a tunnel leads to its target `" + target.name + "`, and this version answers 503 in its place"};
    if (const model::Workload* workload = opted_out(target, policy))
      return {Tier::handler, "workload `" + workload->name + "` serves its target `" + target.name + "` and has `fast_path off`"};
  }
  return {Tier::kernel, ""};
}

Placement placement(const model::RouteRule& rule, const Placement& service) {
  if (service.tier != Tier::kernel || rule.target.answers().empty()) return service;
  const bool all = rule.target.kind == model::Target::Kind::respond;
  return {Tier::handler, all ? "the mesh answers itself" : "the mesh answers a part of the split itself"};
}

}  // namespace heddle::plan
