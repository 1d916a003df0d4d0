#include <grp.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/kernel/agent_process.h"
#include "tests/kernel/scratch.h"
#include "tests/kernel/tiny_bundle.h"

namespace heddle::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::uint64_t decisions(const Json& status, const std::string& id) {
  for (const Json& rule : status["rules"]) {
    if (rule["id"] == id) return rule["decisions"];
  }
  return 0;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Agent : public testing::Test {
 protected:
  void SetUp() override {
    if (!privileged()) GTEST_SKIP() << "needs BPF";
    friends_ = root_.make("friend.slice/a.service");
    foes_ = root_.make("foe.slice");
    bundle_ = folder_.write("tiny.bundle", tiny_bundle_file(policy()));
  }

  /// No agent has left anything below this root, or anywhere for it.
  void expect_nothing_left() const {
    EXPECT_FALSE(fs::exists(control_));
    EXPECT_TRUE(eventually([this] { return !fs::exists(root_.path() + "/heddled"); }));
    for (const auto& entry : fs::directory_iterator("/sys/fs/bpf")) {
      if (entry.path().filename() != "heddle") continue;
      for (const auto& instance : fs::directory_iterator(entry.path())) {
        EXPECT_FALSE(contains(instance.path(), fs::path(root_.path()).filename())) << instance.path();
      }
    }
    EXPECT_EQ(run_in(friends_, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED)
        << "still led to the endpoint";
  }

  [[nodiscard]] TinyPolicy policy() const { return {server_.port(), 0}; }
  [[nodiscard]] std::vector<std::string> arguments() const {
    return {"--bundle", bundle_, "--cgroup-root", root_.path(), "--workers", "2"};
  }
  [[nodiscard]] int dial_as_friend() const {
    return run_in(friends_, [] { return dial("127.9.9.9", 7000); });
  }
  [[nodiscard]] int dial_as_foe() const {
    return run_in(foes_, [] { return dial("127.9.9.9", 7000); });
  }

  ScratchRoot root_;
  TemporaryFolder folder_;
  Greeter server_{"127.0.0.1", "x"};
  std::string control_ = folder_.path() + "/control.sock";
  std::string friends_;
  std::string foes_;
  std::string bundle_;
};

TEST_F(Agent, GovernsAndDetaches) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(dial_as_friend(), 0);
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  const Json status = agent.status();
  EXPECT_EQ(status["generation"], 1);
  EXPECT_EQ(status["adopted"], false);
  EXPECT_EQ(decisions(status, "access echo"), 1U);
  EXPECT_EQ(decisions(status, "route echo"), 1U);
  EXPECT_EQ(status["workloads"][0]["cgroups"], Json::array({friends_}));
  EXPECT_EQ(status["workloads"][1]["cgroups"], Json::array({foes_}));
  EXPECT_EQ(status["last_reload"]["ok"], true);
  EXPECT_EQ(status["events"]["received"], 0) << "nobody wants to read them";

  struct stat info{};
  ASSERT_EQ(::stat(control_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);

  const Json answer = agent.ask({{"op", "detach"}});
  EXPECT_EQ(answer["ok"], true);
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, EventsAreThereForWhoeverReadsThem) {
  std::vector<std::string> options = arguments();
  options.insert(options.end(), {"--log-level", "debug"});
  AgentProcess agent(options, control_);
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(dial_as_friend(), 0);
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  EXPECT_TRUE(eventually([&] { return agent.status()["events"]["received"] >= 2; }))
      << "one allowed, one refused";
}

TEST_F(Agent, WorkersHaveNoPrivilege) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  const Json workers = agent.status()["workers"];
  ASSERT_EQ(workers.size(), 2U);
  for (const Json& worker : workers) {
    EXPECT_EQ(worker["ready"], true);
    const fs::path process = "/proc/" + worker["pid"].dump();
    const std::string status = content_of(process / "status");
    const passwd* nobody =
        ::getpwnam("heddle-worker") != nullptr ? ::getpwnam("heddle-worker") : ::getpwnam("nobody");
    const std::string uid = std::to_string(nobody->pw_uid);
    EXPECT_TRUE(contains(status, "Uid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n")) << status;
    EXPECT_TRUE(contains(status, "Groups:\t \n")) << status;
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
      EXPECT_TRUE(contains(status, std::string(set) + ":\t0000000000000000\n")) << set;
    }
    EXPECT_TRUE(contains(status, "NoNewPrivs:\t1\n"));
    // Nothing of the supervisor's leaks: neither its control socket nor its inotify.
    for (const auto& entry : fs::directory_iterator(process / "fd")) {
      EXPECT_FALSE(contains(fs::read_symlink(entry.path()).string(), "inotify")) << entry.path();
    }
  }
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

/// Between a crash and the next start nobody but root can listen where clients of http services are led to.
TEST_F(Agent, ListenersHavePortsThatAreRootsAlone) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  for (const char* family : {"ipv4", "ipv6"}) {
    const int port = agent.status()["listeners"][family];
    EXPECT_GE(port, 600);
    EXPECT_LT(port, 1024);
    EXPECT_EQ(::getservbyport(htons(static_cast<std::uint16_t>(port)), nullptr), nullptr) << port;
  }
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
}

