#include "runtime/handler/tls/identity_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/tls/certificates.h"

namespace heddle::tls {
namespace {

namespace fs = std::filesystem;
using namespace certificates;

const SpiffeId web_id{"shop.example", "ns/shop/sa/web"};

struct Store : testing::Test {
  fs::path where = fs::path(testing::TempDir()) / ("heddle_svids_" + std::to_string(getpid()));
  IdentityStore store{where.string()};
  Issued root = issue(authority());
  std::int64_t now = start() + 10;  // the files are older than what counts as fresh

  void SetUp() override { fs::create_directories(where); }
  void TearDown() override { fs::remove_all(where); }

  void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
  void write(const std::string& name, const IdentityFiles& content) {
    fs::create_directories(where / name);
    write_file(where / name / "svid.pem", content.svid);
    write_file(where / name / "key.pem", content.key);
    write_file(where / name / "bundle.pem", content.bundle);
  }
  IdentityFiles web(const Form& form = leaf()) { return files({issue_by(root, form)}, {root}); }
  std::string error_of(const std::string& name) {
    for (const IdentityReport& report : store.reports(now)) {
      if (report.name == name) return report.error ? report.error->what : "";
    }
    return "unknown";
  }
};

TEST_F(Store, HasWhatItsFoldersHave) {
  write("web", web());
  write("api", web(leaf("spiffe://shop.example/api")));
  EXPECT_TRUE(store.refresh(now));
  ASSERT_NE(store.find(web_id), nullptr);
  EXPECT_EQ(store.find(web_id)->id(), web_id);
  EXPECT_NE(store.find({"shop.example", "api"}), nullptr);
  EXPECT_EQ(store.find({"shop.example", "other"}), nullptr);
  EXPECT_NE(store.find(web_id)->generation(), store.find({"shop.example", "api"})->generation());
  EXPECT_EQ(store.reports(now).size(), 2u);
}

TEST_F(Store, NothingChangesWhileNothingIsChanged) {
  write("web", web());
  EXPECT_TRUE(store.refresh(now));
  const auto before = store.find(web_id);
  EXPECT_FALSE(store.refresh(now));
  EXPECT_FALSE(store.refresh(start())) << "nor when it is read again because it is fresh";
  EXPECT_EQ(store.find(web_id), before);
}

TEST_F(Store, LeavesTheRestAlone) {
  write(".web.new", web());
  write_file(where / "README", "words");
  EXPECT_FALSE(store.refresh(now));
  EXPECT_TRUE(store.reports(now).empty());
}

TEST_F(Store, TakesOverANewFolder) {
  write("web", web());
  store.refresh(now);
  const auto before = store.find(web_id);
  write(".new", web());
  fs::rename(where / "web", where / ".old");
  fs::rename(where / ".new", where / "web");
  EXPECT_TRUE(store.refresh(now));
  const auto after = store.find(web_id);
  EXPECT_GT(after->generation(), before->generation());
  EXPECT_NE(after->files(), before->files());
  EXPECT_EQ(before->id(), web_id) << "who holds the old one keeps it";
}

TEST_F(Store, FollowsLinks) {
  write(".one", web());
  fs::create_directory_symlink(".one", where / "web");
  store.refresh(now);
  const auto before = store.find(web_id);
  ASSERT_NE(before, nullptr);
  write(".two", web());
  fs::create_directory_symlink(".two", where / ".link");
  fs::rename(where / ".link", where / "web");
  EXPECT_TRUE(store.refresh(now));
  EXPECT_NE(store.find(web_id), before);
}

TEST_F(Store, SeesASecondWriteWithinATick) {
  write("web", web());
  store.refresh(start());
  const auto before = store.find(web_id);
  const IdentityFiles other = web();
  struct stat info{};
  ASSERT_EQ(::stat((where / "web/svid.pem").c_str(), &info), 0);
  write("web", other);
  const timespec times[2] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, (where / "web/svid.pem").c_str(), times, 0), 0);
  EXPECT_TRUE(store.refresh(start()));
  EXPECT_EQ(store.find(web_id)->files().svid, other.svid);
}

