#include "runtime/agent/listeners.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <random>

#include "runtime/base/file.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace heddle::agent {
namespace {

constexpr int backlog = 4096;
constexpr std::uint16_t first_reserved_port = 600;
constexpr std::uint16_t first_common_port = 1024;

struct LoopbackAddress {
  explicit LoopbackAddress(int family, std::uint16_t port) {
    if (family == AF_INET6) {
      auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
      six->sin6_addr = IN6ADDR_LOOPBACK_INIT;
      six->sin6_port = htons(port);
      size = sizeof(*six);
    } else {
      auto* four = reinterpret_cast<sockaddr_in*>(&storage);
      four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      four->sin_port = htons(port);
      size = sizeof(*four);
    }
    storage.ss_family = static_cast<sa_family_t>(family);
  }
  [[nodiscard]] std::uint16_t port() const {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);  // at the same place in both
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }

  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<UniqueFd> make_socket(int family, bool early = false) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("cannot make a listener", errno);
  const int on = 1;
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  // No worker is woken for a client that has sent nothing, before it has been silent for a second.
  if (!early) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on));
  return fd;
}

void share_port(int fd) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

/// A port below 1024 that no known protocol has: should the agent be killed, only root can put another server
/// behind it before the next start, so that the hooks never lead a client to a stranger.
bool bind_reserved(int fd, int family, std::uint16_t liked) {
  std::vector<std::uint16_t> ports(first_common_port - first_reserved_port);
  std::iota(ports.begin(), ports.end(), first_reserved_port);
  std::shuffle(ports.begin(), ports.end(), std::random_device());
  if (liked != 0) ports.insert(ports.begin(), liked);
  for (const std::uint16_t port : ports) {
    if (::getservbyport(htons(port), nullptr) != nullptr) continue;
    LoopbackAddress address(family, port);
    if (::bind(fd, address.get(), address.size) == 0) return true;
    if (errno == EACCES) return false;
  }
  return false;
}

/// Without it 127.0.0.1 is nobody's address. Whose namespace it is sets it up.
Result<void> check_loopback() {
  Result<UniqueFd> socket = make_socket(AF_INET);
  if (!socket) return socket.error();
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket->get(), SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0) return {};
  return Error{ErrorKind::not_found, "the loopback device `lo` is down", "`ip link set lo up`"};
}

/// The first listener of a family. It takes its port for itself, and then lets others of this process join
/// it.
Result<UniqueFd> listen_first(int family, bool early, std::uint16_t& port, std::uint16_t liked) {
  Result<UniqueFd> fd = make_socket(family, early);
  if (!fd) return fd;
  LoopbackAddress address(family, 0);
  if (!bind_reserved(fd->get(), family, liked) && ::bind(fd->get(), address.get(), address.size) != 0) {
    return system_error("cannot listen on loopback", errno);
  }
  share_port(fd->get());
  if (::listen(fd->get(), backlog) != 0 || ::getsockname(fd->get(), address.get(), &address.size) != 0) {
    return system_error("cannot listen on loopback", errno);
  }
  port = address.port();
  return fd;
}

Result<UniqueFd> listen_too(int family, bool early, std::uint16_t port) {
  Result<UniqueFd> fd = make_socket(family, early);
  if (!fd) return fd;
  share_port(fd->get());
  LoopbackAddress address(family, port);
  if (::bind(fd->get(), address.get(), address.size) != 0 || ::listen(fd->get(), backlog) != 0) {
    return system_error("cannot listen on loopback", errno);
  }
  return fd;
}

Result<void> listen_on(UniqueFd& to, int family, bool early, std::uint16_t& port, std::uint16_t liked) {
  Result<UniqueFd> fd = port == 0 ? listen_first(family, early, port, liked) : listen_too(family, early, port);
  if (!fd) return fd.error();
  to = std::move(*fd);
  return {};
}

/// Also where connections of an earlier agent have not quite ended.
Result<void> listen_everywhere(UniqueFd& to, int family, std::uint16_t port) {
  Result<UniqueFd> fd = make_socket(family, false);
  if (!fd) return fd.error();
  share_port(fd->get());
  const int on = 1;
  ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage any{};
  any.ss_family = static_cast<sa_family_t>(family);
  reinterpret_cast<sockaddr_in&>(any).sin_port = htons(port);  // at the same place in both
  const socklen_t size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (::bind(fd->get(), reinterpret_cast<sockaddr*>(&any), size) != 0 || ::listen(fd->get(), backlog) != 0)
    return system_error("cannot listen on port " + std::to_string(port) + ", where other nodes come", errno);
  to = std::move(*fd);
  return {};
}

bool has_ipv6_loopback() {
  // /proc/net is that of the main thread.
  return read_text("/proc/thread-self/net/if_inet6").find("00000000000000000000000000000001 ") != std::string::npos;
}

}  // namespace

Result<Listeners> Listeners::make(std::size_t workers, hd_listener liked) {
  if (Result<void> up = check_loopback(); !up) return up.error();
  Listeners made;
  hd_listener& ports = made.ports;
  for (Set& set : made.sets = std::vector<Set>(workers)) {
    Result<void> done = listen_on(set.four, AF_INET, false, ports.port4, liked.port4);
    if (done) done = listen_on(set.early_four, AF_INET, true, ports.early4, liked.early4);
    if (done && has_ipv6_loopback()) done = listen_on(set.six, AF_INET6, false, ports.port6, liked.port6);
    if (done && set.six) done = listen_on(set.early_six, AF_INET6, true, ports.early6, liked.early6);
    if (!done) return done.error();
  }
  Result<std::uint64_t> cookie = find_netns_cookie();
  if (!cookie) return cookie.error();
  made.netns_cookie = *cookie;
  return made;
}

std::vector<int> Listeners::Set::fds() const {
  return {four.get(), six ? six.get() : four.get(), early_four.get(), early_six ? early_six.get() : early_four.get()};
}

Result<std::uint64_t> find_netns_cookie() {
  Result<UniqueFd> socket = make_socket(AF_INET);
  if (!socket) return socket.error();
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(socket->get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return system_error("cannot tell the network namespace", errno);
  return cookie;
}

Result<TunnelListeners> TunnelListeners::make(std::size_t workers, std::uint16_t port) {
  TunnelListeners made;
  for (Pair& pair : made.pairs = std::vector<Pair>(workers)) {
    Result<void> done = listen_everywhere(pair.four, AF_INET, port);
    if (done && has_ipv6_loopback()) done = listen_everywhere(pair.six, AF_INET6, port);
    if (!done) return done.error();
  }
  return made;
}

}  // namespace heddle::agent
