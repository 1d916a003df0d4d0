#include "runtime/handler/tables.h"

#include <gtest/gtest.h>

namespace heddle::handler {
namespace {

TEST(Tables, AServiceIsServedByItsIdentityAlone) {
  const std::string blob = "shop.exampleold.examplens/webns/cart";
  const hd_text domain{0, 12};
  const hd_mesh mesh{domain, {12, 11}};
  hd_pattern patterns[] = {{domain, {23, 6}, {1}}, {domain, {29, 7}, {0, 1}}};  // identities 0 and 64
  hd_service service{};
  service.identity = 64;
  Tables::Parts parts;
  parts.services = {&service, 1};
  parts.mesh = {&mesh, 1};
  parts.patterns = patterns;
  parts.blob = blob;
  const Tables tables(parts);
  const auto serves = [&](const char* id) { return tables.expected_peers(0).has(read_spiffe_id(id).id); };
  EXPECT_TRUE(serves("spiffe://shop.example/ns/cart"));
  EXPECT_TRUE(serves("spiffe://old.example/ns/cart"));
  EXPECT_FALSE(serves("spiffe://shop.example/ns/web"));
  EXPECT_FALSE(serves("spiffe://far.example/ns/cart"));
  for (const std::uint32_t none : {HD_NONE, 1024U}) {
    service.identity = none;
    EXPECT_FALSE(serves("spiffe://shop.example/ns/cart"));
  }
  EXPECT_TRUE(tables.expected_peers(1).patterns.empty());
}

}  // namespace
}  // namespace heddle::handler
