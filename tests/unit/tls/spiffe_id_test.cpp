#include "runtime/base/spiffe_id.h"

#include <gtest/gtest.h>

namespace heddle {
namespace {

TEST(SpiffeId, IsATrustDomainAndAPath) {
  const SpiffeReading read = read_spiffe_id("spiffe://shop-1.example_x/ns/Shop.1/sa/web_-");
  ASSERT_EQ(read.wrong, nullptr);
  EXPECT_EQ(read.id.trust_domain, "shop-1.example_x");
  EXPECT_EQ(read.id.path, "ns/Shop.1/sa/web_-");
  EXPECT_EQ(read.id.text(), "spiffe://shop-1.example_x/ns/Shop.1/sa/web_-");
}

TEST(SpiffeId, MayBeATrustDomainAlone) {
  const SpiffeReading read = read_spiffe_id("spiffe://shop.example");
  ASSERT_EQ(read.wrong, nullptr);
  EXPECT_EQ(read.id, (SpiffeId{"shop.example", ""}));
  EXPECT_EQ(read.id.text(), "spiffe://shop.example");
}

TEST(SpiffeId, IsWrittenInOneWay) {
  for (const std::string& text :
       {std::string(""), std::string("spiffe:"), std::string("spiffe://"), std::string("spiffe:///a"), std::string("SPIFFE://a/b"),
        std::string("Spiffe://a/b"), std::string("https://a/b"), std::string(" spiffe://a/b"), std::string("spiffe://a/b "),
        std::string("spiffe://A/b"), std::string("spiffe://a:443/b"), std::string("spiffe://u@a/b"), std::string("spiffe://u:p@a/b"),
        std::string("spiffe://a/"), std::string("spiffe://a/b/"), std::string("spiffe://a//b"), std::string("spiffe://a/b//c"),
        std::string("spiffe://a/."), std::string("spiffe://a/.."), std::string("spiffe://a/./b"), std::string("spiffe://a/b/../c"),
        std::string("spiffe://a/b?q"), std::string("spiffe://a/b#f"), std::string("spiffe://a?q"), std::string("spiffe://a#f"),
        std::string("spiffe://a/%62"), std::string("spiffe://%61/b"), std::string("spiffe://a/b\n"), std::string("spiffe://a/b\0", 13),
        std::string("spiffe://a\0b/c", 14), std::string("spiffe://a/caf\xc3\xa9"), std::string("spiffe://a/b*"), std::string("spiffe://a/b\\c"),
        std::string("spiffe://[::1]/b"), std::string("spiffe://a/b;c"), std::string("spiffe:/a/b"), std::string("//a/b"), std::string("a/b")})
    EXPECT_NE(read_spiffe_id(text).wrong, nullptr) << testing::PrintToString(text);
}

TEST(SpiffeId, HasBounds) {
  const std::string domain(255, 'd');
  EXPECT_EQ(read_spiffe_id("spiffe://" + domain + "/p").wrong, nullptr);
  EXPECT_NE(read_spiffe_id("spiffe://" + domain + "d/p").wrong, nullptr);
  const std::string front = "spiffe://d/";
  EXPECT_EQ(read_spiffe_id(front + std::string(2048 - front.size(), 'p')).wrong, nullptr);
  EXPECT_NE(read_spiffe_id(front + std::string(2049 - front.size(), 'p')).wrong, nullptr);
}

TEST(SpiffeId, SegmentsMayBeginWithDots) {
  for (const char* text : {"spiffe://a/...", "spiffe://a/.b", "spiffe://a/b.", "spiffe://a/..b/c"}) EXPECT_EQ(read_spiffe_id(text).wrong, nullptr) << text;
}

bool fits(const std::string& pattern, const std::string& id) {
  const SpiffeReading read = read_spiffe_pattern(pattern);
  EXPECT_EQ(read.wrong, nullptr) << pattern;
  return matches(read.id, read_spiffe_id(id).id);
}

TEST(SpiffePattern, IsWhole) {
  EXPECT_TRUE(fits("spiffe://a/ns/web", "spiffe://a/ns/web"));
  EXPECT_FALSE(fits("spiffe://a/ns/web", "spiffe://a/ns/web2"));
  EXPECT_FALSE(fits("spiffe://a/ns/web", "spiffe://a/ns/web/x"));
  EXPECT_FALSE(fits("spiffe://a/ns/web", "spiffe://a/ns"));
  EXPECT_FALSE(fits("spiffe://a/ns/web", "spiffe://a.b/ns/web"));
  EXPECT_FALSE(fits("spiffe://a/ns/web", "spiffe://a/ns/Web"));
}

TEST(SpiffePattern, StarsStayInTheirSegment) {
  EXPECT_TRUE(fits("spiffe://a/ns/batch-*", "spiffe://a/ns/batch-7"));
  EXPECT_TRUE(fits("spiffe://a/ns/batch-*", "spiffe://a/ns/batch-"));
  EXPECT_TRUE(fits("spiffe://a/*/sa/*b*", "spiffe://a/x/sa/abc"));
  EXPECT_FALSE(fits("spiffe://a/ns/batch-*", "spiffe://a/ns/batch-7/x"));
  EXPECT_FALSE(fits("spiffe://a/*", "spiffe://a/x/y"));
  EXPECT_FALSE(fits("spiffe://a/*/y", "spiffe://a/x"));
  EXPECT_FALSE(fits("spiffe://a/*x", "spiffe://a/xy"));
}

}  // namespace
}  // namespace heddle
