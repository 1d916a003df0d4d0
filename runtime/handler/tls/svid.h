#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/base/spiffe_id.h"
#include "runtime/handler/tls/certificate.h"

struct x509_store_st;
struct stack_st_X509;

namespace heddle::tls {

/// Of a path: the leaf, what is between, and the root. What a peer sends besides counts, too.
inline constexpr std::size_t longest_chain = 6;
/// One certificate, in DER.
inline constexpr std::size_t largest_certificate = 16384;

enum class SvidRule : std::uint8_t {
#define HEDDLE_SVID_RULE(name, machine_name, sentence) name,
#include "runtime/handler/tls/svid_rules.def"
#undef HEDDLE_SVID_RULE
};

/// `no-uri`: stable, for counters.
[[nodiscard]] std::string_view name_of(SvidRule rule);

/// Why a peer is not believed.
struct SvidRefusal {
  SvidRule rule = SvidRule::no_certificate;
  std::string what;  // a sentence for the log: what is wrong, which rule that breaks; no byte in it is the peer's choice but those of SPIFFE IDs
};
[[nodiscard]] SvidRefusal refusal(SvidRule rule, const std::string& detail = "");

/// Whom a peer's certificates showed, and on whose word: enough to look again whether that still holds.
struct Peer {
  SpiffeId id;  // as the certificate has it: the alias of a trust domain is not replaced
  Digest root{};  // `issuer_digest` of where the path ended
  std::int64_t not_after = 0;  // of all certificates of the path the earliest; from then on nobody is believed

  friend bool operator==(const Peer&, const Peer&) = default;
};

/// Whom to believe: the roots of each trust domain. A root speaks for the trust domain whose SPIFFE ID it has, and for no other; one
/// without is a root of the trust domain that is given.
class TrustBundle {
 public:
  /// Errors call the certificates `name`.
  static Result<TrustBundle> make(const std::vector<Certificate>& roots, const std::string& own_trust_domain, const std::string& name);

  /// nullptr: there is no root of that trust domain.
  [[nodiscard]] x509_store_st* find_roots(const std::string& trust_domain) const;
  [[nodiscard]] bool has_root(const std::string& trust_domain, const Digest& root) const;
  /// Of all roots with their trust domains: equal for equal content, in whatever order.
  [[nodiscard]] Digest digest() const;

 private:
  struct Domain {
    std::shared_ptr<x509_store_st> store;
    std::vector<Digest> roots;         // issuer_digest
    std::vector<Digest> certificates;  // of the whole certificates
  };
  std::map<std::string, Domain> domains_;
};

/// What the peer is in a handshake: the extended key usages of signing certificates are held against it.
enum class PeerSide : std::uint8_t { client, server };

/// Checks what a peer shows as SPIFFE X.509-SVID demands: the leaf's own form first, then the path to a root of the leaf's own trust
/// domain, then the form of every signing certificate of the path. `others` is what the peer sent with it, in any order; may be null.
[[nodiscard]] std::variant<Peer, SvidRefusal> check_svid(x509_st* leaf, stack_st_X509* others, const TrustBundle& bundle, PeerSide side,
                                                         std::int64_t now);

/// Whether a peer that was believed would be believed now. Nothing: yes. Cheap; for all live connections when the bundle has changed,
/// and each second for those whose `not_after` is near.
[[nodiscard]] std::optional<SvidRefusal> recheck(const Peer& peer, const TrustBundle& bundle, std::int64_t now);

}  // namespace heddle::tls
