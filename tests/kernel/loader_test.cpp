#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <mutex>

#include "embedded/refused_policy.h"
#include "runtime/loader/cgroup_tree.h"
#include "runtime/loader/decide_session.h"
#include "runtime/loader/node.h"
#include "runtime/loader/requirements.h"
#include "tests/kernel/scratch.h"
#include "tests/kernel/tiny_bundle.h"

namespace heddle::loader {
namespace {

using test::dial;
using test::eventually;
using test::run_in;
using test::tiny_bundle;
using test::TinyPolicy;

class GenerationTable : public CgroupTable {
 public:
  explicit GenerationTable(const Generation& generation) : generation_(generation) {}
  Result<void> set(std::uint64_t id, hd_cgroup entry) override { return generation_.set_cgroup(id, entry); }
  void erase(std::uint64_t id) override { generation_.erase_cgroup(id); }

 private:
  const Generation& generation_;
};

std::vector<std::string> patterns_of(const bundle::Manifest& manifest) {
  std::vector<std::string> patterns;
  for (const auto& workload : manifest.workloads) patterns.push_back(workload.cgroup);
  return patterns;
}

/// A root that is governed by the tiny policy.
class Governed {
 public:
  Governed(const std::string& root, const TinyPolicy& policy) : opened_(tiny_bundle(policy)) {
    Result<Node> node = Node::open(root);
    if (!node) throw std::runtime_error(node.error().what);
    node_ = std::make_unique<Node>(std::move(*node));
    Result<Generation> generation = node_->load(opened_);
    if (!generation) throw std::runtime_error(generation.error().what);
    generation_ = std::make_unique<Generation>(std::move(*generation));
    table_ = std::make_unique<GenerationTable>(*generation_);
    tree_ = CgroupTree::make(root, patterns_of(opened_.manifest), *table_, [](const std::string&) {}).value();
    must(node_->activate(*generation_));
    must(node_->attach());
  }
  [[nodiscard]] Node& node() { return *node_; }
  [[nodiscard]] const Generation& generation() const { return *generation_; }
  void stop_watching() { tree_.reset(); }
  [[nodiscard]] std::uint64_t count(std::uint32_t rule) const {
    return *read_counter(node_->state(), generation_->counters()[rule]);
  }

 private:
  static void must(const Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().what);
  }
  bundle::Opened opened_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<Generation> generation_;
  std::unique_ptr<GenerationTable> table_;
  std::unique_ptr<CgroupTree> tree_;
};

class Loader : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::privileged()) GTEST_SKIP() << "needs BPF";
  }
};

TEST_F(Loader, RefusesADeniedConnectAndLeadsAnAllowedOne) {
  const test::ScratchRoot root;
  const test::Greeter four("127.0.0.1", "hello from four");
  const test::Greeter six("::1", "hello from six");
  const std::string friends = root.make("friend.slice/a.service");
  const std::string foes = root.make("foe.slice");
  const std::string others = root.make("other.slice");
  Governed governed(root.path(), {four.port(), six.port()});

  for (const auto& [address, mapped, peer] : std::vector<std::tuple<std::string, bool, std::string>>{
           {"10.96.0.10", false, "10.96.0.10:7000"},
           {"127.9.9.9", false, "127.9.9.9:7000"},
           {"fd00::10", false, "[fd00::10]:7000"},
           {"10.96.0.10", true, "[::ffff:10.96.0.10]:7000"}}) {
    SCOPED_TRACE(address);
    const auto talk = [&, address = address, mapped = mapped, peer = peer] {
      int fd = -1;
      if (dial(address, 7000, &fd, mapped) != 0) return 1;
      if (test::peer_of(fd) != peer) return 2;
      return test::read_all(fd).rfind("hello from ", 0) == 0 ? 0 : 3;
    };
    EXPECT_EQ(run_in(friends, talk), 0);
    EXPECT_EQ(run_in(foes, [&, address = address,
                            mapped = mapped] { return dial(address, 7000, nullptr, mapped); }),
              ECONNREFUSED);
  }
  EXPECT_EQ(governed.count(test::tiny_allow), 4U);
  EXPECT_EQ(governed.count(test::tiny_route), 4U);
  EXPECT_EQ(governed.count(test::tiny_deny), 4U);

  // What is no service's, and who is no workload, are untouched.
  EXPECT_EQ(run_in(foes, [&] { return dial("127.0.0.1", four.port()); }), 0);
  EXPECT_EQ(run_in(others, [&] { return dial("127.0.0.1", four.port()); }), 0);
  EXPECT_EQ(run_in(root.path(), [&] { return dial("127.0.0.1", four.port()); }), 0);
  EXPECT_EQ(governed.count(test::tiny_deny), 4U);
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Loader, DetachLeavesNothing) {
  const test::ScratchRoot root;
  const test::Greeter server("127.0.0.1", "x");
  const std::string foes = root.make("foe.slice");
  Governed governed(root.path(), {server.port(), 0});
  const std::string folder = governed.node().folder();
  EXPECT_TRUE(std::filesystem::exists(folder));
  EXPECT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
  EXPECT_EQ(governed.count(test::tiny_deny), 1U);
  ASSERT_TRUE(governed.node().detach().ok());
  EXPECT_FALSE(std::filesystem::exists(folder));
  // Nobody listens at that address: the kernel itself refuses, and nobody counts.
  EXPECT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
  EXPECT_EQ(governed.count(test::tiny_deny), 1U);
}

