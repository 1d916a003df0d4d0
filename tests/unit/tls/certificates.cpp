#include "tests/unit/tls/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <ctime>

#include "runtime/handler/tls/openssl.h"

namespace heddle::tls::certificates {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void add(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void add_names(X509* certificate, const Form& form) {
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(sk_GENERAL_NAME_new_null());
  const auto push = [&](int type, const std::string& text) {
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_IA5STRING* bytes = ASN1_IA5STRING_new();
    require(ASN1_STRING_set(bytes, text.data(), static_cast<int>(text.size())) == 1);
    GENERAL_NAME_set0_value(name, type, bytes);
    require(sk_GENERAL_NAME_push(names.get(), name) > 0);
  };
  for (const std::string& uri : form.uris) push(GEN_URI, uri);
  if (!form.other_name.empty()) push(GEN_DNS, form.other_name);
  if (sk_GENERAL_NAME_num(names.get()) == 0) return;
  for (int i = 0; i < (form.twice ? 2 : 1); ++i)
    require(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), form.critical_names ? 1 : 0, X509V3_ADD_APPEND) == 1);
}

X509_NAME* name_of(const std::string& text) {
  X509_NAME* name = X509_NAME_new();
  if (!text.empty())
    require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1, 0) == 1);
  return name;
}

Issued make(const Form& form, const PrivateKey& key, const Issued* issuer) {
  Issued made{Certificate(X509_new(), X509_free), key};
  X509* certificate = made.certificate.get();
  X509* by = issuer == nullptr ? certificate : issuer->certificate.get();
  static long serial = 1;
  require(X509_set_version(certificate, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1);
  require(ASN1_TIME_set(X509_getm_notBefore(certificate), start() + form.from) != nullptr);
  require(ASN1_TIME_set(X509_getm_notAfter(certificate), start() + form.to) != nullptr);
  const std::unique_ptr<X509_NAME, Freed<X509_NAME_free>> subject(name_of(form.subject));
  require(X509_set_subject_name(certificate, subject.get()) == 1 && X509_set_issuer_name(certificate, X509_get_subject_name(by)) == 1);
  require(X509_set_pubkey(certificate, key.get()) == 1);
  add_names(certificate, form);
  if (!form.constraints.empty()) add(certificate, by, NID_basic_constraints, form.constraints);
  if (!form.usage.empty()) add(certificate, by, NID_key_usage, form.usage);
  if (!form.extended_usage.empty()) add(certificate, by, NID_ext_key_usage, form.extended_usage);
  if (!form.comment.empty()) add(certificate, by, NID_netscape_comment, form.comment);
  add(certificate, by, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) add(certificate, by, NID_authority_key_identifier, "keyid:always");
  require(X509_sign(certificate, (issuer == nullptr ? key : issuer->key).get(), EVP_sha256()) > 0);
  return made;
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

std::int64_t start() {
  static const std::int64_t now = std::time(nullptr);
  return now;
}

Form leaf(const std::string& id) {
  Form form;
  form.uris = {id};
  form.constraints = "critical,CA:FALSE";
  form.usage = "critical,digitalSignature";
  form.extended_usage = "serverAuth,clientAuth";
  return form;
}

Form authority(const std::string& trust_domain) {
  Form form;
  form.uris = {"spiffe://" + trust_domain};
  form.constraints = "critical,CA:TRUE";
  form.usage = "critical,keyCertSign,cRLSign";
  form.subject = "authority of " + trust_domain;
  return form;
}

PrivateKey make_key() {
  return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

Issued issue(const Form& form, const PrivateKey& key) {
  return make(form, key, nullptr);
}

Issued issue_by(const Issued& issuer, const Form& form, const PrivateKey& key) {
  return make(form, key, &issuer);
}

std::string pem(const std::vector<Issued>& certificates) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  for (const Issued& each : certificates) require(PEM_write_bio_X509(bio.get(), each.certificate.get()) == 1);
  return text_of(bio.get());
}

std::string pem(const PrivateKey& key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio.get());
}

IdentityFiles files(const std::vector<Issued>& chain, const std::vector<Issued>& roots) {
  return {"svids/web", pem(chain), pem(chain.front().key), pem(roots)};
}

}  // namespace heddle::tls::certificates
