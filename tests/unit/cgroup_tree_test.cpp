#include "runtime/loader/cgroup_tree.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heddle::loader {
namespace {

TEST(MatchesName, StarIsAnyRun) {
  EXPECT_TRUE(matches_name("web", "web"));
  EXPECT_FALSE(matches_name("web", "web2"));
  EXPECT_FALSE(matches_name("web2", "web"));
  EXPECT_TRUE(matches_name("*", ""));
  EXPECT_TRUE(matches_name("*", "anything.service"));
  EXPECT_TRUE(matches_name("web-*.scope", "web-.scope"));
  EXPECT_TRUE(matches_name("web-*.scope", "web-a.scope.scope"));
  EXPECT_FALSE(matches_name("web-*.scope", "web-a.slice"));
  EXPECT_TRUE(matches_name("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(matches_name("*a*b*", "xxbxxaxx"));
  EXPECT_TRUE(matches_name("a**b", "ab"));
  EXPECT_FALSE(matches_name("", "a"));
}

class Patterns : public testing::Test {
 protected:
  [[nodiscard]] std::string kind(const std::vector<std::string>& parts) const {
    const hd_cgroup found = patterns_.classify(parts);
    if (found.kind == HD_CGROUP_WORKLOAD) return "workload " + std::to_string(found.workload);
    return found.kind == HD_CGROUP_PARENT ? "parent" : "outside";
  }
  CgroupPatterns patterns_{
      {"shop.slice/web.service", "shop.slice/*.service", "pods/*/app", "pods/x/app/inner"}};
};

TEST_F(Patterns, SayWhatACgroupIs) {
  EXPECT_EQ(kind({}), "parent");
  EXPECT_EQ(kind({"shop.slice"}), "parent");
  EXPECT_EQ(kind({"other.slice"}), "outside");
  EXPECT_EQ(kind({"shop.slice", "x.scope"}), "outside");
  EXPECT_EQ(kind({"shop.slice", "db.service"}), "workload 1");
  EXPECT_EQ(kind({"pods"}), "parent");
  EXPECT_EQ(kind({"pods", "y"}), "parent");
  EXPECT_EQ(kind({"pods", "y", "app"}), "workload 2");
  EXPECT_EQ(kind({"pods", "y", "app", "inner"}), "outside");
}

TEST_F(Patterns, TheOneThatSaysMoreWins) {
  EXPECT_EQ(kind({"shop.slice", "web.service"}), "workload 0");
}

TEST_F(Patterns, WorkloadsMayLieInWorkloads) {
  EXPECT_EQ(kind({"pods", "x", "app"}), "workload 2");
  EXPECT_TRUE(patterns_.leads_on({"pods", "x", "app"}));
  EXPECT_FALSE(patterns_.leads_on({"pods", "y", "app"}));
  EXPECT_EQ(kind({"pods", "x", "app", "inner"}), "workload 3");
}

}  // namespace
}  // namespace heddle::loader
