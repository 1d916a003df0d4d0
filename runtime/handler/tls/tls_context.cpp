#include "runtime/handler/tls/tls_context.h"

#include <openssl/err.h>

#include "runtime/base/time_text.h"
#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/tls_callbacks.h"

namespace heddle::tls {
namespace {

/// Of all certificates that a peer may send.
constexpr long largest_peer_chain = 64 * 1024;

constexpr unsigned char protocols[] = {2, 'h', '2'};

}  // namespace

void TlsContext::Free::operator()(SSL_CTX* context) const {
  SSL_CTX_free(context);
}

Result<std::shared_ptr<TlsContext>> TlsContext::make_server(std::shared_ptr<const Identity> identity, TicketKeys keys, Clock clock) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(identity), std::move(keys), clock));
  if (Result<void> done = context->set_up(true); !done) return done.error();
  return context;
}

Result<std::shared_ptr<TlsContext>> TlsContext::make_client(std::shared_ptr<const Identity> identity, Clock clock) {
  std::shared_ptr<TlsContext> context(new TlsContext(std::move(identity), {}, clock));
  if (Result<void> done = context->set_up(false); !done) return done.error();
  return context;
}

Result<void> TlsContext::set_up(bool server) {
  if (identity_->remaining_life(now()) <= 0)
    return Error{ErrorKind::invalid, "`" + identity_->files().name + "` has expired at " + time_text(identity_->not_after()),
                 "renew it: for development, `heddle ca issue` writes a new one"};
  // No file is read: a worker may open none.
  const bool usable = OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1;
  context_.reset(usable ? SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()) : nullptr);
  SSL_CTX* context = context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 || SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) != 1)
    return Error{ErrorKind::unsupported, "OpenSSL has no TLS 1.3 here", "heddle needs OpenSSL 3.0 or later"};
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_max_cert_list(context, largest_peer_chain);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, Callbacks::verify, nullptr);
  if (!set_up_identity()) return Error{ErrorKind::invalid, "OpenSSL does not take the key and certificates of `" + identity_->files().name + "`",
                                       "use keys of an elliptic curve (P-256, P-384), Ed25519, or RSA of 2048 bits and more"};
  if (server) {
    set_up_server();
  } else {
    SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, Callbacks::keep_session);
  }
  return {};
}

bool TlsContext::set_up_identity() {
  StackPtr others(sk_X509_new_null());
  const std::vector<Certificate>& chain = identity_->chain();
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(others.get(), chain[i].get());
  const Digest& session_context = identity_->session_context();
  static_assert(sizeof session_context <= SSL_MAX_SID_CTX_LENGTH);
  ERR_clear_error();
  const bool right = SSL_CTX_use_cert_and_key(context_.get(), chain.front().get(), identity_->key().get(), others.get(), 1) == 1 &&
                     SSL_CTX_set_session_id_context(context_.get(), reinterpret_cast<const unsigned char*>(session_context.data()),
                                                    sizeof session_context) == 1;
  ERR_clear_error();
  return right;
}

void TlsContext::set_up_server() {
  SSL_CTX* context = context_.get();
  SSL_CTX_set_alpn_select_cb(context, Callbacks::choose_protocol, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // what a session needs is in its ticket
  SSL_CTX_set_timeout(context, ticket_life);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, Callbacks::use_ticket_key);
  SSL_CTX_set_session_ticket_cb(context, Callbacks::seal_ticket, Callbacks::open_ticket, nullptr);
  set_ticket_keys(std::move(keys_));
}

void TlsContext::set_ticket_keys(TicketKeys keys) {
  SSL_CTX_set_num_tickets(context_.get(), keys.empty() ? 0 : 1);
  keys_ = std::move(keys);
}

}  // namespace heddle::tls
