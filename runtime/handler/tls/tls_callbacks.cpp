#include "runtime/handler/tls/tls_callbacks.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace heddle::tls {
namespace {

/// What the peer is told.
int alert_for(SvidRule rule) {
  switch (rule) {
    case SvidRule::expired:
      return X509_V_ERR_CERT_HAS_EXPIRED;
    case SvidRule::untrusted:
    case SvidRule::unknown_trust_domain:
      return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    default:
      return X509_V_ERR_CERT_REJECTED;
  }
}

constexpr std::size_t date_size = 8;

std::string packed(const Peer& peer) {
  std::string text(reinterpret_cast<const char*>(peer.root.data()), peer.root.size());
  for (std::size_t i = 0; i < date_size; ++i) text += static_cast<char>(static_cast<std::uint64_t>(peer.not_after) >> (8 * i));
  return text + peer.id.text();
}

std::optional<Peer> unpacked(std::string_view text) {
  Peer peer;
  if (text.size() < peer.root.size() + date_size) return std::nullopt;
  std::memcpy(peer.root.data(), text.data(), peer.root.size());
  text.remove_prefix(peer.root.size());
  std::uint64_t date = 0;
  for (std::size_t i = 0; i < date_size; ++i) date |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * i);
  peer.not_after = static_cast<std::int64_t>(date);
  SpiffeReading reading = read_spiffe_id(text.substr(date_size));
  if (reading.wrong != nullptr) return std::nullopt;
  peer.id = std::move(reading.id);
  return peer;
}

unsigned char* bytes_of(const std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes));
}

bool use_key(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool sealing) {
  char digest[] = "SHA256";
  OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, bytes_of(key.mac.data()), key.mac.size()),
                             OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, bytes_of(key.cipher.data()), iv, sealing ? 1 : 0) == 1 &&
         EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

}  // namespace

TicketKey make_ticket_key() {
  TicketKey key{};
  // Without randomness nothing here is worth anything.
  if (RAND_bytes(bytes_of(key.name.data()), key.name.size()) != 1 || RAND_priv_bytes(bytes_of(key.cipher.data()), key.cipher.size()) != 1 ||
      RAND_priv_bytes(bytes_of(key.mac.data()), key.mac.size()) != 1)
    std::abort();
  return key;
}

TlsConnection& TlsContext::Callbacks::connection_of(const SSL* ssl) {
  return *static_cast<TlsConnection*>(SSL_get_app_data(ssl));
}

TlsContext& TlsContext::Callbacks::context_of(const SSL* ssl) {
  return *connection_of(ssl).context_;
}

bool TlsContext::Callbacks::fits(const TlsConnection& connection, const SpiffeId& id) {
  return !connection.expected_ || connection.expected_->has(id);
}

int TlsContext::Callbacks::verify(X509_STORE_CTX* store, void*) {
  const auto* ssl = static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsConnection& connection = connection_of(ssl);
  const TlsContext& context = context_of(ssl);
  const PeerSide side = connection.expected_ ? PeerSide::server : PeerSide::client;
  auto checked = check_svid(X509_STORE_CTX_get0_cert(store), X509_STORE_CTX_get0_untrusted(store), context.identity().bundle(), side, context.now());
  if (const Peer* peer = std::get_if<Peer>(&checked); peer != nullptr && !fits(connection, peer->id))
    checked = tls::refusal(SvidRule::unexpected_peer, "it is `" + peer->id.text() + "`");
  if (auto* why = std::get_if<SvidRefusal>(&checked)) {
    X509_STORE_CTX_set_error(store, alert_for(why->rule));
    connection.refusal_ = std::move(*why);
    return 0;
  }
  X509_STORE_CTX_set_error(store, X509_V_OK);
  connection.peer_ = std::get<Peer>(std::move(checked));
  return 1;
}

int TlsContext::Callbacks::choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                                           unsigned offered_size, void*) {
  static constexpr unsigned char h2[] = {2, 'h', '2'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, h2, sizeof h2, offered, offered_size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::Callbacks::keep_session(SSL* ssl, SSL_SESSION* session) {
  TlsConnection& connection = connection_of(ssl);
  const Peer& peer = SSL_session_reused(ssl) == 1 ? connection.resumed_peer_ : connection.peer_;
  connection.session_ = std::make_shared<TlsSession>(
      TlsSession{std::shared_ptr<SSL_SESSION>(session, SSL_SESSION_free), peer, connection.context_->identity().session_context()});
  return 1;  // it is ours now
}

int TlsContext::Callbacks::use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
  const TicketKeys& keys = context_of(ssl).keys_;
  if (sealing == 1) {
    if (keys.empty()) return 0;
    std::memcpy(name, keys.front().name.data(), keys.front().name.size());
    const bool right = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && use_key(keys.front(), iv, cipher, mac, true);
    return right ? 1 : -1;
  }
  const auto key = std::ranges::find_if(keys, [&](const TicketKey& each) { return std::memcmp(each.name.data(), name, each.name.size()) == 0; });
  if (key == keys.end()) return 0;  // a whole handshake
  return use_key(*key, iv, cipher, mac, false) ? 1 : -1;
}

int TlsContext::Callbacks::seal_ticket(SSL* ssl, void*) {
  const TlsConnection& connection = connection_of(ssl);
  const std::string text = packed(SSL_session_reused(ssl) == 1 ? connection.resumed_peer_ : connection.peer_);
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), text.data(), text.size());
}

SSL_TICKET_RETURN TlsContext::Callbacks::open_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                                                     void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  void* data = nullptr;
  std::size_t size = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1) return SSL_TICKET_RETURN_IGNORE_RENEW;
  std::optional<Peer> peer = unpacked({static_cast<const char*>(data), size});
  const TlsContext& context = context_of(ssl);
  if (!peer || recheck(*peer, context.identity().bundle(), context.now())) return SSL_TICKET_RETURN_IGNORE_RENEW;
  connection_of(ssl).resumed_peer_ = std::move(*peer);
  return SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace heddle::tls
