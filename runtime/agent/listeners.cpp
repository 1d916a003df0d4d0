#include "runtime/agent/listeners.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "runtime/base/file.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace heddle::agent {
namespace {

constexpr int backlog = 4096;

/// Port 0 takes a free one and stores it; every further socket joins it.
Result<UniqueFd> listen_on(int family, std::uint16_t& port) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("cannot make a listener", errno);
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  sockaddr_in6 six{};
  sockaddr_in four{};
  sockaddr* address = reinterpret_cast<sockaddr*>(&four);
  socklen_t size = sizeof(four);
  if (family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    six.sin6_family = AF_INET6;
    six.sin6_addr = IN6ADDR_LOOPBACK_INIT;
    six.sin6_port = htons(port);
    address = reinterpret_cast<sockaddr*>(&six);
    size = sizeof(six);
  } else {
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    four.sin_port = htons(port);
  }
  if (::bind(fd.get(), address, size) != 0 || ::listen(fd.get(), backlog) != 0 ||
      ::getsockname(fd.get(), address, &size) != 0) {
    return system_error("cannot listen on loopback", errno);
  }
  port = ntohs(family == AF_INET6 ? six.sin6_port : four.sin_port);
  return fd;
}

bool has_ipv6_loopback() {
  return read_text("/proc/net/if_inet6").find("00000000000000000000000000000001 ") != std::string::npos;
}

}  // namespace

Result<Listeners> Listeners::make(std::size_t workers) {
  Listeners made;
  for (std::size_t i = 0; i < workers; ++i) {
    Pair pair;
    Result<UniqueFd> four = listen_on(AF_INET, made.port4);
    if (!four) return four.error();
    pair.four = std::move(*four);
    if (has_ipv6_loopback()) {
      Result<UniqueFd> six = listen_on(AF_INET6, made.port6);
      if (!six) return six.error();
      pair.six = std::move(*six);
    }
    made.pairs.push_back(std::move(pair));
  }
  socklen_t size = sizeof(made.netns_cookie);
  if (::getsockopt(made.pairs.front().four.get(), SOL_SOCKET, SO_NETNS_COOKIE, &made.netns_cookie, &size) !=
      0) {
    return system_error("cannot tell the network namespace", errno);
  }
  return made;
}

}  // namespace heddle::agent
