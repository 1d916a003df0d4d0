#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace heddle::tls {

/// What a client may send before its ClientHello is complete: 16 KiB of it, its header, and the headers of 64 records.
inline constexpr std::size_t hello_max = 16384 + 4 + 64 * 5;

/// OpenSSL's own server, which reads a ClientHello and is never let go further. One for each worker: what connections share
/// is locked.
class HelloReader {
 public:
  static Result<HelloReader> make();

 private:
  friend class ClientHello;
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit HelloReader(ssl_ctx_st* context) : context_(context) {}

  std::unique_ptr<ssl_ctx_st, Free> context_;
};

/// The name of a server as a ClientHello may have it (RFC 6066, section 3): labels of letters, digits, `-` and `_`, no dot at
/// the end, and no IP address.
[[nodiscard]] bool is_server_name(std::string_view name);

/// What a client sends first, as it comes.
class ClientHello {
 public:
  enum class State : std::uint8_t {
    incomplete,
    complete,   // `server_name()` is known; bytes behind the ClientHello were not looked at
    malformed,  // it is no ClientHello, too long, or asks for something that is no name
  };

  explicit ClientHello(const HelloReader& reader);

  /// The next bytes. Not to be called any more once the state is another than `incomplete`.
  [[nodiscard]] State add(std::string_view bytes);
  /// As it came; empty: the client asks for no name.
  [[nodiscard]] const std::string& server_name() const { return found_.name; }

  /// What OpenSSL found.
  struct Found {
    bool called = false;
    bool malformed = false;
    std::string name;
  };

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  [[nodiscard]] State take_header(std::string_view& bytes);
  [[nodiscard]] State take_record(std::string_view& bytes);
  [[nodiscard]] bool feed(std::string_view bytes);
  [[nodiscard]] State read();

  Found found_;
  std::unique_ptr<ssl_st, Free> ssl_;
  std::array<char, 5> header_{};
  std::size_t header_size_ = 0;
  std::size_t left_ = 0;  // of the record in hand
  std::size_t taken_ = 0;
};

}  // namespace heddle::tls
