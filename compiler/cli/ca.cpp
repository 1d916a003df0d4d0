#include "compiler/cli/ca.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/time_text.h"

namespace heddle::cli {
namespace {

using CertificatePtr = std::shared_ptr<X509>;
using KeyPtr = std::shared_ptr<EVP_PKEY>;

template <auto free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free>>;

/// Clocks of two nodes differ.
constexpr std::int64_t backdated = 30;

/// No memory, no randomness, or an OpenSSL that cannot do what 3.0 can.
void require(bool worked) {
  if (!worked) std::abort();
}

struct Issuer {
  X509* certificate;
  EVP_PKEY* key;
};

struct Form {
  std::string subject_type;  // of one attribute
  std::string subject;
  std::string uri;
  std::int64_t from;
  std::int64_t to;
  std::vector<std::pair<int, const char*>> extensions;  // as openssl.cnf(5) writes them
};

KeyPtr make_key() {
  KeyPtr key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  require(key != nullptr);
  return key;
}

/// Positive, and random: nobody keeps a list (RFC 5280, 4.1.2.2).
void set_serial(X509* certificate) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  require(number && BN_rand(number.get(), 159, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  require(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_subject(X509* certificate, const Form& form) {
  const auto* text = reinterpret_cast<const unsigned char*>(form.subject.c_str());
  require(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), form.subject_type.c_str(), MBSTRING_ASC, text, -1, -1, 0) == 1);
}

void add_uri(X509* certificate, const std::string& uri) {
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(GENERAL_NAMES_new());
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  require(names && name != nullptr && text != nullptr && ASN1_STRING_set(text, uri.data(), static_cast<int>(uri.size())) == 1);
  GENERAL_NAME_set0_value(name, GEN_URI, text);
  require(sk_GENERAL_NAME_push(names.get(), name) > 0);
  require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND) == 1);
}

void add_extensions(X509* certificate, X509* issuer, const Form& form) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const auto& [nid, value] : form.extensions) {
    const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
  }
}

/// Signed by `issuer`; nullptr: by itself.
CertificatePtr make_certificate(const Form& form, EVP_PKEY* key, const Issuer* issuer) {
  CertificatePtr made(X509_new(), X509_free);
  X509* certificate = made.get();
  X509* by = issuer == nullptr ? certificate : issuer->certificate;
  require(made && X509_set_version(certificate, 2) == 1 && X509_set_pubkey(certificate, key) == 1);
  require(ASN1_TIME_set(X509_getm_notBefore(certificate), form.from) != nullptr && ASN1_TIME_set(X509_getm_notAfter(certificate), form.to) != nullptr);
  set_serial(certificate);
  set_subject(certificate, form);
  require(X509_set_issuer_name(certificate, X509_get_subject_name(by)) == 1);
  add_uri(certificate, form.uri);
  add_extensions(certificate, by, form);
  require(X509_sign(certificate, issuer == nullptr ? key : issuer->key, EVP_sha256()) > 0);
  return made;
}

std::string text_of(const BioPtr& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  require(bio && PEM_write_bio_X509(bio.get(), certificate) == 1);
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  require(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio);
}

BioPtr read_only(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return 0;
}

/// A random end, so that a CA that is made anew is not mistaken for the old one.
std::string ca_subject() {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  require(number && BN_rand(number.get(), 32, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  char* digits = BN_bn2hex(number.get());
  std::string subject = std::string("heddle development CA ") + digits;
  OPENSSL_free(digits);
  return subject;
}

Form ca_form(const std::string& trust_domain, std::int64_t now, std::int64_t life) {
  Form form{"CN", ca_subject(), SpiffeId{trust_domain, ""}.text(), now - backdated, now + life, {}};
  form.extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign,cRLSign"}, {NID_subject_key_identifier, "hash"}};
  return form;
}

Form leaf_form(const SpiffeId& id, std::int64_t from, std::int64_t to) {
  Form form{"O", "heddle", id.text(), from, to, {}};
  form.extensions = {{NID_basic_constraints, "critical,CA:FALSE"},
                     {NID_key_usage, "critical,digitalSignature"},
                     {NID_ext_key_usage, "serverAuth,clientAuth"},
                     {NID_subject_key_identifier, "hash"},
                     {NID_authority_key_identifier, "keyid:always"}};
  return form;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(timegm(&parts)) : 0;
}

/// The SPIFFE ID of a signing certificate, which has no path; nothing if it is anything else.
std::optional<std::string> trust_domain_of(X509* certificate) {
  constexpr std::uint32_t flags = EXFLAG_CA | EXFLAG_KUSAGE;
  if ((X509_get_extension_flags(certificate) & flags) != flags || (X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0) return std::nullopt;
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names || sk_GENERAL_NAME_num(names.get()) != 1) return std::nullopt;
  const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), 0);
  if (name->type != GEN_URI) return std::nullopt;
  const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
  const SpiffeReading reading =
      read_spiffe_id({reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), static_cast<std::size_t>(ASN1_STRING_length(uri))});
  if (reading.wrong != nullptr || !reading.id.path.empty()) return std::nullopt;
  return reading.id.trust_domain;
}

