#include "runtime/handler/tls/client_hello.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>

namespace heddle::tls {

namespace {

constexpr std::size_t longest_label = 63;
constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_record = 16384;
constexpr unsigned char handshake_record = 22;

/// A number in network order at the front, which is taken; nothing if there are not so many bytes.
std::optional<std::size_t> take_number(std::span<const unsigned char>& bytes, std::size_t size) {
  if (bytes.size() < size) return std::nullopt;
  std::size_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number = number << 8 | bytes[i];
  bytes = bytes.subspan(size);
  return number;
}

/// The extension `server_name`: a list with one name, of a host (RFC 6066, section 3). Nothing if it is anything else: a list
/// of several is read differently by different servers.
std::optional<std::string> name_in(std::span<const unsigned char> extension) {
  const auto list = take_number(extension, 2);
  if (!list || *list != extension.size()) return std::nullopt;
  const auto type = take_number(extension, 1);
  const auto length = take_number(extension, 2);
  if (!type || *type != TLSEXT_NAMETYPE_host_name || !length || *length != extension.size()) return std::nullopt;
  return std::string(extension.begin(), extension.end());
}

int on_hello(SSL* ssl, int*, void*) {
  auto& found = *static_cast<ClientHello::Found*>(SSL_get_app_data(ssl));
  found.called = true;
  // The form of SSL 2 has no extensions, and is no record of TLS.
  found.malformed = SSL_client_hello_isv2(ssl) != 0;
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) == 1) {
    const auto name = name_in({data, size});
    found.malformed = found.malformed || !name || !is_server_name(*name);
    found.name = name.value_or("");
  }
  return SSL_CLIENT_HELLO_RETRY;
}

bool is_label_byte(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '-' ||
         byte == '_';
}

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

}  // namespace

bool is_server_name(std::string_view name) {
  if (name.size() > longest_name) return false;
  while (true) {
    const std::size_t end = std::min(name.find('.'), name.size());
    const std::string_view label = name.substr(0, end);
    if (label.empty() || label.size() > longest_label || !std::all_of(label.begin(), label.end(), is_label_byte)) return false;
    if (end == name.size()) return !std::all_of(label.begin(), label.end(), is_digit);
    name.remove_prefix(end + 1);
  }
}

void HelloReader::Free::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

Result<HelloReader> HelloReader::make() {
  // No file is read: a worker may open none.
  SSL_CTX* context = OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1 ? SSL_CTX_new(TLS_server_method()) : nullptr;
  if (context == nullptr) return Error{ErrorKind::unsupported, "OpenSSL cannot be used", ""};
  SSL_CTX_set_client_hello_cb(context, on_hello, nullptr);
  return HelloReader(context);
}

void ClientHello::Free::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

ClientHello::ClientHello(const HelloReader& reader) : ssl_(SSL_new(reader.context_.get())) {
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_null());  // alerts of a server that nobody talks to
  if (!ssl_ || in == nullptr || out == nullptr) std::abort();  // no memory
  SSL_set_bio(ssl_.get(), in, out);
  SSL_set_accept_state(ssl_.get());
  SSL_set_app_data(ssl_.get(), &found_);
}

/// OpenSSL gets whole records, and only those that a ClientHello may consist of: it would read over others in between.
ClientHello::State ClientHello::add(std::string_view bytes) {
  State state = State::incomplete;
  while (!bytes.empty() && state == State::incomplete) state = left_ == 0 ? take_header(bytes) : take_record(bytes);
  if (state == State::incomplete && taken_ == hello_max) return State::malformed;
  return state;
}

ClientHello::State ClientHello::take_header(std::string_view& bytes) {
  const std::size_t room = std::min(header_.size() - header_size_, hello_max - taken_);
  const std::size_t count = bytes.copy(header_.data() + header_size_, room);
  header_size_ += count;
  taken_ += count;
  bytes.remove_prefix(count);
  // The first byte is enough to see that somebody speaks something else, and may never send a second.
  if (static_cast<unsigned char>(header_[0]) != handshake_record) return State::malformed;
  if (header_size_ < header_.size()) return State::incomplete;
  header_size_ = 0;
  left_ = std::size_t{static_cast<unsigned char>(header_[3])} << 8 | static_cast<unsigned char>(header_[4]);
  if (left_ == 0 || left_ > longest_record) return State::malformed;
  return feed({header_.data(), header_.size()}) ? State::incomplete : State::malformed;
}

ClientHello::State ClientHello::take_record(std::string_view& bytes) {
  const std::size_t count = std::min(left_, bytes.size());
  if (taken_ + count > hello_max || !feed(bytes.substr(0, count))) return State::malformed;
  left_ -= count;
  taken_ += count;
  bytes.remove_prefix(count);
  return left_ == 0 ? read() : State::incomplete;
}

bool ClientHello::feed(std::string_view bytes) {
  const int size = static_cast<int>(bytes.size());
  return BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), size) == size;
}

ClientHello::State ClientHello::read() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const int why = SSL_get_error(ssl_.get(), result);
  ERR_clear_error();
  if (why == SSL_ERROR_WANT_READ) return State::incomplete;
  if (why != SSL_ERROR_WANT_CLIENT_HELLO_CB || !found_.called || found_.malformed) return State::malformed;
  return State::complete;
}

}  // namespace heddle::tls
