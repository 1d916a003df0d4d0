#include "runtime/handler/tls/tls_connection.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/handler/tls/openssl.h"

namespace heddle::tls {
namespace {

bool speaks_h2(const SSL* ssl) {
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &chosen, &size);
  return std::string_view(reinterpret_cast<const char*>(chosen), size) == "h2";
}

}  // namespace

void TlsConnection::Free::operator()(SSL* ssl) const {
  SSL_free(ssl);
}

std::unique_ptr<TlsConnection> TlsConnection::make_server(std::shared_ptr<TlsContext> context) {
  return std::unique_ptr<TlsConnection>(new TlsConnection(std::move(context), std::nullopt));
}

std::unique_ptr<TlsConnection> TlsConnection::make_client(std::shared_ptr<TlsContext> context, ExpectedPeers expected,
                                                          const std::shared_ptr<const TlsSession>& session,
                                                          const std::string& server_name) {
  std::unique_ptr<TlsConnection> connection(new TlsConnection(std::move(context), std::move(expected)));
  if (!server_name.empty()) SSL_set_tlsext_host_name(connection->ssl_.get(), server_name.c_str());
  connection->offer(session);
  connection->handshake();
  return connection;
}

TlsConnection::TlsConnection(std::shared_ptr<TlsContext> context, std::optional<ExpectedPeers> expected)
    : context_(std::move(context)), expected_(std::move(expected)), ssl_(SSL_new(context_->context_.get())) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!ssl_ || in == nullptr || out == nullptr) std::abort();  // no memory
  SSL_set_bio(ssl_.get(), in, out);
  SSL_set_app_data(ssl_.get(), this);
  expected_ ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
}

/// A session outlives its connection, however that ended, unless it failed: OpenSSL would want a whole exchange of goodbyes.
TlsConnection::~TlsConnection() {
  if (state_ != State::failed) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsConnection::offer(const std::shared_ptr<const TlsSession>& session) {
  if (!session || session->context != context_->identity().session_context() || !expected_->has(session->peer.id)) return;
  if (tls::recheck(session->peer, context_->identity().bundle(), context_->now())) return;
  ERR_clear_error();
  if (SSL_set_session(ssl_.get(), session->session.get()) == 1) resumed_peer_ = session->peer;
  ERR_clear_error();
}

void TlsConnection::receive(std::string_view wire) {
  if (wire.empty() || state_ == State::failed) return;
  if (BIO_write(SSL_get_rbio(ssl_.get()), wire.data(), static_cast<int>(wire.size())) != static_cast<int>(wire.size())) std::abort();  // no memory
  if (state_ == State::handshaking) handshake();
}

void TlsConnection::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return finish_handshake();
  if (const int code = SSL_get_error(ssl_.get(), result); code != SSL_ERROR_WANT_READ) fail_with_openssl(code);
}

void TlsConnection::finish_handshake() {
  if (!speaks_h2(ssl_.get())) return fail("the peer does not speak `h2` (ALPN)");
  if (resumed()) peer_ = resumed_peer_;
  state_ = State::open;
}

std::size_t TlsConnection::read(std::span<char> plain) {
  if (state_ != State::open) return 0;
  std::size_t total = 0;
  while (total < plain.size()) {
    ERR_clear_error();
    std::size_t count = 0;
    if (SSL_read_ex(ssl_.get(), plain.data() + total, plain.size() - total, &count) == 1) {
      total += count;
      continue;
    }
    const int code = SSL_get_error(ssl_.get(), 0);
    if (code == SSL_ERROR_ZERO_RETURN) state_ = State::ended;
    if (code != SSL_ERROR_ZERO_RETURN && code != SSL_ERROR_WANT_READ) fail_with_openssl(code);
    break;
  }
  return total;
}

void TlsConnection::write(std::string_view plain) {
  if (plain.empty() || (state_ != State::open && state_ != State::ended)) return;
  ERR_clear_error();
  std::size_t count = 0;
  // Into memory: all of it, or OpenSSL is broken.
  if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &count) != 1) fail_with_openssl(SSL_get_error(ssl_.get(), 0));
}

void TlsConnection::end() {
  if (state_ != State::open && state_ != State::ended) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string_view TlsConnection::output() const {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl_.get()), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

void TlsConnection::sent(std::size_t count) {
  std::array<char, 4096> away;
  while (count > 0) {
    const int taken = BIO_read(SSL_get_wbio(ssl_.get()), away.data(), static_cast<int>(std::min(count, away.size())));
    if (taken <= 0) std::abort();  // more than `output` had
    count -= static_cast<std::size_t>(taken);
  }
}

bool TlsConnection::resumed() const {
  return SSL_session_reused(ssl_.get()) == 1;
}

void TlsConnection::fail(const std::string& why) {
  state_ = State::failed;
  failure_ = why;
}

void TlsConnection::fail_with_openssl(int code) {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (!refusal_ && ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) refusal_ = tls::refusal(SvidRule::no_certificate);
  if (refusal_) return fail(refusal_->what);
  const char* reason = ERR_reason_error_string(error);
  fail(reason != nullptr ? std::string("TLS: ") + reason : "TLS: error " + std::to_string(code));
}

}  // namespace heddle::tls
