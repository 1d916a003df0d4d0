// Two nodes in one process: their tunnels over loopback, with certificates of their own.
#include "runtime/handler/tunnel/tunnels.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <deque>

#include "tests/unit/handler/world.h"
#include "tests/unit/tls/certificates.h"
#include "tests/unit/tunnel/user.h"

namespace heddle::tunnel {
namespace {

using namespace tls::certificates;
using testing_user::User;

std::int64_t current = 0;
std::int64_t now() {
  return current;
}

const std::string web = "spiffe://shop.example/ns/shop/sa/web";
const std::string api = "spiffe://shop.example/ns/shop/sa/api";

SpiffeId id_of(const std::string& text) {
  return read_spiffe_id(text).id;
}

/// One node: its tunnels, and what comes to it.
struct Node final : Host {
  explicit Node(io::EventLoop& loop) : tunnels(loop, pool, now, [this](const Ended& ended) { note(ended); }) {}

  void note(const Ended& ended) {
    reports.push_back(ended.why);
    if (ended.refusal != nullptr) refusals.push_back(ended.refusal->rule);
  }
  void give(const std::vector<Issued>& chain, const std::vector<Issued>& roots) {
    auto made = tls::Identity::make(files(chain, roots), ++generation, current);
    ASSERT_TRUE(made) << made.error().what;
    shows = (*made)->id();
    tunnels.set_identities({std::move(made).value()}, {tls::make_ticket_key()});
  }
  std::shared_ptr<tls::TlsContext> context_for(const Target& /*local*/, std::uint16_t port) override {
    asked_port = port;
    return tunnels.server_context(shows);
  }
  void on_arrival(Session& session, std::unique_ptr<Stream> stream, const Arrival& arrival) override {
    arrivals.push_back(arrival);
    session.accept(*stream);
    users.push_back(std::make_unique<User>(std::move(stream)));
  }

  io::BufferPool pool;
  Tunnels tunnels;
  SpiffeId shows;
  std::uint64_t generation = 0;
  std::vector<std::string> reports;
  std::vector<tls::SvidRule> refusals;
  std::vector<Arrival> arrivals;
  std::deque<std::unique_ptr<User>> users;
  std::uint16_t asked_port = 0;
};

class TunnelsTest : public testing::Test {
 protected:
  TunnelsTest() {
    current = start();
    listener = handler::testing_world::listen_on_loopback(way.node.port);
    EXPECT_EQ(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);
    way.node.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    way.source = id_of(web);
    way.expected = {{"shop.example", ""}, {read_spiffe_pattern("spiffe://shop.example/ns/shop/sa/a*").id}};
    near.give({issue_by(root, leaf(web))}, {root});
    far.give({issue_by(root, leaf(api))}, {root});
  }

  /// Rounds of both nodes, until nothing happens any more.
  void run() {
    for (int quiet = 0; quiet < 2;) {
      bool woke = false;
      const auto wait = near.tunnels.next_in(clock_ms) == 0 || far.tunnels.next_in(clock_ms) == 0 ? 0 : 2;
      const auto before = std::chrono::steady_clock::now();
      loop.run_round(wait, [&] {
        woke = std::chrono::steady_clock::now() - before < std::chrono::microseconds(1500);
        for (Node* node : {&near, &far}) node->tunnels.begin_round(clock_ms);
      });
      UniqueFd client(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client) far.tunnels.accepted(std::move(client), hellos, far);
      for (Node* node : {&near, &far}) {
        node->tunnels.tell();
        node->tunnels.run(clock_ms);
        node->tunnels.flush();
      }
      quiet = woke ? 0 : quiet + 1;
    }
  }
  std::unique_ptr<User> connect(std::uint16_t port = 80) {
    const Target endpoint{way.node.address, port};
    auto stream = near.tunnels.connect(way, endpoint, {"CONNECT", authority_text(endpoint), "for=10.0.0.9", "", ""});
    return stream == nullptr ? nullptr : std::make_unique<User>(std::move(stream));
  }

