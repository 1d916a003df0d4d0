#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/tls_connection.h"
#include "tests/unit/tls/certificates.h"

namespace heddle::tls {
namespace {

using namespace certificates;
using State = TlsConnection::State;

std::int64_t current = 0;
std::int64_t now() {
  return current;
}

const std::string web_name = "spiffe://shop.example/ns/shop/sa/web";
const std::string api_name = "spiffe://shop.example/ns/shop/sa/api";

std::shared_ptr<const Identity> identity(const std::vector<Issued>& chain, const std::vector<Issued>& roots) {
  const auto made = Identity::make(files(chain, roots), 1, current);
  EXPECT_TRUE(made) << made.error().what;
  return made.value();
}

void pass(TlsConnection& from, TlsConnection& to) {
  const std::string wire(from.output());
  from.sent(wire.size());
  to.receive(wire);
}

struct Pair {
  std::unique_ptr<TlsConnection> client;
  std::unique_ptr<TlsConnection> server;

  /// Until nobody has anything to say. The client looks for what came with the handshake: its ticket.
  void talk() {
    char nothing[1];
    while (!client->output().empty() || !server->output().empty()) {
      pass(*client, *server);
      pass(*server, *client);
      EXPECT_EQ(client->read(nothing), 0u);
      EXPECT_EQ(server->read(nothing), 0u);
    }
  }
  [[nodiscard]] bool open() const { return client->state() == State::open && server->state() == State::open; }
};

struct Handshake : testing::Test {
  Issued root = issue(authority());
  Issued web = issue_by(root, leaf(web_name));
  Issued api = issue_by(root, leaf(api_name));
  TicketKeys keys = {make_ticket_key()};
  ExpectedPeers names_api{{"shop.example", ""}, {read_spiffe_pattern("spiffe://shop.example/ns/shop/sa/a*").id}};

  void SetUp() override { current = start(); }

  std::shared_ptr<TlsContext> client(const std::vector<Issued>& roots) { return TlsContext::make_client(identity({web}, roots), now).value(); }
  std::shared_ptr<TlsContext> server(const std::vector<Issued>& roots) { return TlsContext::make_server(identity({api}, roots), keys, now).value(); }

