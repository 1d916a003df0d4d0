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
