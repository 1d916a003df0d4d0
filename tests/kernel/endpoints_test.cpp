#include "runtime/loader/endpoints.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "runtime/loader/cgroup_tree.h"
#include "runtime/loader/node.h"
#include "tests/kernel/scratch.h"
#include "tests/kernel/tiny_bundle.h"

/// What a generation says of its endpoints, and what becomes of connections that never see the handler.
namespace heddle::loader {
namespace {

using test::dial;
using test::eventually;
using test::run_in;

class Table : public CgroupTable {
 public:
  explicit Table(const Generation& generation) : generation_(generation) {}
  Result<void> set(std::uint64_t id, hd_cgroup entry) override { return generation_.set_cgroup(id, entry); }
  void erase(std::uint64_t id) override { generation_.erase_cgroup(id); }

 private:
  const Generation& generation_;
};

/// A root under the tiny policy, whose service says what a test wants.
class Governed {
 public:
  Governed(const std::string& root, const bundle::Opened& opened)
      : root_(root), node_(Node::open(root).value()) {
    activate(opened);
    EXPECT_TRUE(node_.attach().ok());
  }
  void activate(const bundle::Opened& opened) {
    tree_.reset();
    table_.reset();
    auto generation = std::make_unique<Generation>(node_.load(opened).value());
    table_ = std::make_unique<Table>(*generation);
    std::vector<std::string> patterns;
    for (const auto& workload : opened.manifest.workloads) patterns.push_back(workload.cgroup);
    tree_ = CgroupTree::make(root_, patterns, *table_, [](const std::string&) {}).value();
    EXPECT_TRUE(node_.activate(*generation).ok());
    generation_ = std::move(generation);
  }
  [[nodiscard]] hd_endpoint_state& endpoint(std::size_t number) {
    return states().at(generation_->endpoint_slots().at(number));
  }
  [[nodiscard]] EndpointStates& states() {
    if (!states_) states_ = std::make_unique<EndpointStates>(EndpointStates::make(node_.state()).value());
    return *states_;
  }
  [[nodiscard]] Node& node() { return node_; }
  [[nodiscard]] const Generation& generation() const { return *generation_; }

 private:
  std::string root_;
  Node node_;
  std::unique_ptr<Generation> generation_;
  std::unique_ptr<Table> table_;
  std::unique_ptr<CgroupTree> tree_;
  std::unique_ptr<EndpointStates> states_;
};

bundle::Opened tiny(std::uint16_t port4, std::uint16_t port6, std::uint32_t failures,
                    std::uint32_t connections) {
  bundle::Opened opened = test::tiny_bundle({port4, port6});
  bundle::Manifest::Service& service = opened.manifest.services.at(0);
  service.connections = connections;
  service.eject.digest.fill(std::byte{7});
  service.eject.failures = failures;
  service.eject.time_ms = 60000;
  service.eject.share_ppm = 500000;
  return opened;
}

class Endpoints : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::privileged()) GTEST_SKIP() << "needs BPF";
  }
};

TEST(Ejectable, IsAShareAndNeverAll) {
  EXPECT_EQ(ejectable(0, 1000000), 0U);
  EXPECT_EQ(ejectable(1, 1000000), 0U);
  EXPECT_EQ(ejectable(2, 1000000), 1U);
  EXPECT_EQ(ejectable(2, 500000), 1U);
  EXPECT_EQ(ejectable(3, 500000), 1U);
  EXPECT_EQ(ejectable(4, 249999), 0U);
  EXPECT_EQ(ejectable(4, 250000), 1U);
  EXPECT_EQ(ejectable(10000, 990000), 9900U);
}

