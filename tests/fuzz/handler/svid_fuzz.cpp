// Any bytes as a SPIFFE ID, as the files of an identity, and as a peer's certificate. What is read as an ID is written as it was
// read, and a reader of our own, which knows the specification's grammar as one expression, reads the same; whatever is believed of
// a changed certificate is what its issuer signed.
#include <openssl/x509.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <regex>
#include <string>
#include <string_view>

#include "runtime/handler/tls/identity.h"
#include "runtime/handler/tls/openssl.h"
#include "tests/fuzz/handler/svid_samples.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle;
using namespace heddle::tls;

constexpr std::string_view between_files = "\n=====\n";

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_id(const std::string& text) {
  static const std::regex grammar("spiffe://[a-z0-9._-]{1,255}(/(?!\\.{1,2}(/|$))[a-zA-Z0-9._-]+)*");
  return text.size() <= 2048 && std::regex_match(text, grammar);
}

void try_id(const std::string& text) {
  const SpiffeReading reading = read_spiffe_id(text);
  if (reading.wrong == nullptr) require(reading.id.text() == text && matches(reading.id, reading.id));
  // The expression takes time and stack for what is long.
  if (text.size() <= 300) require((reading.wrong == nullptr) == is_id(text));
}

std::string take_file(std::string_view& rest) {
  const std::size_t end = rest.find(between_files);
  const std::string file(rest.substr(0, end));
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + between_files.size());
  return file;
}

void try_files(std::string_view text) {
  IdentityFiles files;
  files.name = "svids/web";
  files.svid = take_file(text);
  files.key = take_file(text);
  files.bundle = take_file(text);
  const auto made = Identity::make(files, 1, samples::now);
  if (!made) return require(!made.error().what.empty() && !made.error().help.empty());
  require((*made)->id().trust_domain == "shop.example" && (*made)->remaining_life(samples::now) > 0);
}

const Certificate& sample(const char* pem) {
  static const std::vector<Certificate> leaf = read_certificates(samples::leaf, "leaf").value();
  static const std::vector<Certificate> root = read_certificates(samples::root, "root").value();
  return pem == samples::leaf ? leaf.front() : root.front();
}

std::string der_of(const X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  require(size > 0);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

/// What the issuer signed.
std::string signed_part(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_re_X509_tbs(certificate, &bytes);
  require(size > 0);
  std::string part(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return part;
}

void try_certificate(std::string_view der) {
  static const TrustBundle bundle = TrustBundle::make({sample(samples::root)}, "shop.example", "bundle").value();
  static const std::string right = signed_part(sample(samples::leaf).get());
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const X509Ptr leaf(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!leaf) return;
  for (const PeerSide side : {PeerSide::client, PeerSide::server}) {
    const auto checked = check_svid(leaf.get(), nullptr, bundle, side, samples::now);
    if (const auto* why = std::get_if<SvidRefusal>(&checked)) {
      require(!why->what.empty() && std::ranges::all_of(why->what, [](char c) { return c >= ' ' && c < 127; }));
    } else {
      require(signed_part(leaf.get()) == right);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'i') try_id(std::string(rest));
  if (data[0] == 'f') try_files(rest);
  if (data[0] == 'c') try_certificate(rest);
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  const std::string between(between_files);
  return {"ispiffe://shop.example/ns/shop/sa/web", "ispiffe://shop.example", "ispiffe://a/.../b_-.C",
          std::string("f") + samples::leaf + between + samples::leaf_key + between + samples::root,
          std::string("f") + samples::leaf + samples::root + between + samples::leaf_key + between + samples::root + samples::root,
          "c" + der_of(sample(samples::leaf).get()), "c" + der_of(sample(samples::root).get())};
}

std::vector<std::string> words() {
  return {"spiffe://", "/", "..", ".", "%2e", ":1", "@", "?", "#", "shop.example", std::string(between_files), "-----BEGIN CERTIFICATE-----\n",
          "-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n", std::string("\x30\x03\x01\x01\xff", 5), std::string("\x06\x03\x55\x1d\x11", 5),
          std::string("\x06\x03\x55\x1d\x0f", 5), std::string("\x06\x03\x55\x1d\x13", 5), std::string("\x03\x02\x07\x80", 4), std::string(1, '\0'), "\xff\xff"};
}

}  // namespace heddle::fuzz
