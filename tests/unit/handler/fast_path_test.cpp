// The handler's side of the fast path, with the programs played by the test: sockets are real, records are
// memory.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "runtime/handler/engine.h"
#include "tests/unit/handler/fake_decider.h"
#include "tests/unit/handler/fake_fast_kernel.h"
#include "tests/unit/handler/world.h"

namespace heddle::handler {
namespace {

using testing_world::Peer;
using testing_world::Server;

constexpr std::string_view request = "GET /x HTTP/1.1\r\nHost: e\r\n\r\n";
constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class FastPathTest : public testing::Test {
 protected:
  explicit FastPathTest(std::uint64_t idle_ms = 60'000) {
    Patience patience;
    patience.idle_ms = idle_ms;
    auto made = Engine::make(decider, 100, patience, {endpoints, &kernel});
    EXPECT_TRUE(made);
    engine = std::move(made).value();
    EXPECT_TRUE(engine->listen(testing_world::listen_on_loopback(port)));
  }

  bool until(const std::function<bool()>& done) {
    for (int i = 0; i < testing_world::patience_ms / 5; ++i) {
      if (done()) return true;
      engine->run_round(5);
    }
    return done();
  }
  void rounds(int count) {
    for (int i = 0; i < count; ++i) engine->run_round(5);
  }

  /// A client with a flow that is armed.
  Peer connect() {
    flow = decider.flow = kernel.new_flow();
    Peer client = Peer::connect_to(port);
    EXPECT_TRUE(until([this] { return kernel.state(flow) == HD_FLOW_ARMED; }));
    return client;
  }
  Peer accept() {
    Peer peer;
    EXPECT_TRUE(until([&] { return static_cast<bool>(peer = server.accept()); }));
    return peer;
  }
  /// A client that has had one answer, and the server's end of the link that was opened meanwhile.
  Peer connect_with_link(Peer& client) {
    client = connect();
    client.send(request);
    Peer slow = accept();
    EXPECT_TRUE(until([&] { return slow.received() == request; }));
    Peer fast = accept();
    slow.send(ok);
    EXPECT_TRUE(until([&] { return client.received() == ok && kernel.state(flow) == HD_FLOW_ARMED; }));
    EXPECT_TRUE(until([&] { return kernel.opened.size() == 1; }));
    client.forget();
    link = kernel.opened.front();
    slow_ = std::move(slow);
    EXPECT_TRUE(until([&] { return decider.events.size() == 1; }));
    decider.events.clear();
    return fast;
  }
  hd_decision decision() {
    hd_decision made{};
    made.generation = 1;
    made.verdict = HD_VERDICT_FORWARD;
    made.rule = 3;
    return made;
  }
  void send_fast() { kernel.send(flow, link, decision()); }
  /// The client has used another link since.
  void keep_as_spare() {
    kernel.flow(flow).link = 0;
    kernel.flow(flow).spare[1] = link;
    kernel.link(link).flow = flow;
  }
  /// The endpoint has as many connections as it may; one is kept by the client, who rests. Another one asks.
  void ask_where_a_client_rests() {
    endpoints[0].connections_max = 2;
    const std::uint64_t resting = flow;
    kernel.set_state(resting, HD_FLOW_ARMED);
    slow_.close();  // the other connection of the endpoint is gone, and another worker has taken its place
    EXPECT_TRUE(until([this] { return endpoints[0].connections == 1; }));
    endpoints[0].connections = 2;
    Peer other = connect();
    other.send(request);
    Peer served = accept();
    EXPECT_TRUE(until([&] { return served.received() == request; }));
    EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
    EXPECT_EQ(kernel.state(resting), HD_FLOW_ARMED);
    EXPECT_EQ(endpoints[0].connections, 2U);
    EXPECT_EQ(endpoints[0].evictions, 1U);
  }
  bool saw_event() {
    return until([this] { return !decider.events.empty(); });
  }

  Server server;
  FakeFastKernel kernel;
  FakeDecider decider{server.endpoint.port};
  std::array<hd_endpoint_state, 2> endpoints{};
  std::unique_ptr<Engine> engine;
  std::uint16_t port = 0;
  std::uint64_t flow = 0;
  std::uint64_t link = 0;
  Peer slow_;
};

class FastPathIdleTest : public FastPathTest {
 protected:
  FastPathIdleTest() : FastPathTest(150) {}
};

// ---- taking and arming

TEST_F(FastPathTest, AClientIsArmedWhenItComes) {
  Peer client = connect();
  EXPECT_EQ(kernel.flow(flow).counts, 0U);
  EXPECT_EQ(kernel.flow(flow).worker, FakeFastKernel::own_worker);
}

// Both sockets are closed, the record is given to the next client, and only then the handler sees the first one's end.
TEST_F(FastPathTest, AnEndThatIsSeenLateIsNotTheNextClients) {
  Peer first = connect();
  hd_flow& record = kernel.flow(flow);
  const std::uint64_t next = flow + (std::uint64_t{1} << 32);
  record.state = HD_FLOW_BASE(next & 0xffffffff00000000U) | HD_FLOW_TAKEN;
  decider.flow = next;
  Peer second = Peer::connect_to(port);
  ASSERT_TRUE(until([&] { return kernel.state(next) == HD_FLOW_ARMED; }));
  first.close();
  rounds(10);
  EXPECT_EQ(kernel.state(next), HD_FLOW_ARMED);

  kernel.set_state(next, HD_FLOW_SENT);
  second.send(request);
  ASSERT_TRUE(until([&] { return kernel.waited_for(next); }));
  kernel.set_state(next, HD_FLOW_DONE);
  kernel.ring(next, HD_BELL_FLOW);
  Peer slow = accept();
  EXPECT_TRUE(until([&] { return slow.received() == request; }));
}

TEST_F(FastPathTest, ARecordThatIsNotTheClientsIsLeftAlone) {
  flow = decider.flow = kernel.new_flow();
  kernel.flow(flow).state += std::uint64_t{1} << 32;
  Peer client = Peer::connect_to(port);
  client.send("GET /respond HTTP/1.1\r\nHost: e\r\n\r\n");
  EXPECT_TRUE(until([&] { return client.received().ends_with("hello\n"); }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_TAKEN);
  EXPECT_EQ(kernel.flow(flow).worker, HD_NONE);
}

TEST_F(FastPathTest, ARequestThatComesHereOpensALink) {
  Peer client;
  Peer fast = connect_with_link(client);
  EXPECT_EQ(kernel.flow(flow).counts, std::uint64_t{ok.size()} << 32 | request.size());
  EXPECT_EQ(endpoints[0].connections, 2U);
}

TEST_F(FastPathTest, ItIsArmedBeforeTheLastBytesAreSent) {
  Peer client = connect();
  client.send("GET /respond HTTP/1.1\r\nHost: e\r\n\r\nGET /big");
  EXPECT_TRUE(until([&] { return client.received().ends_with("hello\n"); }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_TAKEN);  // something of the client is here
  client.send(" HTTP/1.1\r\nHost: e\r\n\r\n");
  EXPECT_TRUE(until([&] { return client.received().size() > 300'000; }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
  EXPECT_EQ(kernel.flow(flow).counts >> 32, client.received().size());
}

/// An answer that does not go all at once is the handler's to its end.
TEST_F(FastPathTest, DisarmedWhileTheClientDoesNotRead) {
  Peer client = connect();
  constexpr int answers = 60;  // more than all buffers together hold
  std::string many;
  for (int i = 0; i < answers; ++i) many += "GET /big HTTP/1.1\r\nHost: e\r\n\r\n";
  client.send(many);
  rounds(20);
  EXPECT_EQ(kernel.state(flow), HD_FLOW_TAKEN);
  EXPECT_TRUE(until([&] { return client.received().size() > answers * 300'000; }));
  EXPECT_TRUE(until([&] { return kernel.state(flow) == HD_FLOW_ARMED; }));
  EXPECT_EQ(kernel.flow(flow).counts, std::uint64_t{client.received().size()} << 32 | many.size());
}

TEST_F(FastPathTest, WaitsForTheEndOfAFastResponse) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  client.send(request);
  EXPECT_TRUE(until([this] { return kernel.waited_for(flow); }));
  rounds(3);
  EXPECT_EQ(slow_.received(), request);  // the first one
  EXPECT_EQ(kernel.state(flow), HD_FLOW_SENT);
  kernel.set_state(flow, HD_FLOW_DONE);
  kernel.ring(flow, HD_BELL_FLOW);
  EXPECT_TRUE(until([this] { return slow_.received().size() == 2 * request.size(); }));
  slow_.send(ok);
  EXPECT_TRUE(until([&] { return client.received() == ok; }));
}

TEST_F(FastPathTest, TheBellMayBeLost) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  client.send(request);
  EXPECT_TRUE(until([this] { return kernel.waited_for(flow); }));
  kernel.set_state(flow, HD_FLOW_ARMED);  // where landing is traced
  EXPECT_TRUE(until([this] { return slow_.received().size() == 2 * request.size(); }));
}

TEST_F(FastPathTest, TheLastPieceMustHaveLanded) {
  Peer client;
  Peer fast = connect_with_link(client);
  kernel.landed = false;
  kernel.set_state(flow, HD_FLOW_DONE);
  client.send(request);
  rounds(30);
  EXPECT_EQ(kernel.state(flow), HD_FLOW_DONE);
  EXPECT_EQ(slow_.received(), request);
  kernel.landed = true;
  EXPECT_TRUE(until([this] { return slow_.received().size() == 2 * request.size(); }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_TAKEN);
}

/// The client's next request goes fast between the proof of landing and the taking.
TEST_F(FastPathTest, LandingAndLost) {
  Peer client;
  Peer fast = connect_with_link(client);
  kernel.set_state(flow, HD_FLOW_DONE);
  kernel.while_settling = [this] {
    send_fast();
    kernel.while_settling = nullptr;
  };
  client.send(request);
  EXPECT_TRUE(until([this] { return kernel.waited_for(flow); }));
  EXPECT_EQ(slow_.received(), request);
}

// ---- responses over the link

TEST_F(FastPathTest, TheRestOfAResponse) {
  Peer client;
  Peer fast = connect_with_link(client);
  const std::uint64_t sent = kernel.flow(flow).counts >> 32;
  send_fast();
  kernel.flow(flow).bytes_out = 1000;
  kernel.flow(flow).left = 5;
  kernel.flow(flow).status = 206;
  kernel.set_state(flow, HD_FLOW_SPILL);
  fast.send("12");
  EXPECT_TRUE(until([&] { return client.received() == "12"; }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_SPILL);
  fast.send("345");
  EXPECT_TRUE(until([&] { return client.received() == "12345"; }));
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
  EXPECT_EQ(kernel.flow(flow).counts >> 32, sent + 5);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_HELD);
  const hd_event& event = decider.events.front();
  EXPECT_EQ(event.status, 206);
  EXPECT_EQ(event.bytes_out, 1000U);
  EXPECT_EQ(event.bytes_in, 50U);
  EXPECT_EQ(event.tier, HD_TIER_KERNEL);
  EXPECT_EQ(event.decision.rule, 3U);
}

TEST_F(FastPathTest, AWholeResponseWithARequestBehindIt) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  client.send(request);
  EXPECT_TRUE(until([this] { return kernel.waited_for(flow); }));
  kernel.flow(flow).state = (kernel.flow(flow).state & ~std::uint64_t{15}) | HD_FLOW_FRAMED;
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  fast.send(chunked);
  EXPECT_TRUE(until([this] { return slow_.received().size() == 2 * request.size(); }));
  EXPECT_EQ(client.received(), chunked);
  slow_.send(ok);
  EXPECT_TRUE(until([&] { return client.received() == chunked + std::string(ok); }));
  EXPECT_EQ(kernel.link_state(link), HD_LINK_HELD);
}

// Several reloads can lie between a request and its response.
TEST_F(FastPathTest, AResponseOutlivesTheGenerationThatDecided) {
  Peer client;
  Peer fast = connect_with_link(client);
  hd_decision old = decision();
  old.generation = 7;  // not known here any more
  kernel.send(flow, link, old);
  kernel.set_state(flow, HD_FLOW_FRAMED);
  fast.send(ok);
  EXPECT_TRUE(until([&] { return client.received() == ok; }));
  EXPECT_FALSE(client.ended());
}

TEST_F(FastPathTest, AResponseThatEndsWithTheConnection) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_state(flow, HD_FLOW_FRAMED);
  fast.send("HTTP/1.1 200 OK\r\n\r\nabc");
  fast.close();
  EXPECT_TRUE(until([&] { return client.ended(); }));
  EXPECT_TRUE(client.received().ends_with("\r\n\r\nabc"));
  EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
}

TEST_F(FastPathTest, BytesThatNobodyAskedForEndTheLink) {
  Peer client;
  Peer fast = connect_with_link(client);
  kernel.set_link_state(link, HD_LINK_HELD);
  kernel.link(link).flow = flow;
  kernel.flow(flow).link = link;
  fast.send("x");
  EXPECT_TRUE(until([this] { return kernel.link_state(link) == HD_LINK_DEAD; }));
  EXPECT_TRUE(until([&] { return fast.ended() || fast.reset(); }));
  EXPECT_EQ(client.received(), "");
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
}

// ---- room

TEST_F(FastPathTest, AClientThatRestsGivesItsLinkUpForARequest) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  ask_where_a_client_rests();
}

/// A link that a client keeps beside the one that it uses is in the way of others like that one.
TEST_F(FastPathTest, ASpareLinkIsGivenUpForARequest) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  keep_as_spare();
  ask_where_a_client_rests();
}

/// Who keeps one that leads where a request goes needs no other.
TEST_F(FastPathTest, ASpareLinkIsNotOpenedOnceMore) {
  Peer client;
  Peer fast = connect_with_link(client);
  kernel.set_link_state(link, HD_LINK_HELD);
  keep_as_spare();
  slow_.forget();
  client.send(request);
  EXPECT_TRUE(until([this] { return slow_.received() == request; }));
  slow_.send(ok);
  EXPECT_TRUE(until([&] { return client.received() == ok; }));
  rounds(5);
  EXPECT_EQ(kernel.opened.size(), 1U);
}

TEST_F(FastPathTest, ABusyClientKeepsItsLink) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  endpoints[0].connections_max = endpoints[0].connections;
  slow_.close();
  EXPECT_TRUE(until([this] { return endpoints[0].connections == 1; }));
  endpoints[0].connections = 2;
  Peer other = connect();
  other.send(request);
  EXPECT_TRUE(until([this] { return !engine->room.empty(); }));
  rounds(10);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_HELD);
  EXPECT_FALSE(engine->room.empty());
}

TEST_F(FastPathTest, AClientThatRestsLongGivesAScarceLinkToOthers) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_state(flow, HD_FLOW_ARMED);
  endpoints[0].connections_max = endpoints[0].connections;
  EXPECT_TRUE(until([this] { return kernel.link_state(link) == HD_LINK_IDLE; }));
  EXPECT_EQ(kernel.flow(flow).link, 0U);
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
}

// ---- ends

TEST_F(FastPathTest, TheServerEndsBeforeItAnswers) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  fast.close();
  EXPECT_TRUE(until([&] { return client.received().starts_with("HTTP/1.1 502 "); }));
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(decider.events.front().flags, HD_EVENT_SERVER_ABORTED);
  EXPECT_EQ(decider.events.front().tier, HD_TIER_KERNEL);
  EXPECT_EQ(decider.events.front().status, 502);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
  // The client goes on.
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
  client.forget();
  client.send("GET /respond HTTP/1.1\r\nHost: e\r\n\r\n");
  EXPECT_TRUE(until([&] { return client.received().ends_with("hello\n"); }));
}

TEST_F(FastPathTest, TheServerEndsInTheMiddle) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.flow(flow).status = 200;
  kernel.flow(flow).bytes_out = 100;
  kernel.flow(flow).left = 40;
  kernel.set_state(flow, HD_FLOW_ANSWERING);
  fast.close();
  EXPECT_TRUE(until([&] { return client.ended(); }));
  EXPECT_FALSE(client.reset());
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(decider.events.front().flags, HD_EVENT_SERVER_ABORTED);
  EXPECT_EQ(decider.events.front().bytes_out, 60U);
}

