#include "tests/kernel/tiny_bundle.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "bpf_templates/include/heddle/abi.h"
#include "embedded/tiny_policy.h"

namespace heddle::test {
namespace {

using Json = nlohmann::json;

template <typename T>
bundle::MapImage array(const std::string& name, const std::vector<T>& values) {
  bundle::MapImage image{name,
                         4,
                         sizeof(T),
                         static_cast<std::uint32_t>(std::max<std::size_t>(values.size(), 1)),
                         static_cast<std::uint32_t>(values.size()),
                         {},
                         {}};
  image.values.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(image.values.data(), values.data(), image.values.size());
  return image;
}

template <typename K, typename V>
bundle::MapImage hash(const std::string& name, const std::vector<std::pair<K, V>>& entries) {
  bundle::MapImage image{name,
                         sizeof(K),
                         sizeof(V),
                         static_cast<std::uint32_t>(std::max<std::size_t>(entries.size(), 1)),
                         static_cast<std::uint32_t>(entries.size()),
                         {},
                         {}};
  for (const auto& [key, value] : entries) {
    const auto* k = reinterpret_cast<const std::byte*>(&key);
    const auto* v = reinterpret_cast<const std::byte*>(&value);
    image.keys.insert(image.keys.end(), k, k + sizeof(K));
    image.values.insert(image.values.end(), v, v + sizeof(V));
  }
  return image;
}

void set_address(hd_u8 (&out)[16], const char* text) {
  if (::inet_pton(AF_INET6, text, out) == 1) return;
  const std::string mapped = std::string("::ffff:") + text;
  ASSERT_EQ(::inet_pton(AF_INET6, mapped.c_str(), out), 1) << text;
}

std::string digest_text(unsigned char first) {
  char text[33];
  std::snprintf(text, sizeof(text), "%02x000000000000000000000000000000", first);
  return text;
}

std::vector<hd_rule> rules() {
  std::vector<hd_rule> list(tiny_rules);
  for (hd_rule& rule : list) {
    rule.action = HD_ACTION_BUILTIN;
    rule.service = HD_NONE;
  }
  list[HD_RULE_OUTSIDE].action = HD_ACTION_ALLOW;
  list[tiny_allow].action = HD_ACTION_ALLOW;
  list[tiny_deny].action = HD_ACTION_DENY;
  list[tiny_route].action = HD_ACTION_POOL;
  return list;
}

std::vector<hd_endpoint> endpoints(const TinyPolicy& policy) {
  std::vector<hd_endpoint> list;
  const auto add = [&](const char* address, std::uint16_t port) {
    if (port == 0) return;
    hd_endpoint endpoint{};
    set_address(endpoint.address, address);
    endpoint.port = port;
    endpoint.weight = 1;
    endpoint.counted = 1;
    list.push_back(endpoint);
  };
  add("127.0.0.1", policy.endpoint4);
  add("::1", policy.endpoint6);
  return list;
}

std::string manifest(const TinyPolicy& policy, std::size_t endpoint_count) {
  const std::array<const char*, tiny_rules> ids{
      "mesh/malformed", "mesh/path",   "mesh/outside", "service echo/unhealthy",
      "access echo/1",  "access echo", "route echo"};
  Json document = {{"abi", HD_ABI_VERSION},
                   {"compiler", "by hand"},
                   {"mesh", "tiny"},
                   {"trust_domain", "tiny.example"},
                   {"source_digest", "00"},
                   {"outside", "allow"},
                   {"programs", {"connect4", "connect6", "sk_msg", "decide"}},
                   {"maps", Json::array()},
                   {"filters", Json::array()},
                   {"requires", {{"kernel", "5.18"}, {"btf", true}, {"cgroup2", true}}}};
  for (unsigned char i = 0; i < tiny_rules; ++i) {
    document["rules"].push_back(
        {{"id", ids[i]}, {"digest", digest_text(i == tiny_route ? policy.route_digest : i)}});
  }
  document["services"] = {{{"name", "echo"}, {"protocol", "tcp"}, {"transport", "plaintext"}, {"addresses", {"10.96.0.10:7000"}}}};
  document["targets"] = nlohmann::json::array();
  document["workloads"] = {{{"name", "friend"}, {"cgroup", policy.allowed}},
                           {{"name", "foe"}, {"cgroup", policy.denied}}};
  document["parts"] = nlohmann::json::array();
  document["pools"] = {{{"name", "echo"}, {"digest", digest_text(100)}}};
  document["endpoints"] = Json::array();
  for (std::size_t i = 0; i < endpoint_count; ++i) {
    document["endpoints"].push_back({{"service", "echo"},
                                     {"address", "?"},
                                     {"digest", digest_text(static_cast<unsigned char>(200 + i))}});
  }
  return document.dump();
}

bundle::Bundle make(const TinyPolicy& policy) {
  const std::vector<hd_endpoint> ends = endpoints(policy);
  std::vector<std::uint32_t> members;
  for (std::uint32_t i = 0; i < ends.size(); ++i) members.push_back(i);
  const auto all = static_cast<hd_u32>(members.size());
  hd_service service{};
  service.protocol = HD_PROTOCOL_TCP;
  service.unhealthy_rule = tiny_unhealthy;
  service.access_chooser = HD_NONE;
  service.route_chooser = HD_NONE;
  std::vector<std::pair<hd_address_key, hd_address>> addresses;
  for (const char* text : {"10.96.0.10", "fd00::10", "127.9.9.9"}) {
    hd_address_key key{};
    set_address(key.address, text);
    key.port = 7000;
    addresses.push_back({key, hd_address{0, HD_NONE, HD_NONE}});
  }
  std::vector<hd_workload> workloads(2);
  workloads[0].identities[0] = 1;
  workloads[1].identities[0] = 2;

  bundle::Bundle bundle;
  bundle.manifest = manifest(policy, ends.size());
  const auto object = embedded::tiny_policy();
  bundle.object.assign(object.begin(), object.end());
  bundle.maps = {array("hd_workloads", workloads),
                 hash("hd_addresses", addresses),
                 array("hd_services", std::vector{service}),
                 array("hd_rules", rules()),
                 array("hd_pools", std::vector{hd_pool{0, all, 0, 0, 1, all, 0, 0, 0, 0, 0},
                                               hd_pool{0, policy.endpoint4 != 0 ? 1U : 0U, 0, 0, 1, 1, 0, 0, 0, 0, 0}}),
                 array("hd_members", members),
                 array("hd_endpoints", ends)};
  return bundle;
}

}  // namespace

std::vector<std::byte> tiny_bundle_file(const TinyPolicy& policy) {
  return bundle::serialize(make(policy));
}

bundle::Opened tiny_bundle(const TinyPolicy& policy) {
  Result<bundle::Opened> opened = bundle::open(tiny_bundle_file(policy));
  EXPECT_TRUE(opened.ok()) << (opened ? "" : opened.error().what);
  return opened ? std::move(*opened) : bundle::Opened{};
}

}  // namespace heddle::test
