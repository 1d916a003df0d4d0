#include <gtest/gtest.h>

#include "runtime/handler/tunnel/head.h"

namespace heddle::tunnel {
namespace {

TEST(Head, AuthorityIsAnAddressAndAPort) {
  for (const char* text : {"10.0.0.1:80", "[fd00::1]:65535", "[::1]:1", "255.255.255.255:443"}) {
    const auto target = parse_authority(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(authority_text(*target), text);
  }
  EXPECT_EQ(authority_text(*parse_authority("[0:0::fd]:8080")), "[::fd]:8080");
}

TEST(Head, NothingElseIsAnAuthority) {
  for (const char* text :
       {"", ":", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:080", "10.0.0.1:65536", "10.0.0.1:80 ", "10.0.0.1:+80", "10.0.0:80",
        "10.0.0.256:80", "reviews:80", "fd00::1:80", "[fd00::1]", "[fd00::1]80", "[fd00::1:80", "[10.0.0.1]:80", "[]:80", "[fd00::1%eth0]:80",
        "user@10.0.0.1:80", "10.0.0.1:80/", "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:80"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(Head, ForwardedNamesTheClient) {
  const auto v4 = parse_authority("10.0.0.7:4711");
  const auto v6 = parse_authority("[fd00::7]:4711");
  EXPECT_EQ(forwarded_text(*v4), "for=\"10.0.0.7:4711\"");
  EXPECT_EQ(forwarded_text(*v6), "for=\"[fd00::7]:4711\"");
  EXPECT_EQ(forwarded_text({v4->address, 0}), "for=10.0.0.7");
  for (const auto& target : {v4, v6}) EXPECT_EQ(parse_forwarded(forwarded_text(*target)), target);
  EXPECT_EQ(parse_forwarded("FOR=10.0.0.7;proto=http"), Target({v4->address, 0}));
  EXPECT_EQ(parse_forwarded("by=10.9.9.9 ; for=\"10.0.0.7:4711\""), v4);
  EXPECT_EQ(parse_forwarded("for=10.1.1.1, for=\"10.0.0.7:4711\""), v4);
  for (const char* text : {"", "for=", "for=unknown", "for=\"_gazonk\"", "by=10.0.0.1", "for=10.0.0.7:x", "for=\"10.0.0.7", "10.0.0.7"})
    EXPECT_FALSE(parse_forwarded(text)) << text;
}

}  // namespace
}  // namespace heddle::tunnel
