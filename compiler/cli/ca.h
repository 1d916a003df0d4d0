#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/base/result.h"
#include "runtime/base/spiffe_id.h"

struct x509_st;
struct evp_pkey_st;

namespace heddle::cli {

/// What is written down: PEM. The key is PKCS #8, and nobody else's to read.
struct CaFiles {
  std::string certificate;
  std::string key;
};

struct SvidFiles {
  std::string svid;
  std::string key;
  std::string bundle;
  std::int64_t not_after = 0;
};

/// A signing certificate for one trust domain, which has its SPIFFE ID, with a key of its own (P-256). Times are seconds.
Result<CaFiles> make_ca(const std::string& trust_domain, std::int64_t life, std::int64_t now);

/// A development CA that signs leaves itself.
class Ca {
 public:
  /// Refuses what is not what `make_ca` makes, or not valid now. Errors call the folder of the files `folder`.
  static Result<Ca> load(const CaFiles& files, const std::string& folder, std::int64_t now);

  [[nodiscard]] const std::string& trust_domain() const { return trust_domain_; }
  /// An SVID with a key of its own (P-256), for an id with a path. Refuses a `ttl` that is longer than the CA's own life.
  Result<SvidFiles> issue(const SpiffeId& id, std::int64_t ttl, std::int64_t now) const;

 private:
  std::shared_ptr<x509_st> certificate_;
  std::shared_ptr<evp_pkey_st> key_;
  std::string trust_domain_;
  std::string pem_;
};

}  // namespace heddle::cli
