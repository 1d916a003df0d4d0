#include "runtime/base/peers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

/// Whom a certificate's SPIFFE ID names, by tables that are written here by hand.
namespace heddle {
namespace {

class Book {
 public:
  explicit Book(const std::string& trust_domain = "shop.example", const std::string& alias = "") {
    mesh_.push_back({add(trust_domain), add(alias)});
  }
  Book& with(const std::string& domain, const std::string& path, std::initializer_list<std::uint32_t> identities) {
    hd_pattern pattern{add(domain), add(path), {}};
    for (const std::uint32_t bit : identities) pattern.identities[bit / 64] |= std::uint64_t{1} << (bit % 64);
    patterns_.push_back(pattern);
    return *this;
  }
  [[nodiscard]] std::optional<hd_peer> find(const std::string& spiffe) const { return Peers(mesh_, patterns_, blob_).find(spiffe); }
  /// The numbers of its identities.
  [[nodiscard]] std::vector<std::uint32_t> of(const std::string& spiffe) const {
    std::vector<std::uint32_t> bits;
    const auto peer = find(spiffe);
    for (std::uint32_t bit = 0; peer && bit < HD_IDENTITY_WORDS * 64; ++bit) {
      if ((peer->identities[bit / 64] >> (bit % 64) & 1) != 0) bits.push_back(bit);
    }
    return bits;
  }
  [[nodiscard]] bool holds(const std::string& spiffe) const { return !of(spiffe).empty(); }
  std::vector<hd_pattern>& patterns() { return patterns_; }

 private:
  hd_text add(const std::string& text) {
    blob_ += text;
    return {static_cast<hd_u32>(blob_.size() - text.size()), static_cast<hd_u32>(text.size())};
  }
  std::vector<hd_mesh> mesh_;
  std::vector<hd_pattern> patterns_;
  std::string blob_;
};

using Bits = std::vector<std::uint32_t>;

TEST(Peers, HoldsAllThatMatch) {
  Book book;
  book.with("shop.example", "ns/web", {0, 70}).with("shop.example", "ns/*", {1023}).with("shop.example", "ns/cart", {5});
  EXPECT_EQ(book.of("spiffe://shop.example/ns/web"), (Bits{0, 70, 1023}));
  EXPECT_EQ(book.of("spiffe://shop.example/ns/other"), Bits{1023});
  EXPECT_EQ(book.of("spiffe://shop.example/other"), Bits{});
  EXPECT_TRUE(book.find("spiffe://shop.example/other")) << "a peer, of whom the policy says nothing";
}

TEST(Peers, AStarIsARunWithoutSlash) {
  Book book;
  book.with("shop.example", "a/b*c/*d", {1});
  for (const char* path : {"a/bc/d", "a/bxc/d", "a/bcc/dd", "a/bbcc/xdd", "a/b-c/-d"})
    EXPECT_TRUE(book.holds(std::string("spiffe://shop.example/") + path)) << path;
  for (const char* path : {"a/b/c/d", "a/bc/x/d", "a/bc/dx", "a/bcx/d", "a/xbc/d", "x/a/bc/d", "a/bc", "a/bc/", "a/bc//d"})
    EXPECT_FALSE(book.holds(std::string("spiffe://shop.example/") + path)) << path;
}

TEST(Peers, AnotherTrustDomainHoldsOnlyWhatNamesIt) {
  Book book;
  book.with("shop.example", "ns/*", {1}).with("far.example", "ns/web", {2});
  EXPECT_EQ(book.of("spiffe://far.example/ns/web"), Bits{2});
  EXPECT_EQ(book.of("spiffe://far.example/ns/cart"), Bits{});
  EXPECT_EQ(book.of("spiffe://shop.example.far.example/ns/web"), Bits{});
  EXPECT_EQ(book.of("spiffe://shop.exampl/ns/web"), Bits{});
}

TEST(Peers, TheAliasIsTheTrustDomain) {
  Book book("new.example", "old.example");
  book.with("new.example", "ns/web", {3});
  EXPECT_EQ(book.of("spiffe://old.example/ns/web"), Bits{3});
  EXPECT_EQ(book.find("spiffe://old.example/ns/web")->digest, book.find("spiffe://new.example/ns/web")->digest);
  EXPECT_NE(book.find("spiffe://old.example/ns/web")->digest, book.find("spiffe://new.example/ns/we")->digest);
  EXPECT_EQ(book.of("spiffe://old.exampl/ns/web"), Bits{});
}

TEST(Peers, IsNobodyWithoutASpiffeId) {
  Book book;
  book.with("shop.example", "*", {1}).with("shop.example", "*/*", {1}).with("", "", {1});
  for (const char* text : {"", "spiffe://", "spiffe:///web", "spiffe://shop.example", "spiffe://shop.example/", "https://shop.example/web",
                           "SPIFFE://shop.example/web", "spiffe://Shop.example/web", "spiffe://shop.example/a//b", "spiffe://shop.example/a/",
                           "spiffe://shop.example/.", "spiffe://shop.example/../web", "spiffe://shop.example/a%2Fb", "spiffe://shop.example/a?b",
                           "spiffe://shop.example:80/web", "spiffe://u@shop.example/web", "spiffe://shop.example/w\xc3\xa4", "shop.example/web"})
    EXPECT_FALSE(book.find(text)) << text;
  EXPECT_FALSE(book.find(std::string("spiffe://shop.example/a\0b", 25)));
  EXPECT_FALSE(book.find("spiffe://shop.example/" + std::string(2048, 'a')));
  EXPECT_TRUE(book.find("spiffe://shop.example/" + std::string(2048 - 22, 'a')));
}

/// Tables come from outside of the worker.
TEST(Peers, TextsThatAreNotThereMatchNobody) {
  Book book;
  book.with("shop.example", "web", {1});
  book.patterns()[0].path = {4000000000U, 300000000U};
  EXPECT_FALSE(book.holds("spiffe://shop.example/web"));
  EXPECT_TRUE(Peers({}, {}, {}).find("spiffe://shop.example/web"));
}

}  // namespace
}  // namespace heddle
