#include "runtime/handler/io/socket.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace heddle::io {

void Stream::note(std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = true;
  if ((events & EPOLLOUT) != 0) writable_ = true;
  if ((events & EPOLLRDHUP) != 0) peer_closed_ = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) broken_ = true;
}

bool Socket::watch(EventLoop& loop, EventSink& sink) {
  constexpr std::uint32_t events = static_cast<std::uint32_t>(EPOLLIN) | EPOLLOUT | EPOLLRDHUP | static_cast<std::uint32_t>(EPOLLET);
  return loop.add(fd_.get(), events, sink);
}

Transfer Socket::receive(std::span<char> space) {
  const ssize_t count = ::recv(fd_.get(), space.data(), space.size(), 0);
  if (count > 0) {
    const auto bytes = static_cast<std::size_t>(count);
    received_ += bytes;
    // A FIN that came with the data raises no further event.
    if (bytes < space.size() && !peer_closed_ && !broken_) readable_ = false;
    return {Transfer::done, bytes};
  }
  if (count == 0) return {Transfer::closed, 0};
  if (errno == EAGAIN || errno == EINTR) {
    readable_ = false;
    return {Transfer::again, 0};
  }
  return {Transfer::failed, 0};
}

Transfer Socket::look() {
  char byte = 0;
  const ssize_t count = ::recv(fd_.get(), &byte, 1, MSG_PEEK);
  if (count > 0) return {Transfer::done, 1};
  if (count == 0) return {Transfer::closed, 0};
  if (errno != EAGAIN && errno != EINTR) return {Transfer::failed, 0};
  readable_ = false;
  return {Transfer::again, 0};
}

Transfer Socket::send(std::span<const char> bytes, bool more) {
  const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (count >= 0) {
    const auto sent = static_cast<std::size_t>(count);
    sent_ += sent;
    if (sent < bytes.size()) writable_ = false;
    return {Transfer::done, sent};
  }
  if (errno == EAGAIN || errno == EINTR) {
    writable_ = false;
    return {Transfer::again, 0};
  }
  return {Transfer::failed, 0};
}

std::optional<std::uint64_t> Socket::find_acknowledged() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (size < offsetof(tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked) return std::nullopt;
  // The kernel counts the SYN.
  return info.tcpi_bytes_acked == 0 ? 0 : info.tcpi_bytes_acked - 1;
}

int Socket::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void Socket::shut_down_writing() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void Socket::reset_on_close() {
  const linger at_once{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

namespace {

bool is_v4_mapped(const std::uint8_t* address) {
  constexpr std::uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(address, prefix, sizeof prefix) == 0;
}

socklen_t fill(sockaddr_storage& storage, const std::uint8_t* address, std::uint16_t port) {
  if (is_v4_mapped(address)) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address + 12, 4);
    return sizeof *v4;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  std::memcpy(&v6->sin6_addr, address, 16);
  return sizeof *v6;
}

}  // namespace

UniqueFd start_connect(const std::uint8_t* address, std::uint16_t port, Preparation* preparation) {
  sockaddr_storage storage{};
  const socklen_t size = fill(storage, address, port);
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (preparation != nullptr && !preparation->prepare(fd.get())) return {};
  const int status = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size);
  if (status != 0 && errno != EINPROGRESS) fd.reset();
  return fd;
}

}  // namespace heddle::io