  Issued root = issue(authority());
  io::EventLoop loop = io::EventLoop::make().value();
  tls::HelloReader hellos = tls::HelloReader::make().value();
  Node near{loop};
  Node far{loop};
  Way way;
  UniqueFd listener;
  std::uint64_t clock_ms = 1000;
};

TEST_F(TunnelsTest, StreamGoesToTheOtherNodeWithBothNames) {
  auto user = connect(9080);
  ASSERT_NE(user, nullptr);
  run();
  ASSERT_TRUE(user->stream->writable()) << (far.reports.empty() ? "" : far.reports.front());
  ASSERT_EQ(far.arrivals.size(), 1U);
  EXPECT_EQ(far.arrivals[0].head.authority, "127.0.0.1:9080");
  EXPECT_EQ(far.arrivals[0].peer.id.text(), web);
  EXPECT_EQ(far.arrivals[0].local, way.node);
  EXPECT_EQ(far.asked_port, 9080);
  EXPECT_EQ(user->write("question"), 8U);
  run();
  EXPECT_EQ(far.users[0]->read(), "question");
  EXPECT_EQ(far.users[0]->write("answer"), 6U);
  far.users[0]->stream->shut_down_writing();
  run();
  EXPECT_EQ(user->read(), "answer");
  EXPECT_EQ(user->last, io::Transfer::closed);
}

TEST_F(TunnelsTest, ManyStreamsShareOneConnectionAndOneThatStallsHoldsUpNobody) {
  constexpr int many = 300;
  std::vector<std::unique_ptr<User>> users;
  for (int i = 0; i < many; ++i) {
    users.push_back(connect());
    if (i == 0) run();  // until then the other side has not said how many it takes
  }
  run();
  EXPECT_EQ(near.tunnels.count(), 1U);
  const std::string body(100000, 'x');
  std::vector<std::size_t> sent(many);
  std::vector<std::size_t> received(many);
  for (bool going = true; going;) {
    going = false;
    for (int i = 0; i < many; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (sent[at] < body.size()) sent[at] += users[at]->write(std::string_view(body).substr(sent[at]));
      if (i != 0) received[at] += far.users[at]->read().size();
      going = going || (i != 0 && received[at] < body.size());
    }
    run();
  }
  EXPECT_EQ(received[0], 0U);
  EXPECT_LE(far.pool.in_use() * io::BufferPool::small_bytes, 2 * Bounds::stream_window);
}

TEST_F(TunnelsTest, LargeBodiesArriveWholeBothWays) {
  auto user = connect();
  run();
  std::string body(20 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761U >> 24);
  std::string up;
  std::string down;
  std::size_t sent_up = 0;
  std::size_t sent_down = 0;
  while (up.size() < body.size() || down.size() < body.size()) {
    if (sent_up < body.size()) sent_up += user->write(std::string_view(body).substr(sent_up));
    if (sent_down < body.size()) sent_down += far.users[0]->write(std::string_view(body).substr(sent_down));
    run();
    up += far.users[0]->read();
    down += user->read();
  }
  EXPECT_TRUE(up == body);
  EXPECT_TRUE(down == body);
}

TEST_F(TunnelsTest, ServerThatIsNotTheServicesIsRefused) {
  far.give({issue_by(root, leaf("spiffe://shop.example/ns/shop/sa/other"))}, {root});
  auto user = connect();
  run();
  EXPECT_TRUE(user->stream->broken());
  EXPECT_NE(user->stream->take_error(), 0);
  ASSERT_EQ(near.refusals.size(), 1U);
  EXPECT_EQ(near.refusals[0], tls::SvidRule::unexpected_peer);
  EXPECT_TRUE(far.arrivals.empty());
}

TEST_F(TunnelsTest, ClientOfAnotherRootIsRefused) {
  const Issued other = issue(authority());
  near.give({issue_by(other, leaf(web))}, {root, other});
  auto user = connect();
  run();
  EXPECT_TRUE(user->stream->broken());
  ASSERT_EQ(far.refusals.size(), 1U);
  EXPECT_EQ(far.refusals[0], tls::SvidRule::untrusted);
  EXPECT_TRUE(far.arrivals.empty());
}

TEST_F(TunnelsTest, NobodyShowsAnIdentityThatIsNotThere) {
  way.source = id_of("spiffe://shop.example/ns/shop/sa/nobody");
  EXPECT_EQ(connect(), nullptr);
  way.source = id_of(web);
  current += 3601;
  EXPECT_EQ(connect(), nullptr);
}

/// Both ends look: each is to end it without the other.
TEST_F(TunnelsTest, CertificateThatExpiresEndsItsStreams) {
  auto user = connect();
  run();
  current += 3599;
  clock_ms += Tunnels::look_ms;
  run();
  EXPECT_FALSE(user->stream->broken());
  current += 2;
  clock_ms += Tunnels::look_ms;
  run();
  EXPECT_TRUE(user->stream->broken());
  EXPECT_TRUE(far.users[0]->stream->broken());
  EXPECT_TRUE(near.refusals == std::vector{tls::SvidRule::expired} || far.refusals == std::vector{tls::SvidRule::expired});
}

TEST_F(TunnelsTest, RootThatIsRemovedEndsItsStreams) {
  auto user = connect();
  run();
  const Issued other = issue(authority());
  far.give({issue_by(other, leaf(api))}, {other});
  run();
  EXPECT_EQ(far.refusals, std::vector{tls::SvidRule::root_removed});
  EXPECT_TRUE(far.users[0]->stream->broken());
  EXPECT_TRUE(user->stream->broken());
}

/// Whoever is in the middle of something goes on, whoever begins takes the new one.
TEST_F(TunnelsTest, NewCertificateBreaksNothing) {
  auto before = connect();
  run();
  near.give({issue_by(root, leaf(web))}, {root});
  auto after = connect();
  run();
  EXPECT_EQ(near.tunnels.count(), 2U);
  EXPECT_FALSE(before->stream->reusable());
  EXPECT_TRUE(after->stream->reusable());
  EXPECT_EQ(before->write("still here"), 10U);
  EXPECT_EQ(after->write("new"), 3U);
  run();
  EXPECT_EQ(far.users[0]->read(), "still here");
  EXPECT_EQ(far.users[1]->read(), "new");
  before->stream->close();
  far.users[0]->stream->close();
  run();
  EXPECT_EQ(near.tunnels.count(), 1U);
}

/// Long before the certificate ends there is a new connection, which has a whole life before it.
TEST_F(TunnelsTest, TunnelIsReplacedBeforeItsCertificateEnds) {
  auto before = connect();
  run();
  current += 2500;
  near.give({issue_by(root, leaf(web))}, {root});
  auto old = connect();
  run();
  EXPECT_EQ(near.tunnels.count(), 2U);
  EXPECT_FALSE(before->stream->reusable());
}

TEST_F(TunnelsTest, SessionIsResumed) {
  auto first = connect();
  run();
  first->stream->close();
  far.users[0]->stream->close();
  run();
  clock_ms += Tunnels::idle_ms + 1;
  run();
  ASSERT_EQ(near.tunnels.count(), 0U);
  auto second = connect();
  run();
  EXPECT_TRUE(second->stream->writable());
  EXPECT_EQ(far.arrivals.back().resumed, true);
  EXPECT_EQ(far.arrivals.back().peer.id.text(), web);
}

/// Who goes on with a session is believed no longer than the certificates that were shown when it began.
TEST_F(TunnelsTest, ReplacedCertificateIsShownAnew) {
  const auto until = [](std::int64_t end) {
    Form form = leaf(web);
    form.to = end;
    return form;
  };
  near.give({issue_by(root, until(3200))}, {root});
  auto first = connect();
  run();
  const auto end = [&](Node& node) { return node.arrivals.back().peer.not_after; };
  const std::int64_t before = end(far);
  current += 3000;
  near.give({issue_by(root, until(3500))}, {root});
  first->stream->close();
  far.users[0]->stream->close();
  run();
  ASSERT_EQ(near.tunnels.count(), 0U);
  auto second = connect();
  run();
  EXPECT_FALSE(far.arrivals.back().resumed);
  EXPECT_GT(end(far), before);
}

TEST_F(TunnelsTest, SessionOfAnOldCertificateIsNotResumed) {
  for (const auto& [age, resumed] : {std::pair{1100, true}, {1300, false}}) {
    current = start();
    near.give({issue_by(root, leaf(web))}, {root});
    auto first = connect();
    run();
    ASSERT_FALSE(far.arrivals.back().resumed);
    current += age;
    first->stream->close();
    far.users.back()->stream->close();
    near.tunnels.begin_round(clock_ms += Tunnels::idle_ms + 1);
    run();
    ASSERT_EQ(near.tunnels.count(), 0U);
    auto second = connect();
    run();
    EXPECT_EQ(far.arrivals.back().resumed, resumed) << age;
  }
}

TEST_F(TunnelsTest, FirstTunnelAfterALongTimeHasItsTime) {
  run();
  clock_ms += 10 * Tunnels::handshake_ms;
  auto user = connect();
  run();
  EXPECT_TRUE(user->stream->writable()) << (far.reports.empty() ? "" : far.reports.front());
}

TEST_F(TunnelsTest, PeerThatStallsInTheHandshakeIsCut) {
  auto silent = handler::testing_world::Peer::connect_to(way.node.port);
  run();
  EXPECT_EQ(far.tunnels.count(), 1U);
  clock_ms += Tunnels::handshake_ms + 1;
  run();
  EXPECT_EQ(far.tunnels.count(), 0U);
  EXPECT_TRUE(silent.ended());
  EXPECT_EQ(far.reports, std::vector<std::string>{"the handshake takes too long"});
}

TEST_F(TunnelsTest, WhoeverSpeaksNoTlsIsCut) {
  auto rude = handler::testing_world::Peer::connect_to(way.node.port);
  rude.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  run();
  EXPECT_EQ(far.tunnels.count(), 0U);
  EXPECT_TRUE(rude.ended() || rude.reset());
}

TEST_F(TunnelsTest, NodeThatIsGoneBreaksItsStreams) {
  auto user = connect();
  run();
  far.tunnels.drain();
  run();
  EXPECT_FALSE(user->stream->broken());
  EXPECT_FALSE(user->stream->reusable());
  listener.reset();
  auto other = connect();
  ASSERT_NE(other, nullptr);
  for (int i = 0; i < 10; ++i) loop.run_round(5, [] {});
  near.tunnels.tell();
  near.tunnels.flush();
  EXPECT_TRUE(other->stream->broken() || near.tunnels.next_in(clock_ms) == 0);
}

}  // namespace
}  // namespace heddle::tunnel
