#include "runtime/handler/tls/uri_names.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "runtime/handler/tls/openssl.h"

namespace heddle::tls {

UriNames read_uri_names(const X509* certificate) {
  int critical = 0;
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
  ERR_clear_error();
  UriNames found;
  found.malformed = !names && critical != -1;  // -1: there is none
  found.critical = critical == 1;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    found.uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)), static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  return found;
}

}  // namespace heddle::tls
