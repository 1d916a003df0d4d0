#pragma once

// For the sources of this folder.

#include <string>
#include <vector>

struct x509_st;

namespace heddle::tls {

/// The URIs of a certificate's alternative names, whatever bytes they have.
struct UriNames {
  bool malformed = false;  // the extension cannot be read, or is there twice
  bool critical = false;
  std::vector<std::string> uris;
};
[[nodiscard]] UriNames read_uri_names(const x509_st* certificate);

}  // namespace heddle::tls