Error unusable(const std::string& what, const std::string& folder) {
  return {ErrorKind::invalid, what, "`heddle ca init " + folder + " --force` makes another; what the old one issued is then no longer believed"};
}

}  // namespace

Result<CaFiles> make_ca(const std::string& trust_domain, std::int64_t life, std::int64_t now) {
  if (const char* wrong = wrong_in_trust_domain(trust_domain))
    return Error{ErrorKind::usage, "`" + trust_domain + "` is no trust domain: " + wrong, "write it as the policy does: `--trust-domain shop.example`"};
  const KeyPtr key = make_key();
  const CertificatePtr certificate = make_certificate(ca_form(trust_domain, now, life), key.get(), nullptr);
  return CaFiles{pem_of(certificate.get()), pem_of(key.get())};
}

Result<Ca> Ca::load(const CaFiles& files, const std::string& folder, std::int64_t now) {
  const std::string named = "`" + folder + "/ca.pem`";
  Ca ca;
  ERR_clear_error();
  ca.certificate_.reset(PEM_read_bio_X509(read_only(files.certificate).get(), nullptr, nullptr, nullptr), X509_free);
  ca.key_.reset(PEM_read_bio_PrivateKey(read_only(files.key).get(), nullptr, no_password, nullptr), EVP_PKEY_free);
  ERR_clear_error();
  if (!ca.certificate_) return unusable(named + " has no certificate that can be read", folder);
  if (!ca.key_) return unusable("`" + folder + "/ca-key.pem` has no key that can be read", folder);
  const bool belongs = X509_check_private_key(ca.certificate_.get(), ca.key_.get()) == 1;
  ERR_clear_error();
  if (!belongs) return unusable("`" + folder + "/ca-key.pem` is not the key of " + named, folder);
  const auto trust_domain = trust_domain_of(ca.certificate_.get());
  if (!trust_domain) return unusable(named + " is no signing certificate of a trust domain", folder);
  if (now < seconds_of(X509_get0_notBefore(ca.certificate_.get())))
    return Error{ErrorKind::invalid, named + " is not valid before " + time_text(seconds_of(X509_get0_notBefore(ca.certificate_.get()))),
                 "set the clock of this machine"};
  const std::int64_t not_after = seconds_of(X509_get0_notAfter(ca.certificate_.get()));
  if (now >= not_after) return unusable(named + " has expired at " + time_text(not_after), folder);
  ca.trust_domain_ = *trust_domain;
  ca.pem_ = pem_of(ca.certificate_.get());
  return ca;
}

Result<SvidFiles> Ca::issue(const SpiffeId& id, std::int64_t ttl, std::int64_t now) const {
  const std::int64_t own_end = seconds_of(X509_get0_notAfter(certificate_.get()));
  if (ttl > own_end - now)
    return Error{ErrorKind::usage, "the CA lives until " + time_text(own_end) + ", and what it issues cannot live longer", "write a shorter `--ttl`"};
  const KeyPtr key = make_key();
  const Issuer issuer{certificate_.get(), key_.get()};
  const std::int64_t own_begin = seconds_of(X509_get0_notBefore(certificate_.get()));
  const CertificatePtr certificate = make_certificate(leaf_form(id, std::max(now - backdated, own_begin), now + ttl), key.get(), &issuer);
  return SvidFiles{pem_of(certificate.get()), pem_of(key.get()), pem_, now + ttl};
}

}  // namespace heddle::cli