/// The link was closed when the request took it: no event will come.
TEST_F(FastPathTest, ARequestOnALinkThatIsClosed) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.flow(flow).link = link + 7;
  EXPECT_TRUE(until([&] { return client.received().starts_with("HTTP/1.1 502 "); }));
}

TEST_F(FastPathTest, ADeadLinkIsToldByTheBell) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_link_state(link, HD_LINK_DEAD);
  kernel.ring(link, HD_BELL_LINK);
  EXPECT_TRUE(until([&] { return client.received().starts_with("HTTP/1.1 502 "); }));
}

TEST_F(FastPathTest, LostBytesEndTheClient) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_state(flow, HD_FLOW_BROKEN);
  kernel.ring(flow, HD_BELL_FLOW);
  EXPECT_TRUE(until([&] { return client.reset(); }));
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(decider.events.front().flags, HD_EVENT_SERVER_ABORTED);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
}

TEST_F(FastPathTest, LostBytesBehindTheEventAreNoSecondOne) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.flow(flow).bytes_out = 10;
  kernel.flow(flow).left = 0;
  kernel.set_state(flow, HD_FLOW_BROKEN);
  EXPECT_TRUE(until([&] { return client.reset(); }));
  rounds(10);
  EXPECT_TRUE(decider.events.empty());
}

