#include "compiler/emit/manifest.h"

#include <llvm/ADT/ArrayRef.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/Support/SHA256.h>

#include <nlohmann/json.hpp>

namespace heddle::emit {
namespace {

using Json = nlohmann::ordered_json;

std::string hex_digest(const std::string& text, std::size_t bytes) {
  const std::array<std::uint8_t, 32> hash = llvm::SHA256::hash(
      llvm::ArrayRef<std::uint8_t>(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += {digits[hash[i] >> 4], digits[hash[i] & 15]};
  return out;
}

/// Where one thing keeps its state across generations.
std::string identity_digest(const std::string& text) {
  return hex_digest(text, 16);
}

std::string source_digest(const source::SourceManager& sources) {
  std::string all;
  for (const source::FileId file : sources.files_in_order()) {
    const std::string_view text = sources.text(file);
    all += sources.path(file) + '\0' + std::to_string(text.size()) + '\0';
    all += text;
  }
  return hex_digest(all, 32);
}

Json rules(const plan::Plan& plan, const source::SourceManager& sources) {
  Json out = Json::array();
  for (const plan::RuleInfo& rule : plan.rules) {
    Json entry = {{"id", rule.id}, {"digest", identity_digest("rule\n" + rule.id + "\n" + rule.meaning)}};
    if (!rule.service.empty()) entry["service"] = rule.service;
    if (rule.has_span) {
      const source::Position position = sources.position(rule.span.file, rule.span.begin);
      entry["file"] = sources.path(rule.span.file);
      entry["line"] = position.line;
      entry["column"] = position.column;
    }
    out.push_back(std::move(entry));
  }
  return out;
}

Json services(const model::Policy& policy) {
  Json out = Json::array();
  for (const model::Service& service : policy.services) {
    Json addresses = Json::array();
    for (const model::SocketAddress& address : service.addresses) addresses.push_back(address.text());
    Json entry = {{"name", service.name}, {"protocol", model::protocol_name(service.protocol)},
                  {"transport", model::transport_text(service)}, {"addresses", addresses}};
    if (service.eject) {
      entry["eject"] = {{"digest", identity_digest("service\n" + service.name)},
                        {"failures", service.eject->failures},
                        {"time_ms", service.eject->time_ms},
                        {"share_ppm", service.eject->share_ppm}};
    }
    if (service.identity) entry["identity"] = policy.identities[*service.identity].name;
    if (service.at_most) entry["connections"] = service.at_most->connections;
    if (!service.prefer.empty()) entry["prefer"] = service.prefer;
    out.push_back(std::move(entry));
  }
  return out;
}

/// The entries of hd_services behind those of the policy.
Json targets(const plan::Plan& plan) {
  Json out = Json::array();
  for (const model::ServiceId from : plan.throughs) out.push_back({{"service", from}});
  return out;
}

Json workloads(const model::Policy& policy) {
  Json out = Json::array();
  for (const model::Workload& workload : policy.workloads) {
    const model::SpiffePattern& caller = policy.identities[workload.identity].patterns.front();
    out.push_back({{"name", workload.name},
                   {"cgroup", workload.cgroup},
                   {"spiffe", "spiffe://" + caller.trust_domain + "/" + caller.path}});
  }
  return out;
}

Json pools(const plan::Plan& plan) {
  Json out = Json::array();
  for (const plan::PoolInfo& pool : plan.pools) {
    out.push_back({{"name", pool.name}, {"digest", identity_digest("pool\n" + pool.name)}});
  }
  return out;
}

/// A part keeps its weight as long as its rule says the same.
Json parts(const plan::Plan& plan) {
  Json out = Json::array();
  for (std::size_t r = 0; r < plan.rules.size(); ++r) {
    const hd_rule& rule = plan.tables.rules[r];
    for (hd_u32 part = 0; rule.action == HD_ACTION_SPLIT && part < rule.parts; ++part) {
      const std::string text = plan.rules[r].id + "\n" + plan.rules[r].meaning + "\n" + std::to_string(part);
      out.push_back({{"digest", identity_digest("part\n" + text)}});
    }
  }
  return out;
}

Json endpoints(const model::Policy& policy) {
  Json out = Json::array();
  for (const model::Service& service : policy.services) {
    for (const model::Endpoint& endpoint : service.endpoints) {
      const std::string address = endpoint.address.text();
      Json entry = {{"service", service.name},
                    {"address", address},
                    {"digest", identity_digest("endpoint\n" + service.name + "\n" + address)}};
      const auto label = endpoint.labels.find(service.prefer);
      if (!service.prefer.empty() && label != endpoint.labels.end()) entry["place"] = label->second;
      out.push_back(std::move(entry));
    }
  }
  return out;
}

Json maps(const std::vector<Image>& images) {
  Json out = Json::array();
  for (const Image& image : images) {
    out.push_back({{"name", image.name},
                   {"type", image.hash ? "hash" : "array"},
                   {"key", image.key_size},
                   {"value", image.value_size},
                   {"entries", image.max_entries}});
  }
  return out;
}

Json filters_of(const std::vector<Filter>& filters) {
  Json out = Json::array();
  for (const Filter& filter : filters) {
    Json own = Json::array();
    for (const FilterMap& map : filter.maps) {
      own.push_back({{"name", map.name},
                     {"symbol", map.symbol},
                     {"type", map.hash ? "hash" : "array"},
                     {"key", map.key_size},
                     {"value", map.value_size},
                     {"entries", map.max_entries},
                     {"flags", map.flags}});
    }
    out.push_back({{"name", filter.name}, {"file", filter.path}, {"function", filter.function}, {"maps", own}});
  }
  return out;
}

}  // namespace

std::string make_manifest(const model::Policy& policy, const plan::Plan& plan,
                          const std::vector<Image>& images, const source::SourceManager& sources,
                          const std::string& compiler_version, const std::vector<Filter>& filters) {
  const Json manifest = {
      {"abi", HD_ABI_VERSION},
      {"compiler", "heddle " + compiler_version + " (LLVM " LLVM_VERSION_STRING ")"},
      {"mesh", policy.name},
      {"trust_domain", policy.trust_domain},
      {"trust_domain_alias", policy.trust_domain_alias},
      {"targets", targets(plan)},
      {"source_digest", source_digest(sources)},
      {"outside", policy.outside == model::Outside::allow ? "allow" : "deny"},
      {"rules", rules(plan, sources)},
      {"services", services(policy)},
      {"workloads", workloads(policy)},
      {"pools", pools(plan)},
      {"parts", parts(plan)},
      {"endpoints", endpoints(policy)},
      {"maps", maps(images)},
      {"filters", filters_of(filters)},
      {"programs", {"connect4", "connect6", "sk_msg", "decide"}},
      // Sleepable programs may use maps that take memory as they need it (6.1).
      {"requires", {{"kernel", "6.1"}, {"btf", true}, {"cgroup2", true}}},
  };
  return manifest.dump(1);
}

}  // namespace heddle::emit
