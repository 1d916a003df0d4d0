#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/result.h"

struct x509_st;
struct evp_pkey_st;

namespace heddle::tls {

/// Shared, and never changed.
using Certificate = std::shared_ptr<x509_st>;
using PrivateKey = std::shared_ptr<evp_pkey_st>;
using Digest = std::array<std::byte, 32>;

/// Of one file with certificates.
inline constexpr std::size_t largest_pem = 256 * 1024;
/// Of a key file.
inline constexpr std::size_t largest_key = 16 * 1024;

/// All certificates of a PEM text, at least one. Whatever else the text has between BEGIN and END, or begins and does not end, is an
/// error: a half-written file is not the beginning of a right one. `name` is what errors call the text.
[[nodiscard]] Result<std::vector<Certificate>> read_certificates(std::string_view pem, const std::string& name);
/// One private key, not encrypted.
[[nodiscard]] Result<PrivateKey> read_private_key(std::string_view pem, const std::string& name);
[[nodiscard]] bool belongs_to(const PrivateKey& key, const Certificate& certificate);

/// SHA-256 of the subject and the public key: what an issuer is known by, whichever of its certificates says so.
[[nodiscard]] Digest issuer_digest(const x509_st& certificate);
/// SHA-256.
[[nodiscard]] Digest digest_of(std::string_view bytes);

/// Seconds since 1970 in UTC.
[[nodiscard]] std::int64_t not_before(const x509_st& certificate);
[[nodiscard]] std::int64_t not_after(const x509_st& certificate);

}  // namespace heddle::tls
