#include "runtime/handler/tls/identity.h"

#include <openssl/crypto.h>
#include <openssl/x509v3.h>

#include <cstdlib>

#include "runtime/handler/tls/openssl.h"
#include "runtime/handler/tls/uri_names.h"

namespace heddle::tls {
namespace {

StackPtr stack_behind_leaf(const std::vector<Certificate>& chain) {
  StackPtr stack(sk_X509_new_null());
  if (!stack) std::abort();  // no memory
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (sk_X509_push(stack.get(), chain[i].get()) == 0) std::abort();
  }
  return stack;
}

/// Of the leaf, as far as it has one: the rest of the check says what is wrong with it.
std::string trust_domain_of(const X509* leaf) {
  const UriNames names = read_uri_names(leaf);
  return names.uris.empty() ? "" : read_spiffe_id(names.uris.front()).id.trust_domain;
}

Error refused(const std::string& name, const SvidRefusal& refusal) {
  return {ErrorKind::invalid, "peers would refuse " + name + ": " + refusal.what,
          refusal.rule == SvidRule::expired ? "renew it: for development, `heddle ca issue` writes a new one"
                                            : "issue it anew, from a signing certificate that is in bundle.pem: for development, with `heddle ca issue`"};
}

}  // namespace

Result<std::shared_ptr<const Identity>> Identity::make(IdentityFiles files, std::uint64_t generation, std::int64_t now) {
  const std::shared_ptr<Identity> identity(new Identity(std::move(files), generation));
  if (Result<void> loaded = identity->load(now); !loaded) return loaded.error();
  return std::shared_ptr<const Identity>(identity);
}

Identity::~Identity() {
  OPENSSL_cleanse(files_.key.data(), files_.key.size());
}

Result<void> Identity::load(std::int64_t now) {
  const auto named = [&](const char* file) { return "`" + files_.name + "/" + file + "`"; };
  auto chain = read_certificates(files_.svid, named("svid.pem"));
  if (!chain) return chain.error();
  chain_ = std::move(*chain);
  auto key = read_private_key(files_.key, named("key.pem"));
  if (!key) return key.error();
  key_ = std::move(*key);
  if (!belongs_to(key_, chain_.front()))
    return Error{ErrorKind::invalid, named("key.pem") + " is not the key of " + named("svid.pem"),
                 "write both into a new folder, and rename that into the place of the old one"};
  const auto roots = read_certificates(files_.bundle, named("bundle.pem"));
  if (!roots) return roots.error();
  auto bundle = TrustBundle::make(*roots, trust_domain_of(chain_.front().get()), named("bundle.pem"));
  if (!bundle) return bundle.error();
  bundle_ = std::move(*bundle);
  const StackPtr others = stack_behind_leaf(chain_);
  auto checked = check_svid(chain_.front().get(), others.get(), bundle_, PeerSide::server, now);
  if (const auto* why = std::get_if<SvidRefusal>(&checked)) return refused(named("svid.pem"), *why);
  self_ = std::get<Peer>(std::move(checked));
  const Digest roots_digest = bundle_.digest();
  session_context_ = digest_of(self_.id.text() + "\n" + std::string(reinterpret_cast<const char*>(roots_digest.data()), roots_digest.size()));
  return {};
}

}  // namespace heddle::tls
