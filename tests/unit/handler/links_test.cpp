#include "runtime/handler/links.h"

#include <gtest/gtest.h>

#include "runtime/handler/io/event_loop.h"
#include "tests/unit/handler/fake_fast_kernel.h"
#include "tests/unit/handler/world.h"

namespace heddle::handler {
namespace {

using testing_world::Peer;
using testing_world::Server;

constexpr std::uint64_t ms = 1'000'000;

struct Watcher final : Links::Watcher {
  void on_link(Link&) override { ++events; }
  void on_link_end(Link& link) override { ended.push_back(link.id()); }
  int events = 0;
  std::vector<std::uint64_t> ended;
};

class LinksTest : public testing::Test {
 protected:
  LinksTest() { links.tick(now); }

  /// A link that is connected; its id.
  std::uint64_t open() {
    EXPECT_TRUE(links.want(server.endpoint, {}));
    const std::size_t before = kernel.opened.size();
    while (kernel.opened.size() == before) loop.run_round(1000, [] {});
    return kernel.opened.back();
  }
  void pass(std::uint64_t milliseconds) {
    now += milliseconds * ms;
    links.tick(now);
  }

  Server server;
  FakeFastKernel kernel;
  Watcher watcher;
  std::array<hd_endpoint_state, 4> endpoints{};
  io::EventLoop loop = io::EventLoop::make().value();
  io::BufferPool buffers;
  upstream::Pool pool{loop, buffers, endpoints};
  Links links{kernel, pool, watcher};
  std::uint64_t now = 1'000'000 * ms;
};

TEST_F(LinksTest, OneIsOpenedWhereNoneWaits) {
  const std::uint64_t id = open();
  ASSERT_NE(links.find(id), nullptr);
  EXPECT_EQ(links.open(), 1U);
  EXPECT_EQ(endpoints[0].connections, 1U);
  EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 1U);
  kernel.set_link_state(id, HD_LINK_HELD);
  EXPECT_TRUE(links.want(server.endpoint, std::span(&id, 1)));  // the client's own
  EXPECT_EQ(links.open(), 1U);
  pass(1);  // the endpoint is known to be reached
  EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 2U);
}

TEST_F(LinksTest, AnIdleOneIsClosedAfterItsTime) {
  const std::uint64_t id = open();
  kernel.link(id).idle_since = now;
  pass(Links::idle_ms);
  EXPECT_EQ(links.open(), 1U);
  pass(1001);
  EXPECT_EQ(links.open(), 0U);
  EXPECT_EQ(kernel.link_state(id), HD_LINK_DEAD);
  EXPECT_EQ(endpoints[0].connections, 0U);
}

TEST_F(LinksTest, AHeldOneIsNotClosedHoweverOld) {
  const std::uint64_t id = open();
  kernel.set_link_state(id, HD_LINK_HELD);
  pass(10 * Links::idle_ms);
  EXPECT_EQ(links.open(), 1U);
  EXPECT_EQ(kernel.link_state(id), HD_LINK_HELD);
  EXPECT_FALSE(links.make_room(server.endpoint.state));
}

TEST_F(LinksTest, RoomIsMadeByAnIdleOne) {
  endpoints[0].connections_max = 1;
  const std::uint64_t id = open();
  upstream::Endpoint other = server.endpoint;
  EXPECT_FALSE(pool.reserve(other));
  other.state = 1;
  EXPECT_FALSE(links.make_room(other.state));
  EXPECT_TRUE(links.make_room(server.endpoint.state));
  EXPECT_EQ(kernel.link_state(id), HD_LINK_DEAD);
  EXPECT_EQ(links.find(id), nullptr);
  EXPECT_TRUE(pool.reserve(server.endpoint));
  EXPECT_FALSE(links.want(server.endpoint, {}));
}

TEST_F(LinksTest, AnEndpointThatTheProgramsDoNotSeeIsLeftAlone) {
  kernel.enrols_servers = false;
  const std::uint64_t id = open();
  pass(Links::opening_ms - 1);
  EXPECT_EQ(links.open(), 1U);
  pass(1);
  EXPECT_EQ(links.open(), 0U);
  EXPECT_EQ(kernel.link_state(id), HD_LINK_DEAD);
  EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 0U);
  pass(Links::unreachable_ms);
  EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 1U);
}

/// Otherwise each request to a server outside of the mesh would open one more.
TEST_F(LinksTest, OneAtATimeUntilTheProgramsHaveSeenTheEndpoint) {
  kernel.enrols_servers = false;
  const std::uint64_t first = open();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 1U);
  kernel.set_link_state(first, HD_LINK_HELD);
  pass(1);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 1 + Links::opening_max);
}