TEST_F(FastPathTest, AClientThatEndsGivesItsLinkToOthers) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_state(flow, HD_FLOW_DONE);
  client.close();
  EXPECT_TRUE(until([this] { return !kernel.given.empty(); }));
  EXPECT_EQ(kernel.given.front(), link);
  EXPECT_EQ(kernel.flow(flow).link, 0U);
  EXPECT_TRUE(until([this] { return engine->connection_count() == 0; }));
  EXPECT_TRUE(decider.events.empty());
}

TEST_F(FastPathTest, AClientThatEndsGivesItsSpareLinksToOthers) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  keep_as_spare();
  kernel.set_state(flow, HD_FLOW_DONE);
  client.close();
  EXPECT_TRUE(until([this] { return !kernel.given.empty(); }));
  EXPECT_EQ(kernel.given, std::vector<std::uint64_t>{link});
  EXPECT_EQ(kernel.flow(flow).spare[1], 0U);
}

TEST_F(FastPathTest, AClientThatEndsWithARequestUnderWayTakesTheLinkAlong) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.flow(flow).ends = HD_FLOW_HANDLER;
  client.close();
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(decider.events.front().flags, HD_EVENT_CLIENT_ABORTED);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
  EXPECT_TRUE(kernel.given.empty());
}

TEST_F(FastPathTest, AHalfCloseWaitsForTheResponse) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  client.shut_down();
  EXPECT_TRUE(until([this] { return kernel.waited_for(flow); }));
  rounds(5);
  EXPECT_FALSE(client.ended());
  kernel.set_state(flow, HD_FLOW_DONE);
  kernel.ring(flow, HD_BELL_FLOW);
  EXPECT_TRUE(until([&] { return client.ended(); }));
}

