// Two sessions whose bytes go to each other, and a peer that does not keep to the rules.
#include "runtime/handler/tunnel/session.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <deque>
#include <string>

#include "tests/unit/tunnel/user.h"

namespace heddle::tunnel {
namespace {


using testing_user::User;

struct End : Carrier {
  End(bool server, Pending& pending, io::BufferPool& pool) : session(Session::make(server, *this, pending, pool).value()) {}
  void on_output() override { ++outputs; }
  void on_connect(std::unique_ptr<Stream> stream, const Head& head) override {
    heads.push_back(head);
    if (refuse_with != 0) {
      session->refuse(*stream, refuse_with);
    } else {
      session->accept(*stream);
    }
    users.push_back(std::make_unique<User>(std::move(stream)));
  }

  std::unique_ptr<Session> session;
  std::deque<std::unique_ptr<User>> users;
  std::vector<Head> heads;
  std::uint16_t refuse_with = 0;
  int outputs = 0;
};

class SessionTest : public testing::Test {
 protected:
  /// Until neither has anything to say.
  void run() {
    for (int round = 0; round < 1000; ++round) {
      const bool moved = move(client, server) | move(server, client);
      client.session->ask_carrier();
      server.session->ask_carrier();
      const bool told = !pending.empty();
      pending.tell();
      if (!moved && !told) return;
    }
    FAIL() << "they go on for ever";
  }
  static bool move(End& from, End& to) {
    const std::string bytes(from.session->output().begin(), from.session->output().end());
    from.session->sent(bytes.size());
    (void)from.session->wake_for_output();
    if (!bytes.empty()) (void)to.session->receive(bytes);
    return !bytes.empty();
  }
  std::unique_ptr<User> connect(const std::string& authority = "10.0.0.1:80") {
    std::unique_ptr<Stream> stream = client.session->connect({"CONNECT", authority, "for=10.0.0.9", "k=v", ""});
    return stream == nullptr ? nullptr : std::make_unique<User>(std::move(stream));
  }
  std::pair<std::unique_ptr<User>, User*> connected() {
    auto user = connect();
    run();
    EXPECT_TRUE(user->stream->writable());
    return {std::move(user), server.users.back().get()};
  }