TEST_F(Agent, KilledWorkerIsReplacedAloneAndTheOthersStay) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  const Json before = agent.status()["workers"];
  ASSERT_EQ(::kill(before[0]["pid"].get<pid_t>(), SIGKILL), 0);
  ASSERT_TRUE(eventually([&] {
    const Json now = agent.status()["workers"];
    return now[0]["pid"] != before[0]["pid"] && now[0]["ready"] == true;
  }));
  const Json after = agent.status()["workers"];
  EXPECT_EQ(after[0]["restarts"], 1);
  EXPECT_EQ(after[1]["pid"], before[1]["pid"]);
  EXPECT_EQ(after[1]["restarts"], 0);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
}

TEST_F(Agent, SigtermAndCrashLeaveThePolicyInForce) {
  for (const int number : {SIGTERM, SIGKILL}) {
    AgentProcess agent(arguments(), control_);
    ASSERT_TRUE(agent.ready());
    const Json workers = agent.status()["workers"];
    agent.signal(number);
    EXPECT_EQ(agent.wait(), number == SIGTERM ? 0 : 256 + SIGKILL);
    EXPECT_EQ(dial_as_friend(), 0);
    EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
    for (const Json& worker : workers) {
      EXPECT_TRUE(eventually([&] { return ::kill(worker["pid"].get<pid_t>(), 0) != 0; }))
          << "a worker outlives it";
    }
  }
  AgentProcess next(arguments(), control_);
  ASSERT_TRUE(next.ready());
  EXPECT_EQ(next.status()["adopted"], true);
  EXPECT_EQ(next.status()["generation"], 3);
  EXPECT_EQ(decisions(next.status(), "access echo"), 2U) << "counters survive";
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  next.ask({{"op", "detach"}});
  EXPECT_EQ(next.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, ReloadTakesOverOrChangesNothing) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  // Who was a friend is a foe, and the other way round.
  TinyPolicy turned = policy();
  std::swap(turned.allowed, turned.denied);
  EXPECT_EQ(agent.ask({{"op", "reload"}}, tiny_bundle_file(turned))["generation"], 2);
  EXPECT_EQ(dial_as_friend(), ECONNREFUSED);
  EXPECT_EQ(dial_as_foe(), 0);

  std::vector<std::byte> broken = tiny_bundle_file(policy());
  broken[broken.size() / 2] ^= std::byte{1};
  const Json refused = agent.ask({{"op", "reload"}}, broken);
  EXPECT_EQ(refused["ok"], false);
  EXPECT_TRUE(contains(refused["error"]["what"], "checksum")) << refused;
  const Json status = agent.status();
  EXPECT_EQ(status["generation"], 2);
  EXPECT_EQ(status["last_reload"]["ok"], false);
  EXPECT_TRUE(contains(status["last_reload"]["error"], "checksum"));
  EXPECT_EQ(dial_as_friend(), ECONNREFUSED);
  EXPECT_EQ(dial_as_foe(), 0);
  EXPECT_EQ(agent.ask({{"op", "reload"}}, {})["ok"], false);
  EXPECT_EQ(agent.ask({{"op", "nonsense"}})["ok"], false);
  EXPECT_EQ(agent.ask({{"op", 7}})["ok"], false);

  // The file of --bundle again.
  agent.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return agent.status()["generation"] == 3; }));
  EXPECT_EQ(dial_as_friend(), 0);
  EXPECT_EQ(agent.status()["last_reload"]["ok"], true);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, NoConnectIsLostOrUndecidedDuringReloads) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  const auto dial_on = [](int expected) {
    return [expected] {
      for (int i = 0; i < 800; ++i) {
        if (dial("127.9.9.9", 7000) != expected) return 1;
      }
      return 0;
    };
  };
  Child friendly(friends_, dial_on(0));
  Child hostile(foes_, dial_on(ECONNREFUSED));
  TinyPolicy other = policy();
  for (int i = 0; i < 20; ++i) {
    other.route_digest = static_cast<unsigned char>(10 + i % 2);
    ASSERT_EQ(agent.ask({{"op", "reload"}}, tiny_bundle_file(other))["ok"], true) << i;
  }
  EXPECT_EQ(friendly.wait(), 0);
  EXPECT_EQ(hostile.wait(), 0);
  EXPECT_EQ(decisions(agent.status(), "access echo"), 800U);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, SecondOneIsRefusedAndTheFirstGoesOn) {
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  AgentProcess same_root(arguments(), folder_.path() + "/other.sock");
  EXPECT_EQ(same_root.wait(), 2);
  EXPECT_TRUE(contains(same_root.log(), "another `heddled` governs the cgroup root")) << same_root.log();
  const ScratchRoot elsewhere;
  AgentProcess same_control({"--bundle", bundle_, "--cgroup-root", elsewhere.path()}, control_);
  EXPECT_EQ(same_control.wait(), 2);
  EXPECT_TRUE(contains(same_control.log(), "another `heddled` listens on")) << same_control.log();
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  EXPECT_EQ(dial_as_friend(), 0);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, DetachAtEndLeavesNothing) {
  std::vector<std::string> list = arguments();
  list.push_back("--detach-at-end");
  AgentProcess agent(list, control_);
  ASSERT_TRUE(agent.ready());
  EXPECT_EQ(dial_as_friend(), 0);
  agent.signal(SIGTERM);
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, ConnectionsThatAreOlderAreListedUntilTheyEnd) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  sockaddr_storage at{};
  socklen_t size = sizeof(at);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  Child old(foes_, [&] {
    if (::connect(::socket(AF_INET, SOCK_STREAM, 0), reinterpret_cast<sockaddr*>(&at), size) != 0) return 1;
    char byte = 'c';
    static_cast<void>(::write(sockets[1], &byte, 1));
    ::pause();
    return 0;
  });
  char byte = 0;
  ASSERT_EQ(::read(sockets[0], &byte, 1), 1);
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  const Json listed = agent.status()["connections_before_attach"];
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0]["workload"], "foe");
  EXPECT_EQ(listed[0]["pid"], old.pid());
  ::kill(old.pid(), SIGKILL);
  old.wait();
  EXPECT_TRUE(eventually([&] { return agent.status()["connections_before_attach"].empty(); }));
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  ::close(listener);
  ::close(sockets[0]);
  ::close(sockets[1]);
}

