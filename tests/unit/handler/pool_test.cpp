#include "runtime/handler/upstream/pool.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace heddle::upstream {
namespace {

class Server {
 public:
  Server() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 512), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    endpoint.port = ntohs(address.sin_port);
  }
  UniqueFd accept() { return UniqueFd(::accept(fd_.get(), nullptr, nullptr)); }

  Endpoint endpoint;

 private:
  UniqueFd fd_;
};

struct Client final : Owner {
  void on_upstream_events() override { ++events; }
  int events = 0;
};

class PoolTest : public testing::Test {
 protected:
  Connection* connected() {
    Connection* connection = pool.connect(server.endpoint, client);
    while (connection != nullptr && !connection->stream().writable()) round();
    return connection;
  }
  void round() {
    loop.run_round(1000, [] {});
  }

  Server server;
  Client client;
  io::EventLoop loop = io::EventLoop::make().value();
  io::BufferPool buffers;
  Pool pool{loop, buffers};
};

TEST_F(PoolTest, TheLastUsedComesFirst) {
  Connection* first = connected();
  Connection* second = connected();
  pool.keep(*first);
  pool.keep(*second);
  EXPECT_EQ(pool.idle(), 2U);
  EXPECT_EQ(pool.take_idle(server.endpoint, client), second);
  EXPECT_EQ(pool.take_idle(server.endpoint, client), first);
  EXPECT_EQ(pool.take_idle(server.endpoint, client), nullptr);
  EXPECT_TRUE(first->reused());
  pool.discard(*first);
  pool.discard(*second);
  EXPECT_EQ(pool.open(), 0U);
}

TEST_F(PoolTest, AnotherEndpointHasItsOwn) {
  pool.keep(*connected());
  Endpoint other = server.endpoint;
  ++other.port;
  EXPECT_EQ(pool.take_idle(other, client), nullptr);
}

TEST_F(PoolTest, TheEndOfTheServerEndsAnIdleConnection) {
  Connection* connection = connected();
  UniqueFd accepted = server.accept();
  pool.keep(*connection);
  accepted.reset();
  while (pool.open() != 0) round();
  EXPECT_EQ(pool.idle(), 0U);
  pool.collect();
}

TEST_F(PoolTest, BytesThatNobodyAskedForEndAnIdleConnection) {
  Connection* connection = connected();
  UniqueFd accepted = server.accept();
  pool.keep(*connection);
  ASSERT_EQ(::send(accepted.get(), "x", 1, 0), 1);
  while (pool.open() != 0) round();
  EXPECT_EQ(pool.idle(), 0U);
}

TEST_F(PoolTest, Bounded) {
  for (std::uint32_t i = 0; i < Pool::idle_per_endpoint + 5; ++i) {
    Connection* connection = connected();
    ASSERT_NE(connection, nullptr);
    UniqueFd accepted = server.accept();
    pool.keep(*connection);
    (void)accepted.release();
  }
  EXPECT_EQ(pool.idle(), Pool::idle_per_endpoint);
  EXPECT_EQ(pool.open(), Pool::idle_per_endpoint);
}

TEST_F(PoolTest, IdleTime) {
  pool.expire(1000);
  pool.keep(*connected());
  pool.expire(1000 + Pool::idle_ms - 1);
  EXPECT_EQ(pool.idle(), 1U);
  pool.expire(1000 + Pool::idle_ms);
  EXPECT_EQ(pool.idle(), 0U);
  EXPECT_EQ(pool.open(), 0U);
}

/// What decides whether a request may go out a second time.
TEST_F(PoolTest, NothingReceivedIsWhatTcpSays) {
  Connection* connection = connected();
  UniqueFd accepted = server.accept();
  connection->sent += connection->stream().send(std::string_view("first")).bytes;
  char bytes[16];
  ASSERT_EQ(::recv(accepted.get(), bytes, sizeof bytes, 0), 5);
  ASSERT_EQ(::send(accepted.get(), "ok", 2, 0), 2);  // carries the acknowledgement
  while (!connection->stream().readable()) round();
  (void)connection->stream().receive(bytes);
  pool.keep(*connection);
  ASSERT_EQ(pool.take_idle(server.endpoint, client), connection);
  EXPECT_TRUE(connection->nothing_received());
  connection->sent += connection->stream().send(std::string_view("second")).bytes;
  ASSERT_EQ(::recv(accepted.get(), bytes, sizeof bytes, 0), 6);
  ASSERT_EQ(::send(accepted.get(), "ok", 2, 0), 2);
  while (!connection->stream().readable()) round();
  EXPECT_FALSE(connection->nothing_received());
  pool.discard(*connection);
}

TEST_F(PoolTest, ServerThatWasGoneBeforeItReceivedNothing) {
  Connection* connection = connected();
  UniqueFd accepted = server.accept();
  connection->sent += connection->stream().send(std::string_view("first")).bytes;
  char bytes[16];
  ASSERT_EQ(::recv(accepted.get(), bytes, sizeof bytes, 0), 5);
  ASSERT_EQ(::send(accepted.get(), "ok", 2, 0), 2);
  while (!connection->stream().readable()) round();
  (void)connection->stream().receive(bytes);
  pool.keep(*connection);
  ASSERT_EQ(pool.take_idle(server.endpoint, client), connection);
  accepted.reset();
  connection->sent += connection->stream().send(std::string_view("second")).bytes;
  while (!connection->stream().broken()) round();
  EXPECT_TRUE(connection->nothing_received());
  pool.discard(*connection);
}

}  // namespace
}  // namespace heddle::upstream
