// What `test`, `explain`, `hosts` and `init` print, byte by byte, and how they end.
//
// HEDDLE_UPDATE_GOLDEN=1 writes tests/golden/commands/expected anew; read the difference.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/golden/run.h"

namespace heddle {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(HEDDLE_SOURCE_DIR) / "tests/golden/commands";

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Printed {
  const char* name;
  const char* arguments;
  int exit_code;
};

class Commands : public testing::TestWithParam<Printed> {};

TEST_P(Commands, PrintAsExpected) {
  const fs::path expected = folder / "expected" / (GetParam().name + std::string(".txt"));
  const Outcome outcome = run_in(folder, GetParam().arguments);
  EXPECT_EQ(outcome.exit_code, GetParam().exit_code) << outcome.output;
  if (std::getenv("HEDDLE_UPDATE_GOLDEN") != nullptr)
    std::ofstream(expected, std::ios::binary) << outcome.output;
  ASSERT_TRUE(fs::exists(expected)) << "no golden text: run this test once with HEDDLE_UPDATE_GOLDEN=1";
  EXPECT_EQ(outcome.output, read_file(expected)) << "differs from " << expected;
}

const Printed printed[] = {
    {"explain-split", "explain shop.mesh --send 'GET \"/new/1\" to reviews from web'", 0},
    {"explain-redirect", "explain shop.mesh --send 'GET \"/old/7?page=2\" to reviews from web with host \"h:8080\"'", 0},
    {"explain-rewrite", "explain later.mesh --send 'GET \"/old/7?q=1\" to shop from web'", 0},
    {"explain-user", "explain later.mesh --send 'GET \"/\" to shop from admin via web with claim \"roles\" \"admin\"'", 0},
    {"explain-no-user", "explain later.mesh --send 'GET \"/\" to shop from admin via web'", 2},
    {"explain-preflight",
     "explain later.mesh --send 'OPTIONS \"/page\" to shop with header \"origin\" \"https://a.example\" with header "
     "\"access-control-request-method\" \"GET\"'",
     0},
    {"explain-fault", "explain later.mesh --send 'GET \"/broken\" to shop from web'", 0},
    {"explain-later-placement", "explain later.mesh --placement", 1},
    {"test-later", "test later.mesh", 4},
    {"test-later-kernel", "test --engine kernel later.mesh", 2},
    {"build-later", "build --verify off -o none.bundle later.mesh", 1},
    {"emit-later", "build --emit model later.mesh", 0},
    {"explain-split-answers", "explain shop.mesh --send 'GET \"/survey\" to reviews from web'", 0},
    {"explain-typed", "explain shop.mesh --send 'GET \"/status\" to reviews from web'", 0},
    {"explain-draw", "explain shop.mesh --draw 7 --send 'GET \"/new/1\" to reviews from web'", 0},
    {"explain-rule",
     "explain shop.mesh --send 'GET \"/\" to reviews from web with header \"end-user\" \"jason\"'", 0},
    {"explain-denied", "explain shop.mesh --send 'GET \"/admin/x\" to reviews from web'", 0},
    {"explain-nobody", "explain shop.mesh --send 'GET \"/\" to reviews with header \"x-debug\" \"1\"'", 0},
    {"explain-group", "explain shop.mesh --send 'GET \"/health\" to reviews from callers'", 0},
    {"explain-malformed", "explain shop.mesh --send 'GET \"/a/../b\" to reviews from web'", 0},
    {"explain-tcp", "explain shop.mesh --send 'connect to cache from web'", 0},
    {"explain-tcp-address", "explain queue.mesh --send 'connect to queue from web at 10.3.0.1'", 0},
    {"explain-tcp-no-address", "explain queue.mesh --send 'connect to queue from web'", 0},
    {"explain-tcp-placement", "explain queue.mesh --placement", 0},
    {"test-tcp", "test --engine evaluator --filter addresses queue.mesh", 0},
    {"test-tcp-no-address", "test --engine evaluator --filter nobody queue.mesh", 1},
    {"explain-tls", "explain vault.mesh --send 'connect to vault from web at 10.1.0.1 with sni \"Old.example\"'", 0},
    {"explain-tls-address", "explain vault.mesh --send 'connect to vault from web with sni \"a.admin.vault.example\"'", 0},
    {"explain-tls-malformed", "explain vault.mesh --send 'connect to vault from web with sni \"10.0.0.1\"'", 0},
    {"explain-tls-no-name", "explain vault.mesh --send 'connect to vault from web at 10.1.0.1'", 0},
    {"explain-tls-placement", "explain vault.mesh --placement", 0},
    {"test-tls", "test --engine evaluator vault.mesh", 0},
    {"explain-tunnel-placement", "explain tunnel.mesh --placement", 0},
    {"test-tunnel", "test --engine evaluator tunnel.mesh", 0},
    {"explain-unknown", "explain shop.mesh --send 'GET \"/\" to reviws from web'", 2},
    {"explain-port", "explain shop.mesh --send 'GET \"/\" to reviews port 1 from web'", 2},
    {"explain-nothing", "explain shop.mesh", 2},
    {"explain-placement", "explain shop.mesh --placement", 0},
    {"test-failing", "test --engine evaluator shop.mesh tests.mesh", 1},
    {"test-filter", "test --engine evaluator --filter right shop.mesh tests.mesh", 0},
    {"test-filter-none", "test --engine evaluator --filter nothing shop.mesh tests.mesh", 2},
    {"test-junit", "test --engine evaluator --junit /dev/fd/3 shop.mesh tests.mesh 3>&1 > /dev/null", 1},
    {"test-unwritable", "test --engine evaluator --junit /no/folder/x --filter right shop.mesh tests.mesh",
     2},
    {"test-engine", "test --engine best shop.mesh tests.mesh", 2},
    {"hosts", "hosts shop.mesh", 0},
    {"ca-nothing", "ca", 2},
    {"ca-unknown", "ca renew", 2},
    {"ca-init-help", "ca init --help", 0},
    {"ca-issue-help", "ca issue --help", 0},
    {"ca-init-nameless", "ca init none --trust-domain ''", 2},
    {"ca-init-name", "ca init none --trust-domain Shop.example", 2},
    {"ca-init-url", "ca init none --trust-domain spiffe://shop.example", 2},
    {"ca-init-days", "ca init none --trust-domain shop.example --days 0", 2},
    {"ca-init-many-days", "ca init none --trust-domain shop.example --days 3651", 2},
    {"ca-init-nowhere", "ca init shop.mesh --trust-domain shop.example", 2},
    {"ca-issue-nowhere", "ca issue none web --out none", 2},
    {"ca-issue-ttl-zero", "ca issue none web --out none --ttl 0h", 2},
    {"ca-issue-ttl-unit", "ca issue none web --out none --ttl 60", 2},
    {"ca-issue-ttl-number", "ca issue none web --out none --ttl=-1h", 2},
    {"ca-issue-ttl-large", "ca issue none web --out none --ttl 24856d", 2},
    {"ca-issue-ttl-overflow", "ca issue none web --out none --ttl 99999999999999999999s", 2},
};

std::string name_of(const testing::TestParamInfo<Printed>& info) {
  std::string name = info.param.name;
  for (char& byte : name) {
    if (byte == '-') byte = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Commands, testing::ValuesIn(printed), name_of);

/// An empty folder of its own, gone at the end.
struct Init : testing::Test {
  fs::path where = fs::path(testing::TempDir()) / ("heddle_init_" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(where); }
  void TearDown() override { fs::remove_all(where); }

  void expect_right_policy(const std::string& policy) {
    const Outcome check = run_in(where, "check --deny-warnings " + policy);
    EXPECT_EQ(check.exit_code, 0) << check.output;
    const Outcome test = run_in(where, "test --engine evaluator " + policy);
    EXPECT_EQ(test.exit_code, 0) << test.output;
    EXPECT_NE(test.output.find("1 passed, 0 failed"), std::string::npos) << test.output;
  }
};

TEST_F(Init, WritesAPolicyThatChecksCleanAndPassesItsTest) {
  const Outcome init = run_in(where, "init");
  EXPECT_EQ(init.exit_code, 0) << init.output;
  EXPECT_EQ(init.output.substr(0, init.output.find('\n')), "wrote policy/policy.mesh");
  expect_right_policy("policy");
}

TEST_F(Init, TakesServicesOfOnesOwn) {
  const Outcome init = run_in(where, "init here --service shop-1=10.0.0.1:80 --service cart=[fd00::1]:8080");
  EXPECT_EQ(init.exit_code, 0) << init.output;
  expect_right_policy("here");
  EXPECT_EQ(run_in(where, "hosts here").output, "fd00::1\tcart\n10.0.0.1\tshop-1\n");
}

TEST_F(Init, NeverOverwrites) {
  fs::create_directories(where / "policy");
  std::ofstream(where / "policy/policy.mesh") << "mine";
  EXPECT_EQ(run_in(where, "init").exit_code, 2);
  EXPECT_EQ(read_file(where / "policy/policy.mesh"), "mine");
}

TEST_F(Init, RefusesWhatMakesNoPolicy) {
  for (const char* service :
       {"shop", "=10.0.0.1:80", "any=10.0.0.1:80", "a--b=10.0.0.1:80", "a-=10.0.0.1:80", "1a=10.0.0.1:80",
        "a=10.0.0.1", "a=10.0.0.1:0", "a=10.0.0.1:65536", "a=10.0.0:80", "a=fd00::1:80", "a=[10.0.0.1]:80",
        "a=shop.example:80", "a=10.0.0.1:80 --service a=10.0.0.2:80",
        "a=10.0.0.1:80 --service b=10.0.0.1:80"}) {
    const Outcome init = run_in(where, std::string("init --service ") + service);
    EXPECT_EQ(init.exit_code, 2) << service << "\n" << init.output;
    EXPECT_FALSE(fs::exists(where / "policy/policy.mesh")) << service;
  }
}

TEST_F(Init, SaysWhatStandsInTheWay) {
  std::ofstream(where / "policy") << "a file";
  const Outcome init = run_in(where, "init");
  EXPECT_EQ(init.exit_code, 2);
  EXPECT_NE(init.output.find("`policy`"), std::string::npos) << init.output;
}

TEST(TestCommand, AWrongPolicyRunsNoTest) {
  const fs::path where = fs::path(testing::TempDir()) / ("heddle_wrong_" + std::to_string(getpid()));
  fs::create_directories(where);
  std::ofstream(where / "p.mesh")
      << "mesh m { trust_domain \"t\" }\ntest \"t\" { send GET \"/\" to nowhere expect allowed }\n";
  const Outcome test = run_in(where, "test p.mesh");
  EXPECT_EQ(test.exit_code, 1) << test.output;
  EXPECT_EQ(test.output.find("passed"), std::string::npos) << test.output;
  fs::remove_all(where);
}

}  // namespace
}  // namespace heddle
