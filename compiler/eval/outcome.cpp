#include "compiler/eval/outcome.h"

namespace heddle::eval {

std::vector<const model::Endpoint*> endpoints_of(const model::Policy& policy, const Pool& pool) {
  const model::Service& service = policy.services[pool.service];
  std::vector<const model::Endpoint*> endpoints;
  if (!pool.subset) {
    for (const auto& endpoint : service.endpoints) endpoints.push_back(&endpoint);
    return endpoints;
  }
  for (const auto index : service.subsets[*pool.subset].endpoints) {
    endpoints.push_back(&service.endpoints[index]);
  }
  return endpoints;
}

bool is_same(const Outcome& one, const Outcome& other) {
  return one.verdict == other.verdict && one.status == other.status && one.rule == other.rule &&
         one.route_rule == other.route_rule && one.service == other.service && one.pool == other.pool &&
         one.endpoints == other.endpoints && one.drawn == other.drawn && one.timeout_ms == other.timeout_ms &&
         one.body == other.body && one.headers == other.headers && one.retry_after == other.retry_after &&
         one.mirrors == other.mirrors;
}

std::string filters_text(const model::Policy& policy, const std::set<model::FilterId>& filters) {
  std::string text = filters.size() == 1 ? "extern " : "externs ";
  std::size_t left = filters.size();
  for (const model::FilterId filter : filters) {
    text += "`" + policy.filters[filter].name + "`";
    --left;
    if (left > 0) text += left == 1 ? " and " : ", ";
  }
  return text;
}

const char* verdict_name(Verdict verdict) {
  static constexpr const char* names[] = {"forward",   "respond", "deny", "refuse",
                                          "unhealthy", "outside", "full", "limited"};
  return names[static_cast<std::size_t>(verdict)];
}

std::string pool_name(const model::Policy& policy, const Pool& pool, model::ServiceId own) {
  const model::Service& service = policy.services[pool.service];
  if (!pool.subset) return service.name;
  const std::string& subset = service.subsets[*pool.subset].name;
  return pool.service == own ? subset : service.name + "." + subset;
}

}  // namespace heddle::eval