TEST_F(FastPathIdleTest, AClientThatIsBusyElsewhereIsNotIdle) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  rounds(5);
  EXPECT_EQ(engine->connection_count(), 1U);
  kernel.flow(flow).begin_ns = io::monotonic_ns();
  kernel.set_state(flow, HD_FLOW_DONE);
  rounds(2);
  EXPECT_EQ(engine->connection_count(), 1U);
  EXPECT_TRUE(until([&] { return client.ended(); }));  // and then it is
}

TEST_F(FastPathTest, Draining) {
  Peer busy;
  Peer fast = connect_with_link(busy);
  const std::uint64_t first = flow;
  Peer idle = connect();
  flow = first;
  send_fast();
  engine->drain();
  EXPECT_TRUE(until([&] { return idle.ended(); }));
  rounds(5);
  EXPECT_FALSE(busy.ended());
  kernel.set_state(flow, HD_FLOW_DONE);
  EXPECT_TRUE(until([&] { return busy.ended(); }));
  EXPECT_TRUE(until([this] { return engine->drained(); }));
}

// ---- time

TEST_F(FastPathTest, ARequestThatIsLateBeforeItsFirstByte) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.flow(flow).deadline_ns = io::monotonic_ns() + 20'000'000;
  EXPECT_TRUE(until([&] { return client.received().starts_with("HTTP/1.1 504 "); }));
  EXPECT_GE(io::monotonic_ns(), kernel.flow(flow).deadline_ns);
  EXPECT_NE(client.received().find("x-heddle-rule: service echo/timeout"), std::string::npos);
  ASSERT_TRUE(saw_event());
  EXPECT_EQ(decider.events.front().flags, HD_EVENT_TIMEOUT);
  EXPECT_EQ(kernel.link_state(link), HD_LINK_DEAD);
  EXPECT_TRUE(until([&] { return fast.ended() || fast.reset(); }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_ARMED);
}