  Pair connect(const std::shared_ptr<TlsContext>& from, const std::shared_ptr<TlsContext>& to, const std::shared_ptr<const TlsSession>& session = nullptr) {
    Pair pair{TlsConnection::make_client(from, names_api, session), TlsConnection::make_server(to)};
    pair.talk();
    return pair;
  }
};

std::string read_all(TlsConnection& connection) {
  std::string all;
  std::array<char, 1000> part;
  while (const std::size_t count = connection.read(part)) all.append(part.data(), count);
  return all;
}

TEST_F(Handshake, BothKnowEachOther) {
  Pair pair = connect(client({root}), server({root}));
  ASSERT_TRUE(pair.open()) << pair.client->failure() << pair.server->failure();
  EXPECT_EQ(pair.client->peer().id.text(), api_name);
  EXPECT_EQ(pair.server->peer().id.text(), web_name);
  EXPECT_FALSE(pair.client->resumed());
}

TEST_F(Handshake, BytesGoThroughInOrder) {
  Pair pair = connect(client({root}), server({root}));
  std::string said;
  for (int i = 0; said.size() < 100'000; ++i) said += std::to_string(i) + " ";
  pair.client->write(said.substr(0, 10));
  pair.client->write(said.substr(10));
  pass(*pair.client, *pair.server);
  EXPECT_EQ(read_all(*pair.server), said);
  pair.server->write("answer");
  pass(*pair.server, *pair.client);
  EXPECT_EQ(read_all(*pair.client), "answer");
}

TEST_F(Handshake, AnEndIsSeen) {
  Pair pair = connect(client({root}), server({root}));
  pair.client->write("last");
  pair.client->end();
  pass(*pair.client, *pair.server);
  EXPECT_EQ(read_all(*pair.server), "last");
  EXPECT_EQ(pair.server->state(), State::ended);
  pair.server->write("still");
  pass(*pair.server, *pair.client);
  EXPECT_EQ(read_all(*pair.client), "still") << "one side ended, not both";
}

TEST_F(Handshake, MayComeInAnyPieces) {
  Pair pair{TlsConnection::make_client(client({root}), names_api, nullptr), TlsConnection::make_server(server({root}))};
  const auto by_bytes = [](TlsConnection& from, TlsConnection& to) {
    const std::string wire(from.output());
    from.sent(wire.size());
    for (const char byte : wire) to.receive({&byte, 1});
  };
  for (int i = 0; i < 3; ++i) {
    by_bytes(*pair.client, *pair.server);
    by_bytes(*pair.server, *pair.client);
  }
  EXPECT_TRUE(pair.open());
}

TEST_F(Handshake, GarbageFails) {
  const auto connection = TlsConnection::make_server(server({root}));
  connection->receive("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
  EXPECT_EQ(connection->state(), State::failed);
  EXPECT_NE(connection->failure().find("TLS: "), std::string::npos) << connection->failure();
  EXPECT_FALSE(connection->refusal());
}

TEST_F(Handshake, ChangedBytesFail) {
  Pair pair = connect(client({root}), server({root}));
  pair.client->write("hello");
  std::string wire(pair.client->output());
  wire.back() = static_cast<char>(wire.back() ^ 1);
  pair.server->receive(wire);
  EXPECT_EQ(read_all(*pair.server), "");
  EXPECT_EQ(pair.server->state(), State::failed);
}

TEST_F(Handshake, AServerThatIsNotNamedIsRefused) {
  names_api.patterns = {read_spiffe_pattern("spiffe://shop.example/ns/shop/sa/b*").id};
  Pair pair = connect(client({root}), server({root}));
  EXPECT_EQ(pair.client->state(), State::failed);
  EXPECT_EQ(pair.client->refusal()->rule, SvidRule::unexpected_peer);
  EXPECT_NE(pair.client->failure().find(api_name), std::string::npos) << pair.client->failure();
  EXPECT_EQ(pair.server->state(), State::failed) << "it is told";
}

TEST_F(Handshake, WhoeverIsNotBelievedIsRefused) {
  const Issued other_root = issue(authority());
  const auto stranger = TlsContext::make_client(identity({issue_by(other_root, leaf(web_name))}, {other_root, root}), now).value();
  // The other's roots are there, so the client believes the server.
  Pair pair = connect(stranger, server({root}));
  EXPECT_EQ(pair.server->state(), State::failed);
  EXPECT_EQ(pair.server->refusal()->rule, SvidRule::untrusted);
  pair = connect(client({root, other_root}), TlsContext::make_server(identity({issue_by(other_root, leaf(api_name))}, {other_root}), keys, now).value());
  EXPECT_EQ(pair.server->refusal()->rule, SvidRule::untrusted);
}

TEST_F(Handshake, WhoExpiresMeanwhileIsRefused) {
  const auto own = identity({web}, {root});
  const auto from = TlsContext::make_client(own, now).value();
  const auto to = server({root});
  current = start() + 3600;
  Pair pair = connect(from, to);
  EXPECT_EQ(pair.client->refusal()->rule, SvidRule::expired);
  EXPECT_FALSE(TlsContext::make_client(own, now)) << "nor is there another context";
}

/// A client of OpenSSL's that does less than ours.
struct Plain {
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, Freed<SSL_free>> ssl;

  void begin() {
    ssl.reset(SSL_new(context.get()));
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl.get());
  }
  void talk(TlsConnection& server) {
    for (int i = 0; i < 4; ++i) {
      SSL_do_handshake(ssl.get());
      char* bytes = nullptr;
      const long size = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &bytes);
      server.receive({bytes, static_cast<std::size_t>(size)});
      BIO_reset(SSL_get_wbio(ssl.get()));
      BIO_write(SSL_get_rbio(ssl.get()), server.output().data(), static_cast<int>(server.output().size()));
      server.sent(server.output().size());
    }
  }
};

constexpr unsigned char h2[] = {2, 'h', '2'};

TEST_F(Handshake, AClientShowsACertificate) {
  Plain plain;
  SSL_CTX_set_alpn_protos(plain.context.get(), h2, sizeof h2);
  plain.begin();
  const auto connection = TlsConnection::make_server(server({root}));
  plain.talk(*connection);
  EXPECT_EQ(connection->state(), State::failed);
  EXPECT_EQ(connection->refusal()->rule, SvidRule::no_certificate);
}

TEST_F(Handshake, IsNoOlderThan13) {
  Plain plain;
  SSL_CTX_set_max_proto_version(plain.context.get(), TLS1_2_VERSION);
  plain.begin();
  const auto connection = TlsConnection::make_server(server({root}));
  plain.talk(*connection);
  EXPECT_EQ(connection->failure(), "TLS: unsupported protocol");
}

TEST_F(Handshake, SpeaksH2) {
  for (const bool asks : {true, false}) {
    Plain plain;
    constexpr unsigned char other[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    if (asks) SSL_CTX_set_alpn_protos(plain.context.get(), other, sizeof other);
    SSL_CTX_use_cert_and_key(plain.context.get(), web.certificate.get(), web.key.get(), nullptr, 1);
    plain.begin();
    const auto connection = TlsConnection::make_server(server({root}));
    plain.talk(*connection);
    EXPECT_EQ(connection->state(), State::failed);
    EXPECT_EQ(connection->failure(), asks ? "TLS: no application protocol" : "the peer does not speak `h2` (ALPN)");
  }
}

struct Resumption : Handshake {
  /// A session that the server gave.
  std::shared_ptr<const TlsSession> session(const std::shared_ptr<TlsContext>& from, const std::shared_ptr<TlsContext>& to) {
    const auto given = connect(from, to).client->session();
    EXPECT_NE(given, nullptr);
    return given;
  }
  bool resumes(const std::shared_ptr<TlsContext>& from, const std::shared_ptr<TlsContext>& to, const std::shared_ptr<const TlsSession>& session) {
    Pair pair = connect(from, to, session);
    EXPECT_EQ(pair.client->resumed(), pair.server->resumed());
    return pair.open() && pair.server->resumed();
  }
};

TEST_F(Resumption, BothStillKnowEachOther) {
  const auto from = client({root});
  const auto to = server({root});
  auto given = session(from, to);
  for (int i = 0; i < 3; ++i) {
    Pair pair = connect(from, to, given);
    ASSERT_TRUE(pair.open());
    EXPECT_TRUE(pair.client->resumed());
    EXPECT_EQ(pair.client->peer().id.text(), api_name);
    EXPECT_EQ(pair.server->peer().id.text(), web_name);
    EXPECT_EQ(pair.server->peer().not_after, start() + 3600);
    EXPECT_NE(pair.client->session(), nullptr);
    EXPECT_NE(pair.client->session(), given);
    given = pair.client->session();
  }
}

TEST_F(Resumption, ASessionIsForOneConnection) {
  const auto from = client({root});
  const auto to = server({root});
  const auto given = session(from, to);
  EXPECT_TRUE(resumes(from, to, given));
  EXPECT_FALSE(resumes(from, to, given));
}

TEST_F(Resumption, AllowsNoEarlyData) {
  const auto given = session(client({root}), server({root}));
  EXPECT_EQ(SSL_SESSION_get_max_early_data(given->session.get()), 0u);
}

TEST_F(Resumption, GoesOnInAnotherContextOfTheSameIdentityAndBundle) {
  const auto given = session(client({root}), server({root}));
  api = issue_by(root, leaf(api_name));  // renewed
  EXPECT_TRUE(resumes(client({root}), server({root}), given));
}

TEST_F(Resumption, IsNotForAnotherBundle) {
  const Issued more = issue(authority("other.example"));
  const auto given = [&] { return session(client({root}), server({root})); };
  EXPECT_TRUE(resumes(client({root}), server({root}), given()));
  EXPECT_FALSE(resumes(client({root}), server({root, more}), given()));
  EXPECT_TRUE(connect(client({root}), server({root, more}), given()).open()) << "a whole handshake";
  EXPECT_FALSE(resumes(client({root, more}), server({root}), given()));
}

TEST_F(Resumption, IsRefusedAfterTheRootIsRemoved) {
  const Issued next = issue(authority());
  const auto from = client({root, next});
  const auto given = session(from, server({root, next}));
  api = issue_by(next, leaf(api_name));
  Pair pair = connect(from, server({next}), given);
  EXPECT_FALSE(pair.server->resumed());
  EXPECT_EQ(pair.server->state(), State::failed);
  EXPECT_EQ(pair.server->refusal()->rule, SvidRule::untrusted);
}

TEST_F(Resumption, IsNotForAnotherIdentity) {
  const auto given = session(client({root}), server({root}));
  const auto another = session(client({root}), server({root}));
  api = issue_by(root, leaf("spiffe://shop.example/ns/shop/sa/another"));
  EXPECT_FALSE(resumes(client({root}), server({root}), given));
  EXPECT_EQ(connect(client({root}), server({root}), another).client->peer().id.path, "ns/shop/sa/another");
  const auto again = session(client({root}), server({root}));
  web = issue_by(root, leaf("spiffe://shop.example/ns/shop/sa/batch"));
  EXPECT_FALSE(resumes(client({root}), server({root}), again));
}

TEST_F(Resumption, EndsWithTheLifeOfTheClient) {
  Form form = leaf(web_name);
  form.to = 100;
  web = issue_by(root, form);
  const auto to = server({root});
  const auto early = session(client({root}), to);
  const auto late = session(client({root}), to);
  form.to = 3600;
  web = issue_by(root, form);  // the client is renewed, and the ticket is of the old one
  const auto from = client({root});
  current = start() + 99;
  EXPECT_TRUE(resumes(from, to, early));
  current = start() + 100;
  Pair pair = connect(from, to, late);
  EXPECT_FALSE(pair.server->resumed());
  EXPECT_TRUE(pair.open()) << "a whole handshake";
}

TEST_F(Resumption, EndsWithTheLifeOfTheServer) {
  Form form = leaf(api_name);
  form.to = 100;
  api = issue_by(root, form);
  const auto from = client({root});
  const auto early = session(from, server({root}));
  const auto late = session(from, server({root}));
  api = issue_by(root, leaf(api_name));
  const auto to = server({root});
  current = start() + 99;
  EXPECT_TRUE(resumes(from, to, early));
  current = start() + 100;
  EXPECT_FALSE(resumes(from, to, late));
}

TEST_F(Resumption, AServerHasToBeNamedStill) {
  const auto from = client({root});
  const auto to = server({root});
  const auto given = session(from, to);
  names_api.patterns = {read_spiffe_pattern("spiffe://shop.example/ns/shop/sa/b*").id};
  Pair pair = connect(from, to, given);
  EXPECT_FALSE(pair.client->resumed());
  EXPECT_EQ(pair.client->refusal()->rule, SvidRule::unexpected_peer);
}

TEST_F(Resumption, KeysAreRotated) {
  const auto from = client({root});
  const auto to = server({root});
  const auto early = session(from, to);
  const auto late = session(from, to);
  const TicketKey old = keys.front();
  to->set_ticket_keys({make_ticket_key(), old});
  EXPECT_TRUE(resumes(from, to, early)) << "the old key still opens";
  to->set_ticket_keys({make_ticket_key()});
  Pair pair = connect(from, to, late);
  EXPECT_FALSE(pair.server->resumed());
  EXPECT_TRUE(pair.open()) << "a whole handshake";
}

TEST_F(Resumption, TheNewKeySeals) {
  const auto from = client({root});
  const auto to = server({root});
  const TicketKey old = keys.front();
  const TicketKey fresh = make_ticket_key();
  to->set_ticket_keys({fresh, old});
  const auto given = session(from, to);
  to->set_ticket_keys({fresh});
  EXPECT_TRUE(resumes(from, to, given));
}

TEST_F(Resumption, TakesNoForgedTicket) {
  const auto from = client({root});
  const auto to = server({root});
  const auto given = session(from, to);
  const auto other = session(from, to);
  to->set_ticket_keys({TicketKey{keys.front().name, make_ticket_key().cipher, keys.front().mac}});
  EXPECT_FALSE(resumes(from, to, given));
  to->set_ticket_keys({TicketKey{keys.front().name, keys.front().cipher, make_ticket_key().mac}});
  EXPECT_FALSE(resumes(from, to, other));
  to->set_ticket_keys(keys);
  EXPECT_TRUE(resumes(from, to, session(from, to)));
}

TEST_F(Resumption, NeedsKeys) {
  keys.clear();
  const auto to = server({root});
  EXPECT_EQ(connect(client({root}), to).client->session(), nullptr);
  to->set_ticket_keys({make_ticket_key()});
  EXPECT_NE(connect(client({root}), to).client->session(), nullptr);
}

}  // namespace
}  // namespace heddle::tls
