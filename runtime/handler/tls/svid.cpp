#include "runtime/handler/tls/svid.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/uri_names.h"

namespace heddle::tls {
namespace {

using Refused = std::optional<SvidRefusal>;

struct RuleText {
  std::string_view name;
  std::string_view sentence;
};

constexpr RuleText rule_texts[] = {
#define HEDDLE_SVID_RULE(name, machine_name, sentence) {machine_name, sentence},
#include "runtime/handler/tls/svid_rules.def"
#undef HEDDLE_SVID_RULE
};

const RuleText& text_of(SvidRule rule) {
  return rule_texts[static_cast<std::size_t>(rule)];
}

/// The leaf's SPIFFE ID; a refusal if its names are not those of an SVID.
std::variant<SpiffeId, SvidRefusal> read_leaf_id(const X509* leaf) {
  const UriNames names = read_uri_names(leaf);
  if (names.malformed) return refusal(SvidRule::malformed);
  if (names.uris.empty()) return refusal(SvidRule::no_uri);
  if (names.uris.size() > 1) return refusal(SvidRule::several_uris);
  if (!names.uris.front().starts_with("spiffe://")) return refusal(SvidRule::not_spiffe);
  SpiffeReading reading = read_spiffe_id(names.uris.front());
  if (reading.wrong != nullptr) return refusal(SvidRule::bad_id, reading.wrong);
  if (reading.id.path.empty()) return refusal(SvidRule::no_path);
  if (!names.critical && X509_NAME_entry_count(X509_get_subject_name(leaf)) == 0) return refusal(SvidRule::names_not_critical);
  return std::move(reading.id);
}

bool is_critical(const X509* certificate, int nid) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1;
}

Refused check_leaf_usage(X509* leaf) {
  constexpr std::uint32_t signing = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
  constexpr std::uint32_t both = XKU_SSL_SERVER | XKU_SSL_CLIENT;
  const std::uint32_t flags = X509_get_extension_flags(leaf);
  if ((flags & EXFLAG_INVALID) != 0) return refusal(SvidRule::malformed);
  if ((flags & EXFLAG_CA) != 0) return refusal(SvidRule::leaf_is_ca);
  if ((flags & EXFLAG_KUSAGE) == 0) return refusal(SvidRule::no_key_usage);
  if (!is_critical(leaf, NID_key_usage)) return refusal(SvidRule::key_usage_not_critical);
  if ((X509_get_key_usage(leaf) & signing) != 0) return refusal(SvidRule::leaf_signs);
  if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0) return refusal(SvidRule::no_digital_signature);
  if ((flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(leaf) & both) != both) return refusal(SvidRule::extended_key_usage);
  if ((flags & EXFLAG_SS) != 0) return refusal(SvidRule::self_signed);
  return {};
}

Refused check_signer(X509* signer) {
  const std::uint32_t flags = X509_get_extension_flags(signer);
  if ((flags & EXFLAG_INVALID) != 0) return refusal(SvidRule::malformed);
  if ((flags & EXFLAG_CA) == 0) return refusal(SvidRule::signer_is_no_ca);
  if ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(signer) & KU_KEY_CERT_SIGN) == 0) return refusal(SvidRule::signer_without_cert_sign);
  const UriNames names = read_uri_names(signer);
  if (names.malformed) return refusal(SvidRule::malformed);
  if (names.uris.empty()) return {};
  const SpiffeReading reading = read_spiffe_id(names.uris.front());
  if (names.uris.size() > 1 || reading.wrong != nullptr || !reading.id.path.empty()) return refusal(SvidRule::signer_id);
  return {};
}

bool is_too_large(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  return size < 0 || static_cast<std::size_t>(size) > largest_certificate;
}

