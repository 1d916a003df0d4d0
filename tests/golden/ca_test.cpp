// `heddle ca`: what it issues is what the agent's identity store reads, and what it refuses leaves nothing behind.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "runtime/handler/tls/identity_store.h"
#include "tests/golden/run.h"
#include "tests/unit/tls/certificates.h"

namespace heddle {
namespace {

namespace fs = std::filesystem;
using tls::certificates::Form;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

unsigned mode_of(const fs::path& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
}

/// An empty folder of its own, gone at the end.
struct Ca : testing::Test {
  fs::path where = fs::path(testing::TempDir()) / ("heddle_ca_" + std::to_string(getpid()));
  void SetUp() override { fs::create_directories(where); }
  void TearDown() override { fs::remove_all(where); }

  std::string run(const std::string& arguments, int exit_code = 0) {
    const Outcome outcome = run_in(where, arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << arguments << "\n" << outcome.output;
    return outcome.output;
  }
  void make_ca(const std::string& more = "") { run("ca init ca --trust-domain shop.example " + more); }
  tls::IdentityStore store() {
    tls::IdentityStore made((where / "svids").string());
    made.refresh(std::time(nullptr));
    return made;
  }
  std::string issuing(const std::string& arguments) {
    const std::string output = run("ca issue ca --out svids " + arguments, 2);
    EXPECT_FALSE(fs::exists(where / "svids"));
    return output;
  }
  void write_ca(const Form& form, const tls::PrivateKey& key) {
    const auto own = tls::certificates::issue(form);
    fs::create_directories(where / "ca");
    std::ofstream(where / "ca/ca.pem") << tls::certificates::pem({own});
    std::ofstream(where / "ca/ca-key.pem") << tls::certificates::pem(key ? key : own.key);
  }
};

TEST_F(Ca, IssuesWhatTheAgentReads) {
  EXPECT_EQ(run("ca init ca --trust-domain shop.example"),
            "wrote ca/ca.pem, which signs for spiffe://shop.example\n"
            "next:  heddle ca issue ca ns/shop/sa/web --out svids\n");
  const std::string output = run("ca issue ca ns/shop/sa/web spiffe://shop.example/api api --out svids --ttl 90m");
  EXPECT_TRUE(std::regex_match(output, std::regex("wrote svids/ns\\+shop\\+sa\\+web: spiffe://shop.example/ns/shop/sa/web until [0-9T:Z-]{20}\n"
                                                  "wrote svids/api: spiffe://shop.example/api until [0-9T:Z-]{20}\n")))
      << output;
  const tls::IdentityStore identities = store();
  for (const char* path : {"ns/shop/sa/web", "api"}) {
    const auto identity = identities.find({"shop.example", path});
    ASSERT_NE(identity, nullptr) << path;
    EXPECT_NEAR(static_cast<double>(identity->remaining_life(std::time(nullptr))), 90 * 60, 60);
    EXPECT_FALSE(identity->is_due(std::time(nullptr)));
  }
}

TEST_F(Ca, KeysAreNobodyElses) {
  make_ca();
  run("ca issue ca api --out svids");
  EXPECT_EQ(mode_of(where / "ca/ca-key.pem"), 0600u);
  EXPECT_EQ(mode_of(where / "svids/api/key.pem"), 0600u);
}

TEST_F(Ca, LeavesAnotherCaAsItIs) {
  make_ca();
  const std::string before = read_file(where / "ca/ca.pem");
  EXPECT_EQ(run("ca init ca --trust-domain other.example", 2),
            "heddle: `ca/ca.pem` exists, and is left as it is\n"
            "  help: name another folder, or use `--force`: what the old CA issued is then no longer believed\n");
  EXPECT_EQ(read_file(where / "ca/ca.pem"), before);
  fs::remove(where / "ca/ca.pem");
  EXPECT_NE(run("ca init ca --trust-domain other.example", 2).find("`ca/ca-key.pem` exists"), std::string::npos);
  run("ca init ca --trust-domain other.example --force");
  run("ca issue ca spiffe://other.example/web --out svids");
  EXPECT_NE(store().find({"other.example", "web"}), nullptr);
}

TEST_F(Ca, IssuesForItsTrustDomain) {
  make_ca();
  EXPECT_EQ(issuing("web spiffe://other.example/web"),
            "heddle: `spiffe://other.example/web` is in another trust domain than the CA, which issues for `shop.example`\n"
            "  help: issue it from a CA of its own: `heddle ca init DIR --trust-domain other.example`\n");
}

TEST_F(Ca, IssuesForIdsWithAPath) {
  make_ca();
  EXPECT_EQ(issuing("web a//b"),
            "heddle: `a//b` is no SPIFFE ID: its path has an empty segment: two slashes, or one at its beginning or end\n"
            "  help: write it as the policy does: `ns/shop/sa/web`, or `spiffe://shop.example/ns/shop/sa/web`\n");
  for (const char* id : {"/web", "web/", "..", "a/./b", "'a b'", "'a*'", "''", "spiffe://shop.example", "spiffe://shop.example/", "SPIFFE://shop.example/a",
                         "https://shop.example/a", "spiffe://shop.example:1/a"})
    EXPECT_NE(issuing(id).find("is no SPIFFE ID: "), std::string::npos) << id;
  EXPECT_NE(issuing(std::string(201, 'a')).find("is too long for the name of a folder"), std::string::npos);
}

TEST_F(Ca, NothingLivesLongerThanTheCa) {
  make_ca("--days 1");
  const std::string output = issuing("web --ttl 25h");
  EXPECT_TRUE(std::regex_match(output, std::regex("heddle: the CA lives until [0-9T:Z-]{20}, and what it issues cannot live longer\n"
                                                  "  help: write a shorter `--ttl`\n")))
      << output;
  run("ca issue ca web --out svids --ttl 23h");
}

TEST_F(Ca, SaysWhatIsWrongWithACa) {
  write_ca(tls::certificates::authority(), tls::certificates::make_key());
  EXPECT_EQ(issuing("web"),
            "heddle: `ca/ca-key.pem` is not the key of `ca/ca.pem`\n"
            "  help: `heddle ca init ca --force` makes another; what the old one issued is then no longer believed\n");
  Form form = tls::certificates::authority();
  form.to = -10;
  write_ca(form, nullptr);
  EXPECT_NE(issuing("web").find("heddle: `ca/ca.pem` has expired at 20"), std::string::npos);
  form = tls::certificates::authority();
  form.from = 1000;
  write_ca(form, nullptr);
  EXPECT_NE(issuing("web").find("heddle: `ca/ca.pem` is not valid before 20"), std::string::npos);
  write_ca(tls::certificates::leaf(), nullptr);
  EXPECT_NE(issuing("web").find("heddle: `ca/ca.pem` is no signing certificate of a trust domain\n"), std::string::npos);
  std::ofstream(where / "ca/ca.pem") << "words";
  EXPECT_NE(issuing("web").find("heddle: `ca/ca.pem` has no certificate that can be read\n"), std::string::npos);
}

TEST_F(Ca, SaysThatAKeyCannotBeRead) {
  make_ca();
  std::ofstream(where / "ca/ca-key.pem") << "words";
  EXPECT_NE(issuing("web").find("heddle: `ca/ca-key.pem` has no key that can be read\n"), std::string::npos);
  fs::remove(where / "ca/ca-key.pem");
  EXPECT_EQ(issuing("web"),
            "heddle: cannot open `ca/ca-key.pem`: No such file or directory\n"
            "  help: only who made the CA may read its key: issue as that user\n");
  fs::create_directory(where / "ca/ca-key.pem");
  EXPECT_NE(issuing("web").find("heddle: cannot read `ca/ca-key.pem`"), std::string::npos);
}

TEST_F(Ca, LeavesFilesOfOthersAsTheyAre) {
  make_ca();
  run("ca issue ca web --out svids");
  const std::string before = read_file(where / "svids/web/svid.pem");
  std::ofstream(where / "svids/web/notes") << "mine";
  EXPECT_EQ(run("ca issue ca web --out svids", 2),
            "heddle: `svids/web` has a file `notes` that is not ours, and is left as it is\n"
            "  help: write into another folder\n");
  EXPECT_EQ(read_file(where / "svids/web/svid.pem"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(where / "svids"), fs::directory_iterator()), 1) << "no draft is left";
}

TEST_F(Ca, RenewalIsSeenWhole) {
  make_ca();
  run("ca issue ca web --out svids");
  tls::IdentityStore identities = store();
  std::set<std::uint64_t> generations;
  std::atomic<bool> done = false;
  std::thread renewing([&] {
    for (int i = 0; i < 20; ++i) run("ca issue ca web --out svids");
    done = true;
  });
  while (!done) {
    identities.refresh(std::time(nullptr));
    for (const tls::IdentityReport& report : identities.reports(std::time(nullptr))) {
      EXPECT_FALSE(report.error) << report.error->what;
      generations.insert(report.identity->generation());
    }
  }
  renewing.join();
  EXPECT_GE(generations.size(), 10u);
  EXPECT_EQ(std::distance(fs::directory_iterator(where / "svids"), fs::directory_iterator()), 1) << "no draft is left";
}

}  // namespace
}  // namespace heddle