TEST_F(Loader, SecondAgentIsRefused) {
  const test::ScratchRoot root;
  Governed governed(root.path(), {1, 0});
  const Result<Node> second = Node::open(root.path());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::busy);
  EXPECT_FALSE(Node::remove(root.path()).ok());
  ASSERT_TRUE(governed.node().detach().ok());
}

/// Somebody's program sits at one of the hooks and allows no other.
TEST_F(Loader, AttachIsAllOrNothing) {
  const test::ScratchRoot root;
  const std::array<bpf_insn, 2> allow{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = BPF_CGROUP_INET6_CONNECT;
  const UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "exclusive", "GPL", allow.data(),
                                       allow.size(), &options));
  ASSERT_TRUE(static_cast<bool>(program));
  const UniqueFd cgroup(::open(root.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(bpf_prog_attach(program.get(), cgroup.get(), BPF_CGROUP_INET6_CONNECT, 0), 0);

  Result<Node> node = Node::open(root.path());
  ASSERT_TRUE(node.ok()) << node.error().what;
  const Result<void> attached = node->attach();
  ASSERT_FALSE(attached.ok());
  EXPECT_NE(attached.error().what.find("cannot attach `hd_connect6`"), std::string::npos)
      << attached.error().what;
  EXPECT_FALSE(node->attached());
  EXPECT_TRUE(std::filesystem::is_empty(node->folder() + "/links"));
  for (const bpf_attach_type hook :
       {BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_SOCK_OPS}) {
    std::array<std::uint32_t, 8> ids{};
    std::uint32_t count = ids.size();
    EXPECT_TRUE(eventually([&] {
      count = ids.size();
      return bpf_prog_query(cgroup.get(), hook, 0, nullptr, ids.data(), &count) == 0 && count == 0;
    })) << hook;
  }
  ASSERT_EQ(bpf_prog_detach2(program.get(), cgroup.get(), BPF_CGROUP_INET6_CONNECT), 0);
  EXPECT_TRUE(node->attach().ok());
  ASSERT_TRUE(node->detach().ok());
}

/// The process is killed at its worst; policy and counters stay, and the next one takes over.
TEST_F(Loader, SurvivesACrashAndIsTakenOver) {
  const test::ScratchRoot root;
  const test::Greeter server("127.0.0.1", "x");
  const std::string friends = root.make("friend.slice/a.service");
  const std::string foes = root.make("foe.slice");
  const TinyPolicy policy{server.port(), 0};
  EXPECT_EQ(run_in("",
                   [&] {
                     const Governed governed(root.path(), policy);
                     ::kill(::getpid(), SIGKILL);
                     return 0;
                   }),
            256 + SIGKILL);
  EXPECT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
  EXPECT_EQ(run_in(friends, [] { return dial("127.9.9.9", 7000); }), 0);
  // Made while nobody watched: never without policy.
  const std::string fresh = root.make("friend.slice/b.service");
  EXPECT_EQ(run_in(fresh, [&] { return dial("127.0.0.1", server.port()); }), ECONNREFUSED);

  Governed next(root.path(), policy);
  EXPECT_TRUE(next.node().adopted());
  EXPECT_EQ(next.generation().number(), 2U);
  EXPECT_EQ(next.count(test::tiny_deny), 1U);
  EXPECT_EQ(next.count(test::tiny_allow), 1U);
  EXPECT_EQ(run_in(fresh, [] { return dial("127.9.9.9", 7000); }), 0);
  EXPECT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
  EXPECT_EQ(next.count(test::tiny_deny), 2U);
  ASSERT_TRUE(next.node().detach().ok());
}

TEST_F(Loader, RemoveCleansUpAfterACrash) {
  const test::ScratchRoot root;
  EXPECT_EQ(run_in("",
                   [&] {
                     const Governed governed(root.path(), {1, 0});
                     return 0;
                   }),
            0);
  const Result<bool> removed = Node::remove(root.path());
  ASSERT_TRUE(removed.ok()) << removed.error().what;
  EXPECT_TRUE(*removed);
  EXPECT_FALSE(*Node::remove(root.path()));
}

TEST_F(Loader, CgroupThatIsMadeAnewIsNeverWithoutPolicy) {
  const test::ScratchRoot root;
  const test::Greeter server("127.0.0.1", "x");
  root.make("foe.slice");
  Governed governed(root.path(), {server.port(), 0});
  for (int i = 0; i < 50; ++i) {
    root.remove("foe.slice");
    const std::string foes = root.make("foe.slice");
    // The child is in the cgroup at once: unresolved or denied, it never gets through to the service.
    ASSERT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
    ASSERT_TRUE(
        eventually([&] { return run_in(foes, [&] { return dial("127.0.0.1", server.port()); }) == 0; }, 100));
    const std::uint64_t before = governed.count(test::tiny_deny);
    ASSERT_EQ(run_in(foes, [] { return dial("127.9.9.9", 7000); }), ECONNREFUSED);
    ASSERT_EQ(governed.count(test::tiny_deny), before + 1);
  }
  // Nobody looks any more: what appears now stays refused.
  governed.stop_watching();
  root.remove("foe.slice");
  const std::string foes = root.make("foe.slice");
  EXPECT_EQ(run_in(foes, [&] { return dial("127.0.0.1", server.port()); }), ECONNREFUSED);
  ASSERT_TRUE(governed.node().detach().ok());
}

/// What hd_cgroups holds after any history is what a fresh look at the tree would enter.
TEST_F(Loader, TableHoldsWhatIsThereAndNothingElse) {
  class Recorded final : public CgroupTable {
   public:
    Result<void> set(std::uint64_t id, hd_cgroup entry) override {
      const std::lock_guard lock(mutex_);
      entries_[id] = entry.kind;
      return {};
    }
    void erase(std::uint64_t id) override {
      const std::lock_guard lock(mutex_);
      entries_.erase(id);
      ++erased_;
    }
    std::size_t erased() {
      const std::lock_guard lock(mutex_);
      return erased_;
    }
    std::map<std::uint64_t, std::uint32_t> entries() {
      const std::lock_guard lock(mutex_);
      return entries_;
    }

   private:
    std::mutex mutex_;
    std::map<std::uint64_t, std::uint32_t> entries_;
    std::size_t erased_ = 0;
  };
  const std::vector<std::string> patterns{"foe.slice", "friend.slice/*.service", "deep/*/er/x"};
  const auto ignore = [](const std::string&) {};
  const test::ScratchRoot root;
  root.make("friend.slice/old.service");
  Recorded kept;
  const auto tree = CgroupTree::make(root.path(), patterns, kept, ignore).value();
  for (int i = 0; i < 10; ++i) {
    root.make("foe.slice/inner");
    root.make("deep/" + std::to_string(i) + "/er/x");
    root.make("friend.slice/a.service");
    root.make("other/below");
    if (i % 2 == 0) root.remove("deep");
    root.remove("foe.slice");
    root.remove("friend.slice");
  }
  root.make("foe.slice");
  const auto fresh = [&] {
    Recorded now;
    const auto again = CgroupTree::make(root.path(), patterns, now, ignore).value();
    return now.entries();
  };
  EXPECT_TRUE(eventually([&] { return kept.entries() == fresh(); }))
      << kept.entries().size() << " " << fresh().size();
  EXPECT_EQ(fresh().size(), 7U);

  // What is there is never taken out for a moment: its connections would be refused.
  const std::size_t before = kept.erased();
  for (int i = 10; i < 20; ++i) root.make("deep/" + std::to_string(i) + "/er/x");
  EXPECT_TRUE(eventually([&] { return kept.entries() == fresh(); }));
  EXPECT_EQ(kept.erased(), before);
}

TEST_F(Loader, NewCgroupBesideAWorkloadIsFreeWithin100Milliseconds) {
  const test::ScratchRoot root;
  const test::Greeter server("127.0.0.1", "x");
  root.make("friend.slice/a.service");
  Governed governed(root.path(), {server.port(), 0});
  const auto reaches = [&](const std::string& cgroup) {
    return run_in(cgroup, [&] { return dial("127.0.0.1", server.port()); }) == 0;
  };
  for (int i = 0; i < 20; ++i) {
    const std::string beside = root.make("friend.slice/other" + std::to_string(i));
    ASSERT_TRUE(eventually([&] { return reaches(beside); }, 100)) << beside;
    // Below something that is no workload nothing is looked at, and nothing is refused.
    ASSERT_TRUE(reaches(root.make("friend.slice/other" + std::to_string(i) + "/deeper")));
  }
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Loader, CountersFollowTheRuleThroughAReload) {
  const test::ScratchRoot root;
  const test::Greeter server("127.0.0.1", "x");
  const std::string friends = root.make("friend.slice/a.service");
  Governed governed(root.path(), {server.port(), 0});
  EXPECT_EQ(run_in(friends, [] { return dial("127.9.9.9", 7000); }), 0);

  TinyPolicy changed{server.port(), 0};
  changed.route_digest = 66;
  const bundle::Opened opened = tiny_bundle(changed);
  Result<Generation> second = governed.node().load(opened);
  ASSERT_TRUE(second.ok()) << second.error().what;
  EXPECT_EQ(second->counters()[test::tiny_allow], governed.generation().counters()[test::tiny_allow]);
  EXPECT_NE(second->counters()[test::tiny_route], governed.generation().counters()[test::tiny_route]);
  EXPECT_EQ(*read_counter(governed.node().state(), second->counters()[test::tiny_route]), 0U);
  EXPECT_EQ(second->endpoint_slots(), governed.generation().endpoint_slots());
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Loader, SaysWhatTheKernelLacks) {
  bundle::Manifest manifest = tiny_bundle({1, 0}).manifest;
  EXPECT_TRUE(check_requirements(manifest).ok());
  manifest.requires_.kernel = "99.1";
  const Result<void> old = check_requirements(manifest);
  ASSERT_FALSE(old.ok());
  EXPECT_EQ(old.error().kind, ErrorKind::unsupported);
  EXPECT_NE(old.error().what.find("needs kernel 99.1, this is "), std::string::npos) << old.error().what;
}

TEST_F(Loader, ARefusalByTheVerifierNamesTheProgramAndItsReason) {
  bundle::Opened opened = tiny_bundle({1, 0});
  const auto refused = embedded::refused_policy();
  opened.bundle.object.assign(refused.begin(), refused.end());
  const Result<std::vector<ProgramFigures>> figures = verify(opened);
  ASSERT_FALSE(figures.ok());
  EXPECT_EQ(figures.error().kind, ErrorKind::verifier);
  EXPECT_NE(figures.error().what.find("refused program `connect4`"), std::string::npos)
      << figures.error().what;
  EXPECT_NE(figures.error().what.find("infinite loop"), std::string::npos) << figures.error().what;
}

TEST_F(Loader, WhatIsNoObjectIsRefused) {
  bundle::Opened opened = tiny_bundle({1, 0});
  opened.bundle.object.resize(opened.bundle.object.size() / 2);
  EXPECT_EQ(verify(opened).error().kind, ErrorKind::invalid);
  opened.bundle.object.clear();
  EXPECT_EQ(verify(opened).error().kind, ErrorKind::invalid);
}

TEST_F(Loader, VerifyTellsFigures) {
  const Result<std::vector<ProgramFigures>> figures = verify(tiny_bundle({1, 0}));
  ASSERT_TRUE(figures.ok()) << figures.error().what;
  ASSERT_EQ(figures->size(), 4U);
  for (const ProgramFigures& program : *figures) {
    EXPECT_GT(program.verified_instructions, 50U) << program.name;
    EXPECT_GT(program.instructions, 50U) << program.name;
    EXPECT_GT(program.jited_bytes, 50U) << program.name;
    EXPECT_GT(program.stack_bytes, 8U) << program.name;
    // Of all functions together, which no bound is set for: what the verifier bounds is the deepest chain.
  }
}

TEST_F(Loader, DecidesWithoutAttaching) {
  Result<DecideSession> session = DecideSession::make(tiny_bundle({4711, 0}));
  ASSERT_TRUE(session.ok()) << session.error().what;
  std::vector<DecideInput> inputs(200);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (i % 3 != 2) inputs[i].workload = static_cast<std::uint32_t>(i % 3);
    inputs[i].destination.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 9, 9, 9};
    inputs[i].destination.port = i % 5 == 0 ? 7001 : 7000;
    inputs[i].protocol = HD_PROTOCOL_TCP;
  }
  const Result<std::vector<hd_decision>> decisions = session->decide(inputs);
  ASSERT_TRUE(decisions.ok()) << decisions.error().what;
  ASSERT_EQ(decisions->size(), inputs.size());
  EXPECT_EQ(session->calls(), 4U);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const hd_decision& decision = (*decisions)[i];
    if (i % 5 == 0) {
      EXPECT_EQ(session->rule_id(decision.rule), "mesh/outside") << i;
      EXPECT_EQ(decision.caller, i % 3 == 2 ? HD_NONE : i % 3);
    }
  }
}

}  // namespace
}  // namespace heddle::loader
