#include "runtime/handler/tls/identity.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "runtime/handler/tls/openssl.h"
#include "tests/unit/tls/certificates.h"

namespace heddle::tls {
namespace {

using namespace certificates;

const Issued root = issue(authority());
const Issued web = issue_by(root, leaf());

std::string outcome(const IdentityFiles& content, std::int64_t now = start()) {
  const auto made = Identity::make(content, 1, now);
  return made ? "right" : made.error().what;
}

TEST(Identity, IsWhatItsFilesSay) {
  const auto made = Identity::make(files({web}, {root}), 7, start());
  ASSERT_TRUE(made) << made.error().what;
  const Identity& identity = **made;
  EXPECT_EQ(identity.id().text(), "spiffe://shop.example/ns/shop/sa/web");
  EXPECT_EQ(identity.generation(), 7u);
  EXPECT_EQ(identity.not_after(), start() + 3600);
  EXPECT_EQ(identity.remaining_life(start()), 3600);
  EXPECT_EQ(identity.chain().size(), 1u);
}

TEST(Identity, IsDueWhenAThirdIsLeft) {
  Form form = leaf();
  form.from = 0;
  form.to = 900;
  const auto made = Identity::make(files({issue_by(root, form)}, {root}), 1, start());
  ASSERT_TRUE(made);
  EXPECT_FALSE((*made)->is_due(start() + 599));
  EXPECT_TRUE((*made)->is_due(start() + 600));
  EXPECT_EQ((*made)->remaining_life(start() + 901), -1);
}

TEST(Identity, HasTheKeyOfItsLeaf) {
  IdentityFiles content = files({web}, {root});
  content.key = pem(make_key());
  EXPECT_EQ(outcome(content), "`svids/web/key.pem` is not the key of `svids/web/svid.pem`");
}

TEST(Identity, IsOneThatPeersBelieve) {
  EXPECT_EQ(outcome(files({web}, {root})), "right");
  EXPECT_EQ(outcome(files({web}, {root}), start() + 3600),
            "peers would refuse `svids/web/svid.pem`: a certificate of the path has expired (RFC 5280, 6.1.3)");
  EXPECT_NE(outcome(files({web}, {root}), start() - 61).find("not valid yet"), std::string::npos);
  EXPECT_NE(outcome(files({web}, {issue(authority())})).find("does not end at a root"), std::string::npos);
  EXPECT_NE(outcome(files({issue_by(root, leaf("spiffe://shop.example"))}, {root})).find("has no path"), std::string::npos);
  EXPECT_NE(outcome(files({root}, {root})).find("has no path"), std::string::npos);
}

TEST(Identity, HasWholeFiles) {
  const Issued middle = issue_by(root, authority());
  const IdentityFiles right = files({issue_by(middle, leaf()), middle}, {root, issue(authority("other.example"))});
  ASSERT_EQ(outcome(right), "right");
  for (std::string IdentityFiles::* part : {&IdentityFiles::svid, &IdentityFiles::key, &IdentityFiles::bundle}) {
    IdentityFiles content = right;
    const std::string whole = content.*part;
    // A bundle may end behind a certificate; where it ends is not to be seen.
    const std::size_t first_end = part == &IdentityFiles::bundle ? pem({root}).size() : 2 * largest_pem;
    for (std::size_t size = 0; size + 2 < whole.size(); size += 7) {
      content.*part = whole.substr(0, size);
      if (size + 1 >= first_end && size <= first_end + 10) continue;
      EXPECT_NE(outcome(content), "right") << size;
    }
    content.*part = std::string(300'000, 'x');
    EXPECT_NE(outcome(content).find("is larger than"), std::string::npos);
  }
}

TEST(Identity, HasNothingButCertificatesInTheirFiles) {
  IdentityFiles content = files({web}, {root});
  content.svid = "some words\n" + content.svid + "and more\n";
  EXPECT_EQ(outcome(content), "right");
  content.svid += content.key;
  EXPECT_EQ(outcome(content), "`svids/web/svid.pem` has something behind certificate 1 that is no certificate, or a part of one");
}

TEST(Identity, HasAKeyWithoutAPassword) {
  IdentityFiles content = files({web}, {root});
  const BioPtr bio(BIO_new(BIO_s_mem()));
  char word[] = "word";
  ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(bio.get(), web.key.get(), EVP_aes_256_cbc(), word, 4, nullptr, nullptr), 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  content.key = std::string(bytes, static_cast<std::size_t>(size));
  EXPECT_EQ(outcome(content), "`svids/web/key.pem` is encrypted");
}

TEST(Identity, HasASessionContext) {
  const auto context = [](const IdentityFiles& content) { return Identity::make(content, 1, start()).value()->session_context(); };
  const Digest own = context(files({web}, {root}));
  EXPECT_EQ(context(files({issue_by(root, leaf())}, {root})), own) << "a renewed one is the same";
  EXPECT_NE(context(files({issue_by(root, leaf("spiffe://shop.example/api"))}, {root})), own);
  EXPECT_NE(context(files({web}, {root, issue(authority())})), own);
}

}  // namespace
}  // namespace heddle::tls
