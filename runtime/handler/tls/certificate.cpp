#include "runtime/handler/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <ctime>
#include <limits>

#include "runtime/handler/tls/openssl.h"

namespace heddle::tls {
namespace {

constexpr std::string_view begin_line = "-----BEGIN ";

std::size_t count_beginnings(std::string_view pem) {
  std::size_t count = 0;
  for (std::size_t at = pem.find(begin_line); at != std::string_view::npos; at = pem.find(begin_line, at + begin_line.size()))
    ++count;
  return count;
}

Error invalid(const std::string& what) {
  return {ErrorKind::invalid, what, "write it again, whole: a file that is being written is renamed into its place at the end"};
}

int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 0;
}

std::string der_of(int (*encode)(const X509*, unsigned char**), const X509& certificate) {
  unsigned char* bytes = nullptr;
  const int size = encode(&certificate, &bytes);
  if (size < 0) std::abort();  // no memory
  std::string text(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return text;
}

int encode_name(const X509* certificate, unsigned char** bytes) {
  return i2d_X509_NAME(X509_get_subject_name(certificate), bytes);
}

int encode_key(const X509* certificate, unsigned char** bytes) {
  return i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), bytes);
}

/// A date that cannot be read is the one that never fits.
std::int64_t seconds_of(const ASN1_TIME* time, std::int64_t unreadable) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : unreadable;
}

}  // namespace

Result<std::vector<Certificate>> read_certificates(std::string_view pem, const std::string& name) {
  if (pem.size() > largest_pem) return invalid(name + " is larger than " + std::to_string(largest_pem) + " bytes");
  const BioPtr bio = read_only(pem);
  std::vector<Certificate> certificates;
  ERR_clear_error();
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
    certificates.emplace_back(certificate, X509_free);
  ERR_clear_error();
  if (certificates.empty()) return invalid(name + " has no certificate that can be read");
  if (certificates.size() != count_beginnings(pem))
    return invalid(name + " has something behind certificate " + std::to_string(certificates.size()) + " that is no certificate, or a part of one");
  return certificates;
}

Result<PrivateKey> read_private_key(std::string_view pem, const std::string& name) {
  if (pem.size() > largest_key) return invalid(name + " is larger than " + std::to_string(largest_key) + " bytes");
  const BioPtr bio = read_only(pem);
  bool encrypted = false;
  ERR_clear_error();
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, &encrypted);
  ERR_clear_error();
  if (encrypted)
    return Error{ErrorKind::invalid, name + " is encrypted", "the agent has nobody to ask for a password: write the key as it is, with mode 0600"};
  if (key == nullptr) return invalid(name + " has no private key that can be read");
  return PrivateKey(key, EVP_PKEY_free);
}

bool belongs_to(const PrivateKey& key, const Certificate& certificate) {
  ERR_clear_error();
  const bool right = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return right;
}

Digest issuer_digest(const X509& certificate) {
  return digest_of(der_of(encode_name, certificate) + der_of(encode_key, certificate));
}

Digest digest_of(std::string_view bytes) {
  Digest digest{};
  static_assert(sizeof digest == SHA256_DIGEST_LENGTH);
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr, EVP_sha256(), nullptr) != 1)
    std::abort();  // libcrypto without SHA-256
  return digest;
}

std::int64_t not_before(const X509& certificate) {
  return seconds_of(X509_get0_notBefore(&certificate), std::numeric_limits<std::int64_t>::max());
}

std::int64_t not_after(const X509& certificate) {
  return seconds_of(X509_get0_notAfter(&certificate), std::numeric_limits<std::int64_t>::min());
}

}  // namespace heddle::tls
