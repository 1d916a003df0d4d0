#pragma once

// For the sources of this folder: what OpenSSL asks during a handshake.

#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/tls_connection.h"

namespace heddle::tls {

struct TlsContext::Callbacks {
  /// In place of OpenSSL's own verification.
  static int verify(X509_STORE_CTX* context, void*);
  static int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered, unsigned offered_size, void*);
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  static int use_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing);
  /// A ticket has who the peer is: its certificates are not shown again.
  static int seal_ticket(SSL* ssl, void*);
  static SSL_TICKET_RETURN open_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status, void*);

 private:
  static TlsConnection& connection_of(const SSL* ssl);
  static TlsContext& context_of(const SSL* ssl);
  static bool fits(const TlsConnection& connection, const SpiffeId& id);
};

}  // namespace heddle::tls