TEST_F(Agent, SaysWhatIsWrongAndLeavesNothingHalfAttached) {
  std::vector<std::byte> cut = tiny_bundle_file(policy());
  cut.resize(cut.size() / 2);
  const std::string cut_path = folder_.write("cut.bundle", cut);
  const auto with = [&](const std::string& file) {
    return std::vector<std::string>{"--bundle", file, "--cgroup-root", root_.path()};
  };
  const std::vector<std::tuple<std::vector<std::string>, std::string, std::string>> cases{
      {with(cut_path), control_, "checksum is wrong"},
      {with(folder_.path() + "/none"), control_, "No such file"},
      {with("/proc/self/exe"), control_, "not a bundle"},
      {{"--bundle", bundle_, "--cgroup-root", "/tmp"}, control_, "not a folder of cgroup v2"},
      {{"--bundle", bundle_, "--cgroup-root", root_.path() + "/none"}, control_, "No such file"},
      {with(bundle_), folder_.path() + "/none/control.sock", "make its folder first"},
      {with(bundle_), bundle_, "no socket"},
      {{"--bundle", bundle_, "--trust", "key"}, control_, "not supported yet"},
      {{}, control_, "--bundle is required"}};
  for (const auto& [list, control, expected] : cases) {
    SCOPED_TRACE(expected);
    AgentProcess agent(list, control, folder_.path() + "/agent.log");
    EXPECT_EQ(agent.wait(), 2);
    EXPECT_TRUE(contains(agent.log(), expected)) << agent.log();
    expect_nothing_left();
  }
}