TEST_F(Endpoints, AreToldWhatThePolicySaysAndKeepWhatTheyCounted) {
  const test::ScratchRoot root;
  Governed governed(root.path(), tiny(1000, 1001, 5, 7));
  const std::vector<std::uint32_t> slots = governed.generation().endpoint_slots();
  for (std::size_t e = 0; e < 2; ++e) {
    const hd_endpoint_state& state = governed.endpoint(e);
    EXPECT_EQ(state.connections_max, 7U);
    EXPECT_EQ(state.eject_after, 5U);
    EXPECT_EQ(state.eject_ms, 60000U);
    EXPECT_EQ(state.eject_count, 2U);
    EXPECT_EQ(state.eject_next, slots.at(1 - e));
    hd_eject_group group{};
    ASSERT_EQ(bpf_map_lookup_elem(governed.node().state().fd("hd_eject_groups"), &state.eject_group, &group),
              0);
    EXPECT_EQ(group.allowed, 1U);
  }
  governed.endpoint(1).in_flight = 3;
  governed.endpoint(1).failures = 2;
  governed.endpoint(1).ejected_until = UINT64_MAX;

  governed.activate(tiny(1000, 1001, 6, 0));
  EXPECT_EQ(governed.endpoint(1).in_flight, 3U);
  EXPECT_EQ(governed.endpoint(1).failures, 2U);
  EXPECT_EQ(governed.endpoint(1).ejected_until, UINT64_MAX);
  EXPECT_EQ(governed.endpoint(1).eject_after, 6U);
  EXPECT_EQ(governed.endpoint(1).connections_max, 0U);

  governed.activate(tiny(1000, 1001, 0, 0));
  EXPECT_EQ(governed.endpoint(1).in_flight, 3U);
  EXPECT_EQ(governed.endpoint(1).eject_after, 0U);
  EXPECT_EQ(governed.endpoint(1).ejected_until, 0U) << "nobody ejects any more";
  ASSERT_TRUE(governed.node().detach().ok());
}

/// A generation that decides nothing yet changes nothing.
TEST_F(Endpoints, AreToldWhenAGenerationBeginsToDecide) {
  const test::ScratchRoot root;
  Governed governed(root.path(), tiny(1000, 0, 5, 7));
  ASSERT_TRUE(governed.node().load(tiny(1000, 0, 0, 9)).ok());
  EXPECT_EQ(governed.endpoint(0).connections_max, 7U);
  EXPECT_EQ(governed.endpoint(0).eject_after, 5U);
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Endpoints, LatenciesHaveAPlaceAndKeepIt) {
  const test::ScratchRoot root;
  Governed governed(root.path(), tiny(1000, 0, 0, 0));
  const int map = governed.node().state().fd("hd_latency");
  const std::uint32_t slot = governed.generation().counters().at(test::tiny_route);
  hd_latency latency{};
  ASSERT_EQ(bpf_map_lookup_elem(map, &slot, &latency), 0);
  EXPECT_EQ(latency.buckets[3], 0U);
  latency.buckets[3] = 11;
  ASSERT_EQ(bpf_map_update_elem(map, &slot, &latency, BPF_EXIST), 0);
  governed.activate(tiny(1000, 0, 0, 0));
  EXPECT_EQ(read_latency(governed.node().state(), slot).value().buckets[3], 11U);
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Endpoints, TcpConnectionsAreCountedWhileTheyLast) {
  const test::ScratchRoot root;
  const test::Greeter four("127.0.0.1", "hello");
  const std::string friends = root.make("friend.slice/a.service");
  Governed governed(root.path(), tiny(four.port(), 0, 0, 1));
  EXPECT_EQ(run_in(friends,
                   [&] {
                     int first = -1;
                     if (dial("10.96.0.10", 7000, &first) != 0) return 1;
                     if (dial("10.96.0.10", 7000) != ECONNREFUSED) return 2;
                     ::close(first);
                     return 0;
                   }),
            0);
  EXPECT_TRUE(eventually([&] { return governed.endpoint(0).in_flight == 0; }));
  EXPECT_EQ(run_in(friends, [&] { return dial("10.96.0.10", 7000); }), 0);
  EXPECT_TRUE(eventually([&] { return governed.endpoint(0).in_flight == 0; }));
  ASSERT_TRUE(governed.node().detach().ok());
}

TEST_F(Endpoints, AreEjectedAfterConnectionsThatAreNotMade) {
  const test::ScratchRoot root;
  const test::Greeter six("::1", "hello");
  std::uint16_t nobody = 0;
  {
    nobody = test::Greeter("127.0.0.1", "gone").port();
  }
  const std::string friends = root.make("friend.slice/a.service");
  Governed governed(root.path(), tiny(nobody, six.port(), 2, 0));
  int refused = 0;
  for (int i = 0; i < 12; ++i) {
    if (run_in(friends, [] { return dial("fd00::10", 7000); }) == ECONNREFUSED) ++refused;
  }
  EXPECT_EQ(refused, 2);
  EXPECT_NE(governed.endpoint(0).ejected_until, 0U);
  EXPECT_EQ(governed.endpoint(1).ejected_until, 0U);
  EXPECT_EQ(governed.endpoint(0).in_flight, 0U);
  ASSERT_TRUE(governed.node().detach().ok());
}

}  // namespace
}  // namespace heddle::loader
