#include "runtime/handler/tls/svid.h"

#include <gtest/gtest.h>

#include "runtime/handler/tls/expected_peers.h"
#include "runtime/handler/tls/openssl.h"
#include "tests/unit/tls/certificates.h"

namespace heddle::tls {
namespace {

using namespace certificates;
using Checked = std::variant<Peer, SvidRefusal>;

const Issued& root() {
  static const Issued made = issue(authority());
  return made;
}

TrustBundle bundle_of(const std::vector<Issued>& roots) {
  std::vector<Certificate> all;
  for (const Issued& each : roots) all.push_back(each.certificate);
  const auto bundle = TrustBundle::make(all, "shop.example", "the bundle");
  EXPECT_TRUE(bundle) << bundle.error().what;
  return *bundle;
}

Checked check(const std::vector<Issued>& shown, const TrustBundle& bundle, std::int64_t now = start(), PeerSide side = PeerSide::client) {
  const StackPtr others(sk_X509_new_null());
  for (const Issued& each : shown) sk_X509_push(others.get(), each.certificate.get());
  return check_svid(shown.empty() ? nullptr : shown.front().certificate.get(), others.get(), bundle, side, now);
}

std::string outcome(const Checked& checked) {
  const auto* why = std::get_if<SvidRefusal>(&checked);
  return why == nullptr ? "believed" : std::string(name_of(why->rule));
}

/// Of a leaf that the root issued.
std::string outcome(const Form& form) {
  return outcome(check({issue_by(root(), form)}, bundle_of({root()})));
}

TEST(Svid, IsBelieved) {
  const Issued web = issue_by(root(), leaf());
  for (const PeerSide side : {PeerSide::client, PeerSide::server}) {
    const Checked checked = check({web}, bundle_of({root()}), start(), side);
    ASSERT_EQ(outcome(checked), "believed") << std::get<SvidRefusal>(checked).what;
    const Peer& peer = std::get<Peer>(checked);
    EXPECT_EQ(peer.id.text(), "spiffe://shop.example/ns/shop/sa/web");
    EXPECT_EQ(peer.not_after, start() + 3600);
    EXPECT_EQ(peer.root, issuer_digest(*root().certificate));
  }
}

TEST(Svid, MayHaveOtherNamesAndNoExtendedUsage) {
  Form form = leaf();
  form.other_name = "web.shop.example";
  form.extended_usage = "";
  EXPECT_EQ(outcome(form), "believed");
  form.constraints = "";
  EXPECT_EQ(outcome(form), "believed") << "without basic constraints it is no CA";
  form.usage = "critical,digitalSignature,keyAgreement";
  EXPECT_EQ(outcome(form), "believed");
}

TEST(Svid, IsShown) {
  EXPECT_EQ(outcome(check({}, bundle_of({root()}))), "no-certificate");
}

TEST(Svid, HasOneUri) {
  Form form = leaf();
  form.uris = {};
  EXPECT_EQ(outcome(form), "no-uri");
  form.other_name = "spiffe://shop.example/ns/shop/sa/web";
  EXPECT_EQ(outcome(form), "no-uri") << "what is in another kind of name does not count";
  form = leaf();
  form.uris.push_back("spiffe://shop.example/ns/shop/sa/admin");
  EXPECT_EQ(outcome(form), "several-uris");
  form.uris[1] = form.uris[0];
  EXPECT_EQ(outcome(form), "several-uris");
  form.uris[1] = "https://shop.example/";
  EXPECT_EQ(outcome(form), "several-uris");
  form = leaf();
  form.twice = true;
  EXPECT_EQ(outcome(form), "malformed");
}

TEST(Svid, HasASpiffeIdWithAPath) {
  EXPECT_EQ(outcome(leaf("https://shop.example/ns/shop/sa/web")), "not-spiffe");
  EXPECT_EQ(outcome(leaf("")), "not-spiffe");
  EXPECT_EQ(outcome(leaf("spiffe://shop.example")), "no-path");
  for (const std::string& id : {std::string("spiffe://shop.example/ns/../web"), std::string("spiffe://Shop.example/web"), std::string("spiffe://shop.example/web/"),
                                std::string("spiffe://shop.example:1/web"), std::string("spiffe://shop.example/web\0.other", 33)})
    EXPECT_EQ(outcome(leaf(id)), "bad-id") << id;
}

TEST(Svid, HasCriticalNamesOrASubject) {
  Form form = leaf();
  form.subject = "";
  EXPECT_EQ(outcome(form), "names-not-critical");
  form.critical_names = true;
  EXPECT_EQ(outcome(form), "believed");
}

TEST(Svid, IsNoSigningCertificate) {
  Form form = leaf();
  form.constraints = "critical,CA:TRUE";
  EXPECT_EQ(outcome(form), "leaf-is-ca");
  for (const char* usage : {"critical,digitalSignature,keyCertSign", "critical,digitalSignature,cRLSign", "critical,keyCertSign"}) {
    form = leaf();
    form.usage = usage;
    EXPECT_EQ(outcome(form), "leaf-signs") << usage;
  }
}

TEST(Svid, HasTheUsageOfALeaf) {
  Form form = leaf();
  form.usage = "";
  EXPECT_EQ(outcome(form), "no-key-usage");
  form.usage = "digitalSignature";
  EXPECT_EQ(outcome(form), "key-usage-not-critical");
  form.usage = "critical,keyAgreement";
  EXPECT_EQ(outcome(form), "no-digital-signature");
  for (const char* usage : {"serverAuth", "clientAuth", "codeSigning"}) {
    form = leaf();
    form.extended_usage = usage;
    EXPECT_EQ(outcome(form), "extended-key-usage") << usage;
  }
}

TEST(Svid, IsNotSelfSigned) {
  const Issued own = issue(leaf());
  EXPECT_EQ(outcome(check({own}, bundle_of({root()}))), "self-signed");
  EXPECT_FALSE(TrustBundle::make({own.certificate}, "shop.example", "the bundle")) << "nor is it a root";
}

TEST(Svid, IsValidNow) {
  const Issued web = issue_by(root(), leaf());
  const TrustBundle bundle = bundle_of({root()});
  EXPECT_EQ(outcome(check({web}, bundle, start() - 60)), "believed");
  EXPECT_EQ(outcome(check({web}, bundle, start() - 61)), "not-yet-valid");
  EXPECT_EQ(outcome(check({web}, bundle, start() + 3599)), "believed");
  EXPECT_EQ(outcome(check({web}, bundle, start() + 3600)), "expired");
}

TEST(Svid, NeedsAValidRoot) {
  Form form = authority();
  form.to = 10;
  const Issued old = issue(form);
  const Issued web = issue_by(old, leaf());
  const Checked checked = check({web}, bundle_of({old}), start() + 5);
  ASSERT_EQ(outcome(checked), "believed");
  EXPECT_EQ(std::get<Peer>(checked).not_after, start() + 10) << "the earliest of the path";
  EXPECT_EQ(outcome(check({web}, bundle_of({old}), start() + 11)), "expired");
}

TEST(Svid, IsOfItsOwnTrustDomain) {
  const Issued other = issue(authority("other.example"));
  const Issued foreign = issue_by(other, leaf("spiffe://other.example/web"));
  EXPECT_EQ(outcome(check({foreign}, bundle_of({root()}))), "unknown-trust-domain");
  EXPECT_EQ(outcome(check({foreign}, bundle_of({root(), other}))), "believed");
  const Issued pretender = issue_by(other, leaf());
  EXPECT_EQ(outcome(check({pretender}, bundle_of({root(), other}))), "untrusted") << "a root speaks for its own trust domain only";
  const Issued near = issue_by(root(), leaf("spiffe://shop.example.evil/web"));
  EXPECT_EQ(outcome(check({near}, bundle_of({root()}))), "unknown-trust-domain");
}

TEST(Svid, IsOfARootThatNamesNoTrustDomain) {
  Form form = authority();
  form.uris = {};
  const Issued nameless = issue(form);
  EXPECT_EQ(outcome(check({issue_by(nameless, leaf())}, bundle_of({nameless}))), "believed");
  EXPECT_EQ(outcome(check({issue_by(nameless, leaf("spiffe://other.example/web"))}, bundle_of({nameless}))), "unknown-trust-domain");
}

TEST(Svid, IsSignedByTheRoot) {
  const Issued twin = issue(authority());  // the same name, another key
  EXPECT_EQ(outcome(check({issue_by(twin, leaf())}, bundle_of({root()}))), "untrusted");
  EXPECT_EQ(outcome(check({issue_by(twin, leaf()), twin}, bundle_of({root()}))), "untrusted") << "a root that is shown is not believed";
}

TEST(Svid, MayHaveIntermediates) {
  const Issued middle = issue_by(root(), authority());
  const Issued web = issue_by(middle, leaf());
  EXPECT_EQ(outcome(check({web, middle}, bundle_of({root()}))), "believed");
  EXPECT_EQ(outcome(check({web, middle, root()}, bundle_of({root()}))), "believed");
  EXPECT_EQ(outcome(check({web}, bundle_of({root()}))), "untrusted");
  EXPECT_EQ(outcome(check({web}, bundle_of({middle}))), "believed") << "a signing certificate may be what is trusted";
}

TEST(Svid, HasSignersThatMaySign) {
  const auto through = [](const Form& form) {
    const Issued middle = issue_by(root(), form);
    return outcome(check({issue_by(middle, leaf()), middle}, bundle_of({root()})));
  };
  Form form = authority();
  form.subject = "middle";
  EXPECT_EQ(through(form), "believed");
  form.constraints = "critical,CA:FALSE";
  EXPECT_EQ(through(form), "signer-is-no-ca");
  form.constraints = "";
  EXPECT_EQ(through(form), "signer-is-no-ca") << "whatever its key usage says";
  form.constraints = "critical,CA:TRUE";
  form.usage = "critical,digitalSignature";
  EXPECT_EQ(through(form), "signer-without-cert-sign");
  form.usage = "";
  EXPECT_EQ(through(form), "signer-without-cert-sign");
  form.usage = "critical,keyCertSign";
  form.uris = {"spiffe://shop.example/ns/ca"};
  EXPECT_EQ(through(form), "signer-id");
  form.uris = {"spiffe://shop.example", "spiffe://other.example"};
  EXPECT_EQ(through(form), "signer-id");
  form.uris = {"https://shop.example"};
  EXPECT_EQ(through(form), "signer-id");
  form.uris = {};
  EXPECT_EQ(through(form), "believed");
  form.extended_usage = "codeSigning";
  EXPECT_EQ(through(form), "invalid-path");
}

TEST(Svid, MayNotSignAnother) {
  const Issued web = issue_by(root(), leaf());
  EXPECT_EQ(outcome(check({issue_by(web, leaf("spiffe://shop.example/admin")), web}, bundle_of({root()}))), "signer-is-no-ca");
}

/// A path of that many certificates, the root not shown.
std::vector<Issued> path_of(std::size_t length) {
  std::vector<Issued> path = {root()};
  while (path.size() < length - 1) {
    Form form = authority();
    form.subject += std::to_string(path.size());
    path.insert(path.begin(), issue_by(path.front(), form));
  }
  path.insert(path.begin(), issue_by(path.front(), leaf()));
  path.pop_back();
  return path;
}

TEST(Svid, HasAPathOfBoundedLength) {
  EXPECT_EQ(outcome(check(path_of(longest_chain), bundle_of({root()}))), "believed");
  EXPECT_EQ(outcome(check(path_of(longest_chain + 1), bundle_of({root()}))), "chain-too-long");
  std::vector<Issued> shown(longest_chain, issue_by(root(), leaf()));
  EXPECT_EQ(outcome(check(shown, bundle_of({root()}))), "believed");
  shown.push_back(shown.front());
  EXPECT_EQ(outcome(check(shown, bundle_of({root()}))), "chain-too-long") << "also of what is not on the path";
}

TEST(Svid, KeepsThePathLengthOfItsSigners) {
  Form form = authority();
  form.constraints = "critical,CA:TRUE,pathlen:0";
  const Issued top = issue(form);
  form.subject = "middle";
  const Issued middle = issue_by(top, form);
  EXPECT_EQ(outcome(check({issue_by(middle, leaf()), middle}, bundle_of({top}))), "invalid-path");
}

TEST(Svid, HasABoundedSize) {
  Form form = leaf();
  form.comment = std::string(largest_certificate - 1000, 'x');
  EXPECT_EQ(outcome(form), "believed");
  form.comment += std::string(1000, 'x');
  EXPECT_EQ(outcome(form), "certificate-too-large");
  Form large = authority();
  large.comment = form.comment;
  EXPECT_EQ(outcome(check({issue_by(root(), leaf()), issue_by(root(), large)}, bundle_of({root()}))), "certificate-too-large");
}

TEST(Svid, HasAKeyThatIsStrongEnough) {
  const PrivateKey weak(EVP_RSA_gen(1024), EVP_PKEY_free);
  EXPECT_EQ(outcome(check({issue_by(root(), leaf(), weak)}, bundle_of({root()}))), "invalid-path");
}

TEST(Svid, ARefusalNamesTheRule) {
  const auto checked = check({issue_by(root(), leaf("spiffe://shop.example/a/"))}, bundle_of({root()}));
  EXPECT_EQ(std::get<SvidRefusal>(checked).what,
            "the leaf's URI is no SPIFFE ID (SPIFFE-ID 2): its path has an empty segment: two slashes, or one at its beginning or end");
}

TEST(Recheck, HoldsWhileTheRootIsThereAndTheDateFits) {
  const Peer peer = std::get<Peer>(check({issue_by(root(), leaf())}, bundle_of({root()})));
  const Issued next = issue(authority());
  EXPECT_FALSE(recheck(peer, bundle_of({root(), next}), start() + 3599));
  EXPECT_EQ(recheck(peer, bundle_of({root()}), start() + 3600)->rule, SvidRule::expired);
  EXPECT_EQ(recheck(peer, bundle_of({next}), start())->rule, SvidRule::root_removed) << "the same name, another key";
  const Issued other = issue(authority("other.example"), root().key);
  EXPECT_EQ(recheck(peer, bundle_of({other}), start())->rule, SvidRule::root_removed) << "the same key, another trust domain";
  const Issued renewed = issue(authority(), root().key);
  EXPECT_FALSE(recheck(peer, bundle_of({renewed}), start())) << "the same key with another date";
}

TEST(Bundle, HasOnlySigningCertificates) {
  const auto wrong = [](const Form& form) {
    const auto made = TrustBundle::make({root().certificate, issue(form).certificate}, "shop.example", "`bundle.pem`");
    return made ? "" : made.error().what;
  };
  EXPECT_EQ(wrong(authority()), "");
  EXPECT_EQ(wrong(leaf()), "certificate 2 of `bundle.pem` is no CA");
  Form form = authority();
  form.usage = "critical,digitalSignature";
  EXPECT_EQ(wrong(form), "certificate 2 of `bundle.pem` has no keyCertSign in its key usage");
  form = authority();
  form.uris.push_back("spiffe://other.example");
  EXPECT_EQ(wrong(form), "certificate 2 of `bundle.pem` has another URI than one SPIFFE ID of a trust domain");
  form.uris = {"spiffe://shop.example/path"};
  EXPECT_NE(wrong(form), "");
}

TEST(Bundle, HasTheDigestOfItsContent) {
  const Issued next = issue(authority());
  EXPECT_EQ(bundle_of({root(), next}).digest(), bundle_of({next, root(), next}).digest());
  EXPECT_NE(bundle_of({root(), next}).digest(), bundle_of({root()}).digest());
}

TEST(Expected, AnAliasIsTheSameMesh) {
  const ExpectedPeers expected{{"new.example", "old.example"}, {read_spiffe_pattern("spiffe://new.example/sa/web-*").id}};
  EXPECT_TRUE(expected.has({"new.example", "sa/web-1"}));
  EXPECT_TRUE(expected.has({"old.example", "sa/web-1"}));
  EXPECT_FALSE(expected.has({"older.example", "sa/web-1"}));
  EXPECT_FALSE(expected.has({"new.example", "sa/api"}));
  EXPECT_FALSE((ExpectedPeers{{"new.example", ""}, expected.patterns}.has({"old.example", "sa/web-1"})));
  EXPECT_FALSE((ExpectedPeers{}.has({"new.example", "sa/web-1"}))) << "nobody is named";
}

}  // namespace
}  // namespace heddle::tls