  Pending pending;
  io::BufferPool pool;
  End client{false, pending, pool};
  End server{true, pending, pool};
};

TEST_F(SessionTest, StreamCarriesBytesBothWaysAndEndsEachForItself) {
  auto [ours, theirs] = connected();
  EXPECT_EQ(server.heads.front().method, "CONNECT");
  EXPECT_EQ(server.heads.front().authority, "10.0.0.1:80");
  EXPECT_EQ(server.heads.front().forwarded, "for=10.0.0.9");
  EXPECT_EQ(server.heads.front().baggage, "k=v");
  EXPECT_EQ(server.heads.front().traceparent, "");
  EXPECT_EQ(ours->write("question"), 8U);
  run();
  EXPECT_EQ(theirs->read(), "question");
  EXPECT_EQ(theirs->last, io::Transfer::again);
  ours->stream->shut_down_writing();
  run();
  EXPECT_TRUE(theirs->stream->peer_closed());
  EXPECT_EQ(theirs->read(), "");
  EXPECT_EQ(theirs->last, io::Transfer::closed);
  EXPECT_EQ(theirs->write("answer"), 6U);
  theirs->stream->shut_down_writing();
  run();
  EXPECT_EQ(ours->read(), "answer");
  EXPECT_EQ(ours->last, io::Transfer::closed);
  EXPECT_EQ(client.session->streams(), 0U);
  EXPECT_EQ(server.session->streams(), 0U);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST_F(SessionTest, NothingIsWrittenBeforeThePeerAccepts) {
  auto user = connect();
  EXPECT_EQ(user->write("early"), 0U);
  EXPECT_EQ(user->last, io::Transfer::again);
}

TEST_F(SessionTest, RefusalIsAnErrorOfTheConnect) {
  for (const auto& [status, error] : {std::pair{403, EACCES}, {503, ECONNREFUSED}, {404, ECONNREFUSED}, {405, EPROTO}}) {
    server.refuse_with = static_cast<std::uint16_t>(status);
    auto user = connect();
    run();
    EXPECT_TRUE(user->stream->broken());
    EXPECT_EQ(user->stream->take_error(), error);
  }
  EXPECT_EQ(server.session->streams(), 0U);
  EXPECT_EQ(client.session->streams(), 0U);
}

TEST_F(SessionTest, ResetTakesUnreadBytesWithIt) {
  auto [ours, theirs] = connected();
  EXPECT_EQ(ours->write("half of"), 7U);
  run();
  ours->stream->close_with_reset();
  run();
  EXPECT_TRUE(theirs->stream->broken());
  EXPECT_EQ(theirs->read(), "");
  EXPECT_EQ(theirs->last, io::Transfer::failed);
  EXPECT_EQ(theirs->write("x"), 0U);
  EXPECT_EQ(theirs->last, io::Transfer::failed);
}

/// A close without a reset: what was written before is read, and then an end.
TEST_F(SessionTest, CloseLosesNothing) {
  auto [ours, theirs] = connected();
  EXPECT_EQ(theirs->write("the whole answer"), 16U);
  theirs->stream->close();
  run();
  EXPECT_EQ(ours->read(), "the whole answer");
  EXPECT_EQ(ours->last, io::Transfer::closed);
  ours->stream->close();
  run();
  EXPECT_EQ(client.session->streams() + server.session->streams(), 0U);
}

/// Closing is an end, not a reset, of which a peer may have so many only; who sends more all the same is told that nobody listens.
TEST_F(SessionTest, ManyThatAreClosedAreNoFlood) {
  for (std::uint64_t i = 0; i < 3 * Bounds::resets; ++i) {
    auto [ours, theirs] = connected();
    ours->stream->close();
    run();
    ASSERT_TRUE(theirs->stream->peer_closed()) << i;
    if (i % 10 == 0) {
      EXPECT_EQ(theirs->write("too late"), 8U);
      run();
      EXPECT_TRUE(theirs->stream->broken());
    }
    theirs->stream->close();
    run();
  }
  EXPECT_FALSE(server.session->over());
  EXPECT_EQ(client.session->streams() + server.session->streams(), 0U);
}

TEST_F(SessionTest, SlowReaderHoldsUpItsOwnStreamOnly) {
  auto [stalled, unread] = connected();
  auto [other, reader] = connected();
  const std::string much(1 << 20, 'x');
  std::size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += stalled->write(std::string_view(much).substr(0, much.size() - sent));
    run();
  }
  EXPECT_EQ(sent, Bounds::stream_window);
  EXPECT_FALSE(stalled->stream->writable());
  std::string received;
  for (std::size_t done = 0; done < much.size();) {
    done += other->write(std::string_view(much).substr(done));
    run();
    received += reader->read();
    run();
  }
  EXPECT_EQ(received, much);
  // And when he reads, it goes on.
  received = unread->read();
  run();
  EXPECT_TRUE(stalled->stream->writable());
  while (sent < much.size()) {
    sent += stalled->write(std::string_view(much).substr(sent));
    run();
    received += unread->read();
    run();
  }
  EXPECT_EQ(received, much);
  EXPECT_EQ(pool.in_use(), 0U);
}

/// What nobody takes from the output holds up the streams, too.
TEST_F(SessionTest, OutputIsBounded) {
  std::vector<std::unique_ptr<User>> users;
  for (int i = 0; i < 20; ++i) users.push_back(connected().first);
  const std::string much(Bounds::stream_window, 'x');
  for (const auto& user : users) (void)user->write(much);
  EXPECT_LE(client.session->output().size(), Bounds::output + 2 * 16384U);
  EXPECT_FALSE(users.back()->stream->writable());
  run();
  EXPECT_TRUE(users.back()->stream->writable());
}

/// Thousands that do not read cost what is said, and no more.
TEST_F(SessionTest, UnreadBytesOfAllStreamsAreBounded) {
  std::vector<std::unique_ptr<User>> users;
  const std::string much(Bounds::stream_window, 'x');
  for (std::size_t i = 0; i < 3 * Bounds::unread / Bounds::stream_window; ++i) {
    users.push_back(connect());
    run();
    (void)users.back()->write(much);
    run();
    (void)users.back()->write(much);
    run();
  }
  EXPECT_LE(pool.in_use() * io::BufferPool::small_bytes, Bounds::unread + Bounds::connection_window + users.size() * io::BufferPool::small_bytes);
  // Whoever reads gets all of it in the end.
  std::size_t read = 0;
  for (const auto& user : server.users) read += user->read().size();
  run();
  for (const auto& user : users) EXPECT_FALSE(user->stream->broken());
  EXPECT_GT(read, Bounds::unread);
}

TEST_F(SessionTest, EndOfTheSessionBreaksItsStreams) {
  auto [ours, theirs] = connected();
  EXPECT_EQ(ours->write("unread"), 6U);
  run();
  server.session.reset();
  pending.tell();
  EXPECT_TRUE(theirs->stream->broken());
  EXPECT_EQ(theirs->write("x"), 0U);
  EXPECT_EQ(theirs->last, io::Transfer::failed);
  theirs->stream->close();
}

TEST_F(SessionTest, DrainedSessionTakesNoMoreAndFinishesWhatIsThere) {
  auto [ours, theirs] = connected();
  server.session->drain();
  run();
  EXPECT_FALSE(client.session->takes_more());
  EXPECT_EQ(connect(), nullptr);
  EXPECT_EQ(ours->write("still"), 5U);
  run();
  EXPECT_EQ(theirs->read(), "still");
  EXPECT_FALSE(server.session->over());
  theirs->stream->close();
  ours->stream->close();
  run();
  EXPECT_TRUE(server.session->over());
  EXPECT_TRUE(client.session->over());
}

TEST_F(SessionTest, UserWhoIsGoneIsNotTold) {
  auto [ours, theirs] = connected();
  EXPECT_EQ(theirs->write("x"), 1U);
  move(server, client);
  EXPECT_FALSE(pending.empty());
  ours.reset();
  pending.tell();
  run();
  EXPECT_TRUE(theirs->stream->broken());
}

// ---- a peer that breaks the rules
// ------------------------------------------------------------------------------

/// Frames by hand, to a server.
class PeerTest : public testing::Test {
 protected:
  PeerTest() { send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(NGHTTP2_SETTINGS, 0, 0, "")); }

