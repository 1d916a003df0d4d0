#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/svid.h"
#include "runtime/handler/tls/uri_names.h"

namespace heddle::tls {
namespace {

Error invalid(const std::string& name, std::size_t number, const std::string& what) {
  return {ErrorKind::invalid, "certificate " + std::to_string(number) + " of " + name + " " + what,
          "a bundle has the signing certificates of the trust domains that are believed, and nothing else"};
}

/// The trust domain that a root speaks for.
Result<std::string> trust_domain_of(X509* root, const std::string& own, const std::string& name, std::size_t number) {
  const std::uint32_t flags = X509_get_extension_flags(root);
  if ((flags & EXFLAG_INVALID) != 0) return invalid(name, number, "has a malformed extension");
  if ((flags & EXFLAG_CA) == 0) return invalid(name, number, "is no CA");
  if ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(root) & KU_KEY_CERT_SIGN) == 0)
    return invalid(name, number, "has no keyCertSign in its key usage");
  const UriNames names = read_uri_names(root);
  if (names.malformed) return invalid(name, number, "has malformed alternative names");
  if (names.uris.empty()) return own;
  SpiffeReading reading = read_spiffe_id(names.uris.front());
  if (names.uris.size() > 1 || reading.wrong != nullptr || !reading.id.path.empty())
    return invalid(name, number, "has another URI than one SPIFFE ID of a trust domain");
  return std::move(reading.id.trust_domain);
}

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size < 0) std::abort();  // no memory
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

Result<TrustBundle> TrustBundle::make(const std::vector<Certificate>& roots, const std::string& own_trust_domain, const std::string& name) {
  TrustBundle bundle;
  std::size_t number = 0;
  for (const Certificate& root : roots) {
    const Result<std::string> trust_domain = trust_domain_of(root.get(), own_trust_domain, name, ++number);
    if (!trust_domain) return trust_domain.error();
    Domain& domain = bundle.domains_[*trust_domain];
    if (!domain.store) domain.store = std::shared_ptr<X509_STORE>(X509_STORE_new(), X509_STORE_free);
    if (!domain.store || X509_STORE_add_cert(domain.store.get(), root.get()) != 1) std::abort();  // no memory
    domain.roots.push_back(issuer_digest(*root));
    domain.certificates.push_back(digest_of(der_of(root.get())));
  }
  for (auto& [_, domain] : bundle.domains_) {
    std::ranges::sort(domain.certificates);
    const auto again = std::ranges::unique(domain.certificates);
    domain.certificates.erase(again.begin(), again.end());
  }
  return bundle;
}

X509_STORE* TrustBundle::find_roots(const std::string& trust_domain) const {
  const auto found = domains_.find(trust_domain);
  return found == domains_.end() ? nullptr : found->second.store.get();
}

bool TrustBundle::has_root(const std::string& trust_domain, const Digest& root) const {
  const auto found = domains_.find(trust_domain);
  return found != domains_.end() && std::ranges::find(found->second.roots, root) != found->second.roots.end();
}

Digest TrustBundle::digest() const {
  std::string text;
  for (const auto& [name, domain] : domains_) {
    text += name + "\n";
    for (const Digest& certificate : domain.certificates) text.append(reinterpret_cast<const char*>(certificate.data()), certificate.size());
    text += "\n";
  }
  return digest_of(text);
}

}  // namespace heddle::tls