TEST_F(FastPathTest, ARequestThatIsLateInTheMiddleOfItsResponse) {
  for (const hd_flow_state state : {HD_FLOW_ANSWERING, HD_FLOW_SPILL}) {
    kernel.opened.clear();
    Peer client = connect();
    link = 0;
    kernel.flow(flow).bytes_out = 100;
    kernel.flow(flow).left = 50;
    kernel.flow(flow).decision = decision();
    kernel.flow(flow).deadline_ns = 1;
    kernel.set_state(flow, state);
    EXPECT_TRUE(until([&] { return client.reset(); })) << state;
    ASSERT_TRUE(saw_event());
    EXPECT_EQ(decider.events.front().flags, HD_EVENT_TIMEOUT);
    decider.events.clear();
  }
}

TEST_F(FastPathTest, ARelayThatIsLate) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.set_state(flow, HD_FLOW_FRAMED);
  fast.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(until([&] { return !client.received().empty(); }));
  client.forget();
  kernel.flow(flow).deadline_ns = 1;
  EXPECT_TRUE(until([&] { return client.received().starts_with("HTTP/1.1 504 "); }));
}

TEST_F(FastPathTest, MemoryIsGivenBackForWhoHasRead) {
  Peer client = connect();
  kernel.flow(flow).queued = 4096;
  EXPECT_TRUE(until([this] { return kernel.flow(flow).queued == 0; }));
}