  static std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, const std::string& payload) {
    std::string out;
    for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift));
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift));
    return out + payload;
  }
  /// A literal field that is not indexed.
  static std::string field(const std::string& name, const std::string& value) {
    const auto length = [](std::size_t size) {
      std::string out;
      if (size < 127) return out + static_cast<char>(size);
      out.push_back(127);
      for (size -= 127; size >= 128; size /= 128) out.push_back(static_cast<char>(size % 128 + 128));
      return out + static_cast<char>(size);
    };
    return std::string(1, '\0') + length(name.size()) + name + length(value.size()) + value;
  }
  static std::string connect_head(const std::string& method = "CONNECT") {
    return field(":method", method) + field(":authority", "10.0.0.1:80");
  }
  bool send(const std::string& bytes) {
    const bool goes_on = server.session->receive(bytes);
    server.session->ask_carrier();
    pending.tell();
    answer.append(server.session->output().data(), server.session->output().size());
    server.session->sent(server.session->output().size());
    return goes_on;
  }
  /// Frames of a type among the answers.
  [[nodiscard]] int count(std::uint8_t type) const {
    int found = 0;
    for (std::size_t at = 0; at + 9 <= answer.size();) {
      const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(answer[at + i])); };
      found += byte(3) == type ? 1 : 0;
      at += 9 + (byte(0) << 16) + (byte(1) << 8) + byte(2);
    }
    return found;
  }

  Pending pending;
  io::BufferPool pool;
  End server{true, pending, pool};
  std::string answer;
};

constexpr std::uint8_t end_headers = NGHTTP2_FLAG_END_HEADERS;

TEST_F(PeerTest, OtherMethodsAreTheCarriersToRefuse) {
  server.refuse_with = 405;
  EXPECT_TRUE(send(frame(NGHTTP2_HEADERS, end_headers, 1, connect_head("GET") + field(":scheme", "http") + field(":path", "/"))));
  ASSERT_EQ(server.heads.size(), 1U);
  EXPECT_EQ(server.heads.front().method, "GET");
  EXPECT_EQ(count(NGHTTP2_HEADERS), 1);
}

TEST_F(PeerTest, LongHeadIsRefusedAndTheConnectionGoesOn) {
  std::string head = connect_head();
  for (int i = 0; i < 40; ++i) head += field("x-" + std::to_string(i), std::string(250, 'a'));
  EXPECT_TRUE(send(frame(NGHTTP2_HEADERS, end_headers, 1, head)));
  EXPECT_TRUE(server.heads.empty());
  EXPECT_EQ(count(NGHTTP2_HEADERS), 1);  // 431
  EXPECT_TRUE(send(frame(NGHTTP2_HEADERS, end_headers, 3, connect_head())));
  EXPECT_EQ(server.heads.size(), 1U);
}

