// Bounds on what the handler does for requests on its own connections: the connections of an endpoint, and
// time.
#include <gtest/gtest.h>

#include <functional>

#include "runtime/handler/engine.h"
#include "tests/unit/handler/fake_decider.h"
#include "tests/unit/handler/world.h"

namespace heddle::handler {
namespace {

using testing_world::Peer;
using testing_world::Server;

constexpr std::string_view request = "GET /x HTTP/1.1\r\nHost: e\r\n\r\n";
constexpr std::string_view hasty = "GET /hasty/x HTTP/1.1\r\nHost: e\r\n\r\n";
constexpr std::string_view ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class BoundsTest : public testing::Test {
 protected:
  explicit BoundsTest(const Patience& patience = Patience()) {
    engine = Engine::make(decider, 100, patience, {endpoints, nullptr, ledger}).value();
    EXPECT_TRUE(engine->listen(testing_world::listen_on_loopback(port)));
  }
  bool until(const std::function<bool()>& done) {
    for (int i = 0; i < testing_world::patience_ms / 5; ++i) {
      if (done()) return true;
      engine->run_round(5);
    }
    return done();
  }
  Peer connect(std::string_view text) {
    Peer client = Peer::connect_to(port);
    client.send(text);
    return client;
  }
  Peer accept() {
    Peer peer;
    EXPECT_TRUE(until([&] { return static_cast<bool>(peer = server.accept()); }));
    return peer;
  }
  bool has(Peer& peer, std::string_view text) {
    return until([&] { return peer.received().find(text) != std::string::npos; });
  }

  Server server;
  FakeDecider decider{server.endpoint.port};
  std::array<hd_endpoint_state, 2> endpoints{};
  std::array<upstream::LedgerEntry, 2> ledger{};
  std::unique_ptr<Engine> engine;
  std::uint16_t port = 0;
};

/// Nothing is given up for having waited at an end.
class EndsTest : public BoundsTest {
 protected:
  EndsTest() : BoundsTest(waiting_for_long()) {}
  static Patience waiting_for_long() {
    Patience patience;
    patience.linger_ms = 3'600'000;
    return patience;
  }
  bool ended_with(Peer& client, std::string_view text) {
    return until([&] { return client.ended(); }) && client.received().ends_with(text);
  }
};

TEST_F(EndsTest, WhoAskedForTheEndIsNotWaitedFor) {
  Peer client = connect("GET /x HTTP/1.1\r\nHost: e\r\nConnection: close\r\n\r\n");
  accept().send(ok);
  EXPECT_TRUE(ended_with(client, "ok"));
  EXPECT_TRUE(until([this] { return engine->connection_count() == 0; }));  // the client has not closed
  EXPECT_FALSE(client.reset());
}

TEST_F(EndsTest, WhoWasToldToGoMaySendMore) {
  Peer client = connect("GET  /x HTTP/1.1\r\nHost: e\r\n\r\n");
  EXPECT_TRUE(until([&] { return client.ended(); }));
  EXPECT_TRUE(client.received().starts_with("HTTP/1.1 400 "));
  client.send("more");
  for (int i = 0; i < 20; ++i) engine->run_round(5);
  EXPECT_EQ(engine->connection_count(), 1U);
  EXPECT_FALSE(client.reset());
  client.close();
  EXPECT_TRUE(until([this] { return engine->connection_count() == 0; }));
}

TEST_F(BoundsTest, AFullEndpointRefuses) {
  endpoints[0].connections_max = 1;
  Peer first = connect(request);
  Peer served = accept();
  Peer second = connect(request);
  EXPECT_TRUE(until([this] { return !engine->room.empty(); }));
  Peer third = connect(request);
  EXPECT_TRUE(has(third, "HTTP/1.1 503 "));
  EXPECT_TRUE(has(third, "x-heddle-rule: service echo/full"));
  served.send(ok);
  EXPECT_TRUE(has(first, "ok"));
  EXPECT_EQ(endpoints[0].connections, 1U);
  EXPECT_TRUE(
      until([&] { return served.received().size() == 2 * request.size(); }));  // over the same connection
  served.send(ok);
  EXPECT_TRUE(has(second, "ok"));
}

TEST_F(BoundsTest, RequestsWaitInOrderAndAreBounded) {
  endpoints[0].connections_max = 1;
  decider.pending_max = 1;
  Peer first = connect(request);
  Peer served = accept();
  Peer second = connect(request);
  EXPECT_TRUE(until([this] { return decider.requests == 2; }));
  Peer third = connect(request);
  EXPECT_TRUE(until([this] { return decider.requests == 3; }));
  Peer fourth = connect(request);
  EXPECT_TRUE(has(fourth, "HTTP/1.1 503 "));
  served.send(ok);
  EXPECT_TRUE(has(first, "ok"));
  EXPECT_TRUE(until([&] { return served.received().size() == 2 * request.size(); }));
  served.send(ok);
  EXPECT_TRUE(has(second, "ok"));
  EXPECT_EQ(third.received(), "");
  // The server ends; the last one gets a connection of its own.
  served.close();
  Peer fresh = accept();
  EXPECT_TRUE(until([&] { return fresh.received() == request; }));
  fresh.send(ok);
  EXPECT_TRUE(has(third, "ok"));
  EXPECT_TRUE(engine->room.empty());
}

TEST_F(BoundsTest, AnotherWorkersRoomIsFound) {
  endpoints[0].connections_max = 1;
  endpoints[0].connections = 1;  // of another worker
  decider.pending_max = 1;
  Peer client = connect(request);
  EXPECT_TRUE(until([this] { return decider.requests == 1 && !engine->room.empty(); }));
  endpoints[0].connections = 0;
  Peer served = accept();
  EXPECT_TRUE(engine->room.empty());
}

TEST_F(BoundsTest, AClientThatGoesDoesNotWait) {
  endpoints[0].connections_max = endpoints[0].connections = 1;
  decider.pending_max = 1;
  Peer client = connect(request);
  EXPECT_TRUE(until([this] { return !engine->room.empty(); }));
  const linger at_once{1, 0};
  ::setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  client.close();
  EXPECT_TRUE(until([this] { return engine->room.empty(); }));
  EXPECT_TRUE(until([this] { return engine->connection_count() == 0; }));
  EXPECT_EQ(endpoints[0].connections, 1U);
}

TEST_F(BoundsTest, EveryConnectionIsCountedOff) {
  Peer client = connect(request);
  Peer served = accept();
  EXPECT_EQ(endpoints[0].connections, 1U);
  served.close();
  EXPECT_TRUE(has(client, "HTTP/1.1 502 "));
  EXPECT_EQ(endpoints[0].connections, 0U);
  server.close();
  client.forget();
  client.send(request);
  EXPECT_TRUE(has(client, "HTTP/1.1 503 "));
  EXPECT_EQ(endpoints[0].connections, 0U);
  EXPECT_TRUE(until([this] { return decider.events.size() == 2; }));
  EXPECT_EQ(decider.events[1].flags, HD_EVENT_CONNECT_FAILED);
}

TEST_F(BoundsTest, WhatADeadWorkerLeavesIsTakenBack) {
  endpoints[0].connections = 5;  // of others
  endpoints[0].in_flight = 8;    // with what the decision function counts: two of them
  Peer first = connect(request);
  Peer second = connect(request);
  Peer served = accept();
  Peer other = accept();
  EXPECT_EQ(endpoints[0].connections, 7U);
  EXPECT_EQ(ledger[0].connections, 2U);
  EXPECT_EQ(ledger[0].requests, 2U);
  EXPECT_TRUE(until([&] { return !served.received().empty() && !other.received().empty(); }));
  served.send(ok);
  EXPECT_TRUE(until([this] { return ledger[0].requests == 1; }));
  other.close();
  EXPECT_TRUE(until([this] { return ledger[0].connections == 1 && ledger[0].requests == 0; }));
  ledger[0].requests = 2;
  upstream::settle_ledger(ledger, endpoints);
  EXPECT_EQ(endpoints[0].connections, 5U);
  EXPECT_EQ(endpoints[0].in_flight, 6U);
  EXPECT_EQ(ledger[0].connections + ledger[0].requests, 0U);
  ledger[1].requests = 3;
  upstream::settle_ledger(ledger, endpoints);
  EXPECT_EQ(endpoints[1].in_flight, 0U);  // begun anew by a loader
  endpoints[0].connections += 1;          // this one goes on living
}

TEST_F(BoundsTest, LateBeforeTheFirstByte) {
  const std::uint64_t begin = io::monotonic_ns();
  Peer client = connect(hasty);
  Peer served = accept();
  EXPECT_TRUE(has(client, "HTTP/1.1 504 "));
  EXPECT_GE(io::monotonic_ns() - begin, std::uint64_t{FakeDecider::hasty_ms} * 1'000'000);
  EXPECT_TRUE(has(client, "x-heddle-rule: service echo/timeout"));
  EXPECT_TRUE(until([&] { return served.ended() || served.reset(); }));
  EXPECT_TRUE(until([this] { return decider.events.size() == 1; }));
  EXPECT_EQ(decider.events[0].flags, HD_EVENT_TIMEOUT);
  // The client's connection goes on.
  client.forget();
  client.send("GET /respond HTTP/1.1\r\nHost: e\r\n\r\n");
  EXPECT_TRUE(has(client, "hello\n"));
}

TEST_F(BoundsTest, LateInTheMiddle) {
  Peer client = connect(hasty);
  Peer served = accept();
  served.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nbegin");
  EXPECT_TRUE(has(client, "begin"));
  EXPECT_TRUE(until([&] { return client.reset(); }));
}

TEST_F(BoundsTest, InTime) {
  Peer client = connect(hasty);
  Peer served = accept();
  EXPECT_TRUE(until([&] { return served.received() == hasty; }));
  served.send(ok);
  EXPECT_TRUE(has(client, "ok"));
  const std::uint64_t over = io::monotonic_ns() + std::uint64_t{2 * FakeDecider::hasty_ms} * 1'000'000;
  EXPECT_TRUE(until([over] { return io::monotonic_ns() > over; }));
  EXPECT_TRUE(client.received().ends_with("ok"));
  EXPECT_FALSE(client.ended());
}

TEST_F(BoundsTest, LateWhileItWaitsForRoom) {
  endpoints[0].connections_max = endpoints[0].connections = 1;
  decider.pending_max = 1;
  Peer client = connect(hasty);
  EXPECT_TRUE(has(client, "HTTP/1.1 504 "));
  EXPECT_TRUE(engine->room.empty());
}

}  // namespace
}  // namespace heddle::handler
