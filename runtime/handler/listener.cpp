#include "runtime/handler/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace heddle::handler {

namespace {

// So that a burst of new connections does not hold up the requests of old ones, and spreads over the workers.
constexpr int accepts_per_round = 32;

}  // namespace

Result<std::unique_ptr<Listener>> Listener::make(Engine& engine, UniqueFd fd, Accepted accepted) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  const int on = 1;
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      // Accepted sockets inherit it.
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    return Error{ErrorKind::io, std::string("cannot set up a listener: ") + std::strerror(errno), ""};
  }
  auto listener = std::make_unique<Listener>(engine, std::move(fd), accepted);
  if (!listener->watch()) {
    return Error{ErrorKind::io, std::string("cannot watch a listener: ") + std::strerror(errno), ""};
  }
  return listener;
}

Listener::~Listener() {
  engine_.loop.remove(fd_.get());
}

bool Listener::watch() {
  // One waiting worker is woken, not all.
  return engine_.loop.add(
      fd_.get(), static_cast<std::uint32_t>(EPOLLIN) | static_cast<std::uint32_t>(EPOLLEXCLUSIVE), *this);
}

void Listener::on_events(std::uint32_t) {
  for (int i = 0; i < accepts_per_round; ++i) {
    if (engine_.full()) return pause();
    UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
      (engine_.*accepted_)(std::move(client));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) return pause();
    // A connection that ended in the queue is no reason to leave the next one there.
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void Listener::pause() {
  engine_.loop.remove(fd_.get());
  engine_.timeouts.accept.set(*this, engine_.now_ms());
}

void Listener::on_deadline() {
  if (!watch()) pause();
}

}  // namespace heddle::handler