Refused check_bounds(const X509* leaf, const STACK_OF(X509) * others) {
  const int count = others == nullptr ? 0 : sk_X509_num(others);
  // OpenSSL's stack of what a peer sent has the leaf in it.
  if (static_cast<std::size_t>(count) > longest_chain) return refusal(SvidRule::chain_too_long);
  bool too_large = is_too_large(leaf);
  for (int i = 0; i < count; ++i) too_large = too_large || is_too_large(sk_X509_value(others, i));
  return too_large ? Refused(refusal(SvidRule::certificate_too_large)) : std::nullopt;
}

SvidRefusal refusal_of(const X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  const char* words = X509_verify_cert_error_string(error);
  switch (error) {
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return refusal(SvidRule::not_yet_valid);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return refusal(SvidRule::expired);
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return refusal(SvidRule::chain_too_long);
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_INVALID_PURPOSE:
      return check_signer(X509_STORE_CTX_get_current_cert(context)).value_or(refusal(SvidRule::invalid_path, words));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return refusal(SvidRule::untrusted, words);
    default:
      return refusal(SvidRule::invalid_path, words);
  }
}

StoreContextPtr make_path_context(X509* leaf, STACK_OF(X509) * others, X509_STORE* roots, PeerSide side, std::int64_t now) {
  StoreContextPtr context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), roots, leaf, others) != 1) std::abort();  // no memory
  X509_STORE_CTX_set_purpose(context.get(), side == PeerSide::client ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  // A bundle may have a signing certificate that did not sign itself; it is as good as a root.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_time(parameters, now);
  X509_VERIFY_PARAM_set_depth(parameters, static_cast<int>(longest_chain) - 2);  // between leaf and root
  X509_VERIFY_PARAM_set_auth_level(parameters, 2);                               // 112 bits: no SHA-1, no RSA below 2048
  return context;
}

std::variant<Peer, SvidRefusal> check_path(SpiffeId id, X509_STORE_CTX* context) {
  ERR_clear_error();
  const bool right = X509_verify_cert(context) == 1;
  ERR_clear_error();
  if (!right) return refusal_of(context);
  const STACK_OF(X509)* path = X509_STORE_CTX_get0_chain(context);
  const int count = sk_X509_num(path);
  if (count < 2) return refusal(SvidRule::self_signed);
  Peer peer{std::move(id), issuer_digest(*sk_X509_value(path, count - 1)), not_after(*sk_X509_value(path, 0))};
  for (int i = 1; i < count; ++i) {
    X509* signer = sk_X509_value(path, i);
    if (Refused wrong = check_signer(signer)) return *wrong;
    peer.not_after = std::min(peer.not_after, not_after(*signer));
  }
  return peer;
}

}  // namespace

std::string_view name_of(SvidRule rule) {
  return text_of(rule).name;
}

SvidRefusal refusal(SvidRule rule, const std::string& detail) {
  return {rule, std::string(text_of(rule).sentence) + (detail.empty() ? "" : ": " + detail)};
}

std::variant<Peer, SvidRefusal> check_svid(X509* leaf, STACK_OF(X509) * others, const TrustBundle& bundle, PeerSide side, std::int64_t now) {
  if (leaf == nullptr) return refusal(SvidRule::no_certificate);
  if (Refused wrong = check_bounds(leaf, others)) return *wrong;
  auto id = read_leaf_id(leaf);
  if (auto* wrong = std::get_if<SvidRefusal>(&id)) return std::move(*wrong);
  if (Refused wrong = check_leaf_usage(leaf)) return *wrong;
  SpiffeId& own = std::get<SpiffeId>(id);
  X509_STORE* roots = bundle.find_roots(own.trust_domain);
  if (roots == nullptr) return refusal(SvidRule::unknown_trust_domain, "`" + own.trust_domain + "`");
  const StoreContextPtr context = make_path_context(leaf, others, roots, side, now);
  return check_path(std::move(own), context.get());
}

std::optional<SvidRefusal> recheck(const Peer& peer, const TrustBundle& bundle, std::int64_t now) {
  if (now >= peer.not_after) return refusal(SvidRule::expired);
  if (!bundle.has_root(peer.id.trust_domain, peer.root)) return refusal(SvidRule::root_removed);
  return {};
}

}  // namespace heddle::tls
