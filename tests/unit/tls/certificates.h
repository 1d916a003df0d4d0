#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/handler/tls/identity.h"

/// Certificates as a test wants them, right or wrong.
namespace heddle::tls::certificates {

/// What all dates of the tests count from.
std::int64_t start();

struct Form {
  std::vector<std::string> uris;  // any bytes
  std::string constraints;        // of basicConstraints, as openssl.cnf(5) writes it; empty: no such extension
  std::string usage;
  std::string extended_usage;
  std::string subject = "leaf";   // empty: none
  std::string other_name;         // one more, DNS
  std::int64_t from = -60;        // from `start()`
  std::int64_t to = 3600;
  bool critical_names = false;
  bool twice = false;             // the alternative names
  std::string comment;            // makes it large
};
Form leaf(const std::string& id = "spiffe://shop.example/ns/shop/sa/web");
Form authority(const std::string& trust_domain = "shop.example");

struct Issued {
  Certificate certificate;
  PrivateKey key;
};
PrivateKey make_key();
/// With a key of its own, unless one is given. By itself.
Issued issue(const Form& form, const PrivateKey& key = make_key());
Issued issue_by(const Issued& issuer, const Form& form, const PrivateKey& key = make_key());

std::string pem(const std::vector<Issued>& certificates);
std::string pem(const PrivateKey& key);
/// svid.pem has `chain`; key.pem the key of its first.
IdentityFiles files(const std::vector<Issued>& chain, const std::vector<Issued>& roots);

}  // namespace heddle::tls::certificates
