#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "runtime/base/fd.h"
#include "runtime/handler/upstream/pool.h"

namespace heddle::handler::testing_world {

constexpr int patience_ms = 5000;

inline UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd.get(), 512), 0);
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

/// A socket of the test, which does not wait.
class Peer {
 public:
  explicit Peer(UniqueFd fd = {}) : fd_(std::move(fd)) {}

  static Peer connect_to(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return Peer(std::move(fd));
  }

  void send(std::string_view bytes) {
    EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// All that has come so far.
  const std::string& received() {
    char bytes[65536];
    ssize_t count = 0;
    while ((count = ::recv(fd_.get(), bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
      received_.append(bytes, static_cast<std::size_t>(count));
    ended_ = ended_ || count == 0;
    reset_ = reset_ || (count < 0 && errno != EAGAIN);
    return received_;
  }
  void forget() { received_.clear(); }
  bool ended() { return (void)received(), ended_; }
  bool reset() { return (void)received(), reset_; }
  void shut_down() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }

 private:
  UniqueFd fd_;
  std::string received_;
  bool ended_ = false;
  bool reset_ = false;
};

class Server {
 public:
  Server() : fd_(listen_on_loopback(endpoint.port)) {
    endpoint.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    endpoint.state = 0;
  }
  /// The next connection, if there is one by now.
  Peer accept() {
    pollfd waits{fd_.get(), POLLIN, 0};
    if (::poll(&waits, 1, 0) <= 0) return Peer();
    return Peer(UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  }
  void close() { fd_.reset(); }

  upstream::Endpoint endpoint;

 private:
  UniqueFd fd_;
};

}  // namespace heddle::handler::testing_world