TEST_F(LinksTest, ALinkThatTheProgramsDoNotKnowIsClosed) {
  kernel.gives_links = false;
  EXPECT_TRUE(links.want(server.endpoint, {}));
  Peer peer;
  while (!peer) peer = server.accept();
  for (int i = 0; i < 3; ++i) loop.run_round(10, [] {});
  pass(Links::opening_ms);
  EXPECT_EQ(links.open(), 0U);
  EXPECT_EQ(endpoints[0].connections, 0U);
}

/// Its record is used again only when the list has let go of it.
TEST_F(LinksTest, DeadOnesAreSweptOffTheirList) {
  const std::uint64_t id = open();
  kernel.link(id).idle_since = now;
  // When the endpoint is first asked for: of a worker before this one.
  EXPECT_EQ(kernel.swept, std::vector<std::uint32_t>{server.endpoint.state});
  kernel.swept.clear();
  pass(1001);
  EXPECT_TRUE(kernel.swept.empty());
  links.kill(*links.find(id));
  EXPECT_TRUE(links.any());
  pass(1001);
  EXPECT_EQ(kernel.swept, std::vector<std::uint32_t>{server.endpoint.state});
  EXPECT_FALSE(links.any());
  pass(1001);
  EXPECT_EQ(kernel.swept.size(), 1U);
}

/// All records are in use: one that waits for another endpoint makes room.
TEST_F(LinksTest, WhereThereIsNoRecordAnIdleOneOfAnotherEndpointGoes) {
  const std::uint64_t idle = open();
  kernel.link(idle).idle_since = now;
  kernel.gives_links = false;
  upstream::Endpoint other = server.endpoint;
  other.state = 1;
  EXPECT_TRUE(links.want(other, {}));
  Peer first = server.accept(), second;
  while (!second) second = server.accept();
  for (int i = 0; i < 3; ++i) loop.run_round(10, [] {});
  kernel.swept.clear();
  pass(1);
  EXPECT_EQ(kernel.link_state(idle), HD_LINK_DEAD);
  EXPECT_EQ(kernel.swept, std::vector<std::uint32_t>{server.endpoint.state});
  EXPECT_EQ(endpoints[0].evictions, 1U);
  EXPECT_EQ(links.open(), 0U);
  kernel.gives_links = true;
  pass(Links::scarce_ms);
  EXPECT_TRUE(links.want(other, {}));
  EXPECT_EQ(links.open(), 1U);
}

TEST_F(LinksTest, AnEndpointThatRefuses) {
  server.close();
  EXPECT_TRUE(links.want(server.endpoint, {}));
  for (int i = 0; i < 100 && links.open() != 0; ++i) loop.run_round(10, [] {});
  EXPECT_EQ(links.open(), 0U);
  EXPECT_EQ(endpoints[0].connections, 0U);
  EXPECT_TRUE(links.want(server.endpoint, {}));
  EXPECT_EQ(links.open(), 0U);  // not at once
}

TEST_F(LinksTest, TheEndIsSeen) {
  const std::uint64_t id = open();
  Peer peer;
  while (!peer) peer = server.accept();
  peer.close();
  while (watcher.events == 0) loop.run_round(1000, [] {});
  links.kill(*links.find(id));
  EXPECT_EQ(links.find(id), nullptr);
  EXPECT_EQ(links.open(), 0U);
}

TEST_F(LinksTest, OneThatDiedWithoutASignIsFound) {
  const std::uint64_t id = open();
  kernel.set_link_state(id, HD_LINK_DEAD);
  pass(2000);
  EXPECT_EQ(watcher.ended, std::vector<std::uint64_t>{id});
}

/// The program at a client took the link a moment before the handler would have closed it, or its record is
/// another's.
TEST_F(LinksTest, LostRaces) {
  const std::uint64_t id = open();
  kernel.link(id).idle_since = now;
  kernel.set_link_state(id, HD_LINK_HELD);
  pass(Links::idle_ms + 2000);
  EXPECT_EQ(kernel.link_state(id), HD_LINK_HELD);
  EXPECT_NE(links.find(id), nullptr);
  kernel.link(id).state += std::uint64_t{1} << 32;
  links.kill(*links.find(id));
  EXPECT_EQ(kernel.link_state(id), HD_LINK_HELD);
}

}  // namespace
}  // namespace heddle::handler