TEST_F(PeerTest, ContinuationFloodEndsTheConnection) {
  bool goes_on = send(frame(NGHTTP2_HEADERS, 0, 1, connect_head()));
  int frames = 0;
  for (; goes_on && frames < 100; ++frames) goes_on = send(frame(NGHTTP2_CONTINUATION, 0, 1, field("x", "y")));
  EXPECT_FALSE(goes_on);
  EXPECT_LE(frames, static_cast<int>(Bounds::continuations) + 1);
  EXPECT_FALSE(server.session->problem().empty());
}

TEST_F(PeerTest, RapidResetEndsTheConnection) {
  bool goes_on = true;
  std::uint32_t id = 1;
  for (; goes_on && id < 5000; id += 2) {
    goes_on = send(frame(NGHTTP2_HEADERS, end_headers, id, connect_head()) + frame(NGHTTP2_RST_STREAM, 0, id, std::string("\0\0\0\x8", 4)));
    server.users.clear();
    goes_on = goes_on && count(NGHTTP2_GOAWAY) == 0;
  }
  EXPECT_EQ(count(NGHTTP2_GOAWAY), 1);
  EXPECT_LE(id, 2 * (Bounds::resets + 200));
}

TEST_F(PeerTest, PingAndSettingsFloodsEndTheConnection) {
  for (const auto& [type, payload] : {std::pair{NGHTTP2_PING, std::string(8, 'p')}, {NGHTTP2_SETTINGS, std::string()}}) {
    Pending told;
    End other(true, told, pool);
    std::string flood = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(NGHTTP2_SETTINGS, 0, 0, "");
    for (int i = 0; i < 1000; ++i) flood += frame(static_cast<std::uint8_t>(type), 0, 0, payload);
    EXPECT_FALSE(other.session->receive(flood) && !other.session->over());
  }
}

TEST_F(PeerTest, WindowGamesEndTheConnection) {
  EXPECT_TRUE(send(frame(NGHTTP2_HEADERS, end_headers, 1, connect_head())));
  (void)send(frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\x7F\xFF\xFF\xFF", 4)));
  EXPECT_EQ(count(NGHTTP2_GOAWAY), 1);
  EXPECT_TRUE(server.session->over());
}

TEST_F(PeerTest, DataPastTheWindowEndsTheConnectionOrTheStream) {
  EXPECT_TRUE(send(frame(NGHTTP2_HEADERS, end_headers, 1, connect_head())));
  for (std::uint32_t sent = 0; sent < Bounds::stream_window + 3 * 16384; sent += 16384)
    (void)send(frame(NGHTTP2_DATA, 0, 1, std::string(16384, 'x')));
  EXPECT_GE(count(NGHTTP2_GOAWAY) + count(NGHTTP2_RST_STREAM), 1);
  EXPECT_LE(pool.in_use() * io::BufferPool::small_bytes, Bounds::stream_window + 2 * 16384);
}

TEST_F(PeerTest, StreamsPastTheBoundAreRefused) {
  for (std::uint32_t i = 0; i < Bounds::streams + 10; ++i) (void)send(frame(NGHTTP2_HEADERS, end_headers, 1 + 2 * i, connect_head()));
  EXPECT_EQ(server.session->streams(), Bounds::streams);
}

TEST_F(PeerTest, HpackBombIsRefused) {
  // One entry of 4,000 bytes in the table, named again and again.
  std::string head = connect_head() + "\x40\x01" + "b";
  head += std::string("\x7f\xa1\x1e", 3) + std::string(4000, 'z');
  head += std::string(8000, static_cast<char>(0x80 | 62));
  (void)send(frame(NGHTTP2_HEADERS, end_headers, 1, head));
  EXPECT_TRUE(server.heads.empty());
}

TEST_F(PeerTest, NoHttp2EndsAtOnce) {
  Pending told;
  End other(true, told, pool);
  EXPECT_FALSE(other.session->receive(std::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
  EXPECT_FALSE(other.session->problem().empty());
}


}  // namespace
}  // namespace heddle::tunnel