TEST_F(Store, KeepsTheOldWhileTheNewIsWrong) {
  write("web", web());
  store.refresh(now);
  const auto before = store.find(web_id);
  const IdentityFiles next = web();
  write_file(where / "web/svid.pem", next.svid.substr(0, next.svid.size() / 2));
  EXPECT_TRUE(store.refresh(now));
  EXPECT_EQ(store.find(web_id), before);
  EXPECT_NE(error_of("web").find("web/svid.pem` has no certificate that can be read"), std::string::npos) << error_of("web");
  EXPECT_FALSE(store.refresh(now)) << "it was said";
  write_file(where / "web/svid.pem", next.svid);
  EXPECT_TRUE(store.refresh(now));
  EXPECT_EQ(store.find(web_id), before);
  EXPECT_NE(error_of("web").find("key.pem` is not the key of"), std::string::npos) << error_of("web");
  write_file(where / "web/key.pem", next.key);
  EXPECT_TRUE(store.refresh(now));
  EXPECT_NE(store.find(web_id), before);
  EXPECT_EQ(error_of("web"), "");
}

TEST_F(Store, SaysWhatCannotBeRead) {
  write("web", web());
  fs::remove(where / "web/key.pem");
  fs::create_directory(where / "web/key.pem");
  store.refresh(now);
  EXPECT_EQ(store.find(web_id), nullptr);
  EXPECT_NE(error_of("web").find("key.pem` is no file"), std::string::npos) << error_of("web");
  fs::remove(where / "web/key.pem");
  store.refresh(now);
  EXPECT_NE(error_of("web").find("key.pem`: No such file"), std::string::npos) << error_of("web");
  fs::create_symlink("key.pem", where / "web/key.pem");
  store.refresh(now);
  EXPECT_NE(error_of("web").find("key.pem`: Too many levels"), std::string::npos) << error_of("web");
}

TEST_F(Store, RefusesWhatHasExpired) {
  Form form = leaf();
  form.to = 5;
  write("web", web(form));
  store.refresh(now);
  EXPECT_EQ(store.find(web_id), nullptr);
  EXPECT_NE(error_of("web").find("has expired"), std::string::npos) << error_of("web");
}

TEST_F(Store, SaysWhatExpiresInUse) {
  write("web", web());
  store.refresh(now);
  EXPECT_EQ(error_of("web"), "");
  now = start() + 3600;
  EXPECT_FALSE(store.refresh(now));
  EXPECT_NE(error_of("web").find("has expired at "), std::string::npos) << error_of("web");
  EXPECT_LE(store.find(web_id)->remaining_life(now), 0);
}

TEST_F(Store, TakesOverWhatBecomesValid) {
  Form form = leaf();
  form.from = 100;
  write("web", web(form));
  store.refresh(now);
  EXPECT_EQ(store.find(web_id), nullptr);
  EXPECT_TRUE(store.refresh(start() + 100)) << "nothing was written since";
  EXPECT_NE(store.find(web_id), nullptr);
}

TEST_F(Store, KeepsWhatHasGoneUntilItExpires) {
  write("web", web());
  store.refresh(now);
  fs::remove_all(where / "web");
  EXPECT_TRUE(store.refresh(now));
  EXPECT_NE(store.find(web_id), nullptr);
  EXPECT_NE(error_of("web").find("No such file"), std::string::npos) << error_of("web");
  EXPECT_TRUE(store.refresh(start() + 3600));
  EXPECT_EQ(store.find(web_id), nullptr);
  EXPECT_TRUE(store.reports(now).empty());
}

TEST_F(Store, AnIdentityHasOneFolder) {
  write("a", web());
  store.refresh(now);
  const auto before = store.find(web_id);
  write("b", web());
  store.refresh(now);
  EXPECT_EQ(store.find(web_id), before);
  EXPECT_NE(error_of("b").find("has the identity of"), std::string::npos) << error_of("b");
  fs::remove_all(where / "a");
  store.refresh(now);
  store.refresh(now);
  EXPECT_EQ(error_of("b"), "");
  EXPECT_NE(store.find(web_id), before) << "the other gave way";
}

TEST_F(Store, SaysThatThereIsNoFolder) {
  IdentityStore none((where / "none").string());
  EXPECT_TRUE(none.refresh(now));
  ASSERT_TRUE(none.error());
  EXPECT_NE(none.error()->what.find("none`: No such file"), std::string::npos);
  EXPECT_FALSE(none.refresh(now));
  fs::create_directories(where / "none");
  EXPECT_TRUE(none.refresh(now));
  EXPECT_FALSE(none.error());
}

}  // namespace
}  // namespace heddle::tls