TEST_F(FastPathTest, AnEndpointThatLeavesARequestUnreadIsLeftToTheHandler) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.unread = true;
  kernel.flow(flow).begin_ns = io::monotonic_ns();
  rounds(40);
  EXPECT_EQ(endpoints[0].slow_until, 0U);
  kernel.flow(flow).begin_ns = io::monotonic_ns() - FastPath::stalled_ns;
  const std::uint64_t before = io::monotonic_ns();
  EXPECT_TRUE(until([&] { return endpoints[0].slow_until >= before + FastPath::slow_ns; }));
  EXPECT_EQ(kernel.state(flow), HD_FLOW_SENT) << "the request waits for its answer";

  // Who comes now is served, and no link is opened for him.
  const std::size_t opened = kernel.opened.size();
  Peer second = connect();
  second.send(request);
  slow_.forget();
  ASSERT_TRUE(until([&] { return slow_.received() == request; }));
  slow_.send(ok);
  EXPECT_TRUE(until([&] { return second.received() == ok; }));
  rounds(20);
  EXPECT_EQ(kernel.opened.size(), opened);
}

TEST_F(FastPathTest, AMachineThatStoodStillIsNoServerThatLeavesARequestUnread) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  kernel.unread = true;
  std::uint64_t now = io::monotonic_ns() + FastPath::starved_ns;
  kernel.flow(flow).begin_ns = now;
  FastPath& path = *engine->fast_path;
  path.run(now);
  path.run(now += 5 * FastPath::stalled_ns);
  EXPECT_EQ(endpoints[0].slow_until, 0U) << "nobody has looked meanwhile";
  const std::uint64_t end = now + FastPath::stalled_ns;
  while (now < end) path.run(now += FastPath::starved_ns / 2);
  EXPECT_EQ(endpoints[0].slow_until, 0U);
  path.run(now += FastPath::starved_ns / 2);
  EXPECT_EQ(endpoints[0].slow_until, now + FastPath::slow_ns);
}

TEST_F(FastPathTest, AServerThatTakesLongIsNotOneThatLeavesARequestUnread) {
  Peer client;
  Peer fast = connect_with_link(client);
  send_fast();
  std::uint64_t now = io::monotonic_ns();
  const std::uint64_t end = now + 10 * FastPath::stalled_ns;
  while (now < end) engine->fast_path->run(now += FastPath::starved_ns / 2);
  EXPECT_EQ(endpoints[0].slow_until, 0U);
}

}  // namespace
}  // namespace heddle::handler