TEST_F(Agent, RefusesToRunInAWorkloadsCgroup) {
  AgentProcess agent(arguments(), control_, "",
                     [this] { std::ofstream(foes_ + "/cgroup.procs") << "0" << std::flush; });
  EXPECT_EQ(agent.wait(), 2);
  EXPECT_TRUE(contains(agent.log(), "the cgroup of the workload `foe`")) << agent.log();
  expect_nothing_left();
}

TEST_F(Agent, SaysWhichPrivilegeIsMissing) {
  fs::permissions(folder_.path(), fs::perms::all);
  const uid_t nobody = ::getpwnam("nobody")->pw_uid;
  AgentProcess agent(arguments(), control_, "", [nobody] {
    if (::setgroups(0, nullptr) != 0 || ::setuid(nobody) != 0) ::_exit(251);
  });
  EXPECT_EQ(agent.wait(), 2);
  EXPECT_TRUE(contains(agent.log(), "not allowed to use BPF: missing CAP_BPF")) << agent.log();
  EXPECT_TRUE(contains(agent.log(), "as root")) << agent.log();
  expect_nothing_left();
}

/// As the seccomp filter of a container does.
void forbid_bpf(int number) {
  std::array<sock_filter, 4> filter{{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_bpf},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number)},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    ::_exit(251);
  }
}

TEST_F(Agent, SaysWhatAContainerForbids) {
  AgentProcess filtered(arguments(), control_, "", [] { forbid_bpf(EPERM); });
  EXPECT_EQ(filtered.wait(), 2);
  EXPECT_TRUE(contains(filtered.log(), "seccomp filter")) << filtered.log();
  EXPECT_TRUE(contains(filtered.log(), "--privileged")) << filtered.log();
  AgentProcess without(arguments(), control_, "", [] { forbid_bpf(ENOSYS); });
  EXPECT_EQ(without.wait(), 2);
  EXPECT_TRUE(contains(without.log(), "no bpf() system call")) << without.log();
  expect_nothing_left();
}

/// A mount namespace without what is mounted at `path`.
void unmount(const std::string& path) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::umount2(path.c_str(), MNT_DETACH) != 0) {
    ::_exit(251);
  }
}

TEST_F(Agent, SaysThatCgroup2IsNotMounted) {
  const std::string mount = fs::path(root_.path()).parent_path();
  AgentProcess agent({"--bundle", bundle_}, control_, "", [mount] { unmount(mount); });
  EXPECT_EQ(agent.wait(), 2);
  EXPECT_TRUE(contains(agent.log(), "cgroup v2 is not mounted")) << agent.log();
  expect_nothing_left();
}

/// A mount of its own goes with the namespace, and everything pinned there with it.
TEST_F(Agent, MountsBpffsIfNobodyHas) {
  AgentProcess agent(arguments(), control_, "", [] { unmount("/sys/fs/bpf"); });
  ASSERT_TRUE(agent.ready()) << agent.log();
  EXPECT_EQ(dial_as_friend(), 0);
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
  expect_nothing_left();
}

TEST_F(Agent, MissingCgroupIsAWarningAndResolvedWhenItComes) {
  root_.remove("foe.slice");
  AgentProcess agent(arguments(), control_);
  ASSERT_TRUE(agent.ready());
  EXPECT_TRUE(contains(agent.log(), "no cgroup yet workload=foe")) << agent.log();
  EXPECT_EQ(agent.status()["workloads"][1]["cgroups"], Json::array());
  root_.make("foe.slice");
  EXPECT_TRUE(eventually([&] { return agent.status()["workloads"][1]["cgroups"].size() == 1; }, 100));
  EXPECT_EQ(dial_as_foe(), ECONNREFUSED);
  agent.ask({{"op", "detach"}});
  EXPECT_EQ(agent.wait(), 0);
}

}  // namespace
}  // namespace heddle::test
