#include "compiler/eval/outcome.h"

namespace heddle::eval {

std::vector<model::SocketAddress> endpoints_of(const model::Policy& policy, const Pool& pool) {
  const model::Service& service = policy.services[pool.service];
  std::vector<model::SocketAddress> addresses;
  if (!pool.subset) {
    for (const auto& endpoint : service.endpoints) addresses.push_back(endpoint.address);
    return addresses;
  }
  for (const auto index : service.subsets[*pool.subset].endpoints) {
    addresses.push_back(service.endpoints[index].address);
  }
  return addresses;
}

const char* verdict_name(Verdict verdict) {
  static constexpr const char* names[] = {"forward", "respond", "deny", "refuse", "unhealthy", "outside"};
  return names[static_cast<std::size_t>(verdict)];
}

std::string pool_name(const model::Policy& policy, const Pool& pool) {
  const model::Service& service = policy.services[pool.service];
  return pool.subset ? service.subsets[*pool.subset].name : service.name;
}

}  // namespace heddle::eval
