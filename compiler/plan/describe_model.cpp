#include "compiler/plan/describe_model.h"

#include "compiler/plan/meaning.h"

namespace heddle::plan {
namespace {

std::string describe_service(const model::Service& service, const model::Policy& policy) {
  std::string out =
      "service " + service.name + " " + model::protocol_name(service.protocol);
  static constexpr const char* transports[] = {"", " mtls", " tls"};
  out += transports[static_cast<std::size_t>(service.transport)];
  out += (service.or_plaintext ? " or plaintext " : " ") + model::balance_text(service) + "\n";
  if (service.paths != model::Paths{}) out += "  paths " + model::paths_text(service.paths) + "\n";
  if (service.eject) {
    out += "  eject after " + std::to_string(service.eject->failures) + " failures for " +
           std::to_string(service.eject->time_ms) + "ms at_most " + weight(service.eject->share_ppm) + "\n";
  }
  if (service.at_most) {
    out += "  at_most " + std::to_string(service.at_most->connections) + " connections, " +
           std::to_string(service.at_most->pending) + " pending\n";
  }
  for (const model::SocketAddress& address : service.addresses) out += "  address " + address.text() + "\n";
  for (const model::Endpoint& endpoint : service.endpoints) {
    out += "  endpoint " + endpoint.address.text();
    out += (endpoint.weight == 1 ? "" : " weight " + std::to_string(endpoint.weight)) + "\n";
  }
  for (const model::Subset& subset : service.subsets) {
    out += "  subset " + subset.name + ":";
    for (const std::uint32_t e : subset.endpoints) out += " " + service.endpoints[e].address.text();
    out += "\n";
  }
  if (service.access) {
    for (const model::AccessRule& rule : service.access->rules)
      out += "  " + rule.id + ": " + meaning(rule, policy) + "\n";
    for (const model::AccessRule& rule : service.access->audits)
      out += "  " + rule.id + ": audit " + meaning(rule, policy) + "\n";
  }
  if (service.audit) {
    for (const model::AccessRule& rule : service.audit->rules)
      out += "  " + rule.id + ": " + meaning(rule, policy) + "\n";
  }
  for (const model::Limit& limit : service.limits) out += "  " + limit.id + ": " + meaning(limit, policy) + "\n";
  if (service.route) {
    for (const model::RouteRule& rule : service.route->rules) {
      out += "  " + rule.id + ": " + meaning(rule, policy) + "\n";
    }
  }
  return out;
}

}  // namespace

std::string describe_model(const model::Policy& policy) {
  std::string out = "mesh " + policy.name + " " + policy.trust_domain;
  out += (policy.trust_domain_alias.empty() ? "" : " alias " + policy.trust_domain_alias) + "\n";
  if (policy.amplification != model::Policy().amplification) out += "amplification at_most " + std::to_string(policy.amplification) + "\n";
  for (const model::Identity& identity : policy.identities) {
    out += "identity " + identity.name + ":";
    for (const model::SpiffePattern& pattern : identity.patterns) {
      out += " spiffe://" + pattern.trust_domain + "/" + pattern.path;
    }
    if (identity.jwt) {
      out += " jwt " + identity.jwt->issuer + " " + identity.jwt->audience + " " + identity.jwt->jwks;
      if (identity.jwt->where) out += " where " + meaning(*identity.jwt->where, policy);
    }
    for (const model::IdentityId member : identity.members) {
      if (policy.identities[member].jwt) out += " " + policy.identities[member].name;
    }
    out += "\n";
  }
  for (const model::RetryPolicy& retry : policy.retries) out += "retry " + retry.name + ":" + meaning(retry) + "\n";
  for (const model::Workload& workload : policy.workloads) {
    out += "workload " + workload.name + ": cgroup " + workload.cgroup + " identity " +
           policy.identities[workload.identity].name + (workload.fast_path ? "\n" : " fast_path off\n");
  }
  for (const model::Filter& filter : policy.filters) out += "extern " + filter.name + ": " + filter.path + "\n";
  for (const model::Service& service : policy.services) out += describe_service(service, policy);
  return out;
}

}  // namespace heddle::plan
