#include "runtime/handler/tunnel/ends.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace heddle::tunnel {
namespace {

constexpr std::string_view name_end = ".port.hbone.internal";
// A ClientHello is one record of TLS, or a few.
constexpr std::size_t longest_hello = 32 * 1024;

using Ask = int (*)(int, sockaddr*, socklen_t*);

Target address_of(int socket, Ask ask) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  Target target;
  if (ask(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return target;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    target.address[10] = target.address[11] = 0xff;
    std::memcpy(target.address.data() + 12, &v4.sin_addr, 4);
    target.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::memcpy(target.address.data(), &v6.sin6_addr, 16);
    target.port = ntohs(v6.sin6_port);
  }
  return target;
}

}  // namespace

std::string Way::key() const {
  std::string text = source.text() + " " + authority_text(node);
  for (const SpiffeId& pattern : expected.patterns) text += " " + pattern.text();
  return text;
}

std::string server_name_of(std::uint16_t port) {
  return std::to_string(port) + std::string(name_end);
}

std::optional<std::uint16_t> port_of(std::string_view server_name) {
  if (!server_name.ends_with(name_end)) return std::nullopt;
  server_name.remove_suffix(name_end.size());
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(server_name.data(), server_name.data() + server_name.size(), port);
  if (error != std::errc() || end != server_name.data() + server_name.size()) return std::nullopt;
  return port;
}

// ---- the client
// --------------------------------------------------------------------------------------------------

Result<std::unique_ptr<ClientTunnel>> ClientTunnel::make(Surroundings& around, const Way& way, std::uint16_t port,
                                                         std::shared_ptr<tls::TlsContext> context,
                                                         const std::shared_ptr<const tls::TlsSession>& session, const Report& report) {
  UniqueFd socket = io::start_connect(way.node.address.data(), way.node.port);
  if (!socket) return Error{ErrorKind::io, std::string("cannot connect: ") + std::strerror(errno), ""};
  std::unique_ptr<ClientTunnel> tunnel(new ClientTunnel(around, std::move(socket), way.node, context, report));
  tunnel->tls_ = tls::TlsConnection::make_client(std::move(context), way.expected, session, server_name_of(port));
  if (tunnel->tls_ == nullptr) return Error{ErrorKind::io, "cannot begin TLS", ""};
  if (Result<void> begun = tunnel->begin(false); !begun) return begun.error();
  return tunnel;
}

/// Two thirds of what both certificates had left when it was opened is used up: time enough for the last requests.
bool ClientTunnel::is_old(std::uint64_t newest, std::int64_t now) const {
  if (identity().generation() != newest) return true;
  if (state() != State::open) return false;
  const std::int64_t end = std::min(peer().not_after, identity().not_after());
  return now - opened() > (end - opened()) * 2 / 3;
}

void ClientTunnel::on_end(const std::string& why, const tls::SvidRefusal* refusal) {
  report_({false, node_, why, refusal});
}

// ---- the server
// --------------------------------------------------------------------------------------------------

Result<std::unique_ptr<ServerTunnel>> ServerTunnel::make(Surroundings& around, UniqueFd socket, tls::HelloReader& hellos, Host& host,
                                                         const Report& report) {
  std::unique_ptr<ServerTunnel> tunnel(new ServerTunnel(around, std::move(socket), hellos, host, report));
  if (Result<void> begun = tunnel->begin(true); !begun) return begun.error();
  return tunnel;
}

ServerTunnel::ServerTunnel(Surroundings& around, UniqueFd socket, tls::HelloReader& hellos, Host& host, const Report& report)
    : Tunnel(around, std::move(socket), State::handshaking),
      host_(host),
      report_(report),
      hello_(std::make_unique<tls::ClientHello>(hellos)),
      local_(address_of(socket_.fd(), ::getsockname)),
      remote_(address_of(socket_.fd(), ::getpeername)) {}

bool ServerTunnel::on_bytes_before_tls(std::string_view bytes) {
  before_.append(bytes);
  const tls::ClientHello::State state = hello_->add(bytes);
  if (state == tls::ClientHello::State::incomplete && before_.size() < longest_hello) return true;
  if (state != tls::ClientHello::State::complete) {
    on_end("it does not begin with a ClientHello", nullptr);
    return false;
  }
  context_ = host_.context_for(local_, port_of(hello_->server_name()).value_or(0));
  if (context_ == nullptr) {
    on_end("no identity of this node belongs to " + authority_text(local_), nullptr);
    return false;
  }
  tls_ = tls::TlsConnection::make_server(context_);
  if (tls_ == nullptr) return false;
  hello_.reset();
  take(std::exchange(before_, {}));
  return true;
}

void ServerTunnel::on_connect(std::unique_ptr<Stream> stream, const Head& head) {
  host_.on_arrival(*session_, std::move(stream), {head, local_, remote_, peer(), resumed()});
}

void ServerTunnel::on_end(const std::string& why, const tls::SvidRefusal* refusal) {
  report_({true, remote_, why, refusal});
}

}  // namespace heddle::tunnel
