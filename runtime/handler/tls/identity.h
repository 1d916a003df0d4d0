#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/base/spiffe_id.h"
#include "runtime/handler/tls/certificate.h"
#include "runtime/handler/tls/svid.h"

namespace heddle::tls {

/// The three files of one identity, as they were read: what the agent hands to workers, who may open no file.
struct IdentityFiles {
  std::string name;    // of the folder; errors have it
  std::string svid;    // svid.pem: the leaf, then the signing certificates between it and the root
  std::string key;     // key.pem
  std::string bundle;  // bundle.pem: the roots of the own trust domain, and of others that are believed

  friend bool operator==(const IdentityFiles&, const IdentityFiles&) = default;
};

/// One identity of this node with all that it takes to show it and to believe others. Whole, checked, and never changed: whoever
/// holds one goes on with it, and looks for a newer by its generation.
class Identity {
 public:
  /// Refuses what does not fit together: a key of another certificate, an SVID that peers would refuse, a date that is not now.
  static Result<std::shared_ptr<const Identity>> make(IdentityFiles files, std::uint64_t generation, std::int64_t now);
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;
  /// The text of the key is overwritten.
  ~Identity();

  [[nodiscard]] const SpiffeId& id() const { return self_.id; }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  [[nodiscard]] const TrustBundle& bundle() const { return bundle_; }
  [[nodiscard]] const IdentityFiles& files() const { return files_; }
  /// The leaf first.
  [[nodiscard]] const std::vector<Certificate>& chain() const { return chain_; }
  [[nodiscard]] const PrivateKey& key() const { return key_; }

  /// Seconds since 1970: of the whole path, up to and with the root, the earliest.
  [[nodiscard]] std::int64_t not_after() const { return self_.not_after; }
  /// In seconds; 0 or less: it has expired, and must not be used.
  [[nodiscard]] std::int64_t remaining_life(std::int64_t now) const { return self_.not_after - now; }
  /// A third of its life or less is left: whoever renews it is late.
  [[nodiscard]] bool is_due(std::int64_t now) const { return remaining_life(now) <= (self_.not_after - not_before(*chain_.front())) / 3; }
  /// Sessions are resumed within one context: the same SPIFFE ID here, and the same bundle.
  [[nodiscard]] const Digest& session_context() const { return session_context_; }

 private:
  Identity(IdentityFiles files, std::uint64_t generation) : files_(std::move(files)), generation_(generation) {}
  Result<void> load(std::int64_t now);

  IdentityFiles files_;
  std::uint64_t generation_;
  std::vector<Certificate> chain_;
  PrivateKey key_;
  TrustBundle bundle_;
  Peer self_;  // as a peer sees us
  Digest session_context_{};
};

}  // namespace heddle::tls
