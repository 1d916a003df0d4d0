#include "tests/e2e/fast_path/server/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

namespace heddle::fast_path {

namespace {

constexpr std::uint64_t number_of_input = 0;
constexpr int writes_per_turn = 256;

std::uint64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

Server::Server() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number_of_input}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, STDIN_FILENO, &event);
}

void Server::run() {
  std::array<epoll_event, 256> events{};
  while (true) {
    int count = ::epoll_wait(epoll_, events.data(), events.size(), 0);
    if (count == 0) {
      // Only now: a connection can be accepted before the end of an older one, which came first, is looked at.
      note_open();
      count = ::epoll_wait(epoll_, events.data(), events.size(), patience());
    }
    bool told = false;
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.u64 == number_of_input) {
        told = true;
      } else {
        handle(event.data.u64, event.events);
      }
    }
    run_timers();
    const std::vector<std::uint64_t> unfinished = std::move(unfinished_);
    unfinished_.clear();
    for (const std::uint64_t number : unfinished) {
      if (const auto found = connections_.find(number); found != connections_.end()) write(*found->second);
    }
    if (told && !obey()) return;
  }
}

void Server::note_open() {
  for (const auto& endpoint : endpoints_) endpoint->most_open = std::max(endpoint->most_open, endpoint->open);
}

int Server::patience() const {
  if (!unfinished_.empty()) return 0;
  if (timers_.empty()) return -1;
  const std::uint64_t now = now_ms();
  return timers_.begin()->first <= now ? 0 : static_cast<int>(timers_.begin()->first - now);
}

void Server::run_timers() {
  const std::uint64_t now = timers_.empty() ? 0 : now_ms();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto found = connections_.find(timers_.begin()->second);
    timers_.erase(timers_.begin());
    if (found == connections_.end()) continue;
    found->second->waits = false;
    write(*found->second);
  }
}

void Server::handle(std::uint64_t number, std::uint32_t events) {
  if (number <= endpoints_.size()) return accept(*endpoints_[number - 1]);
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if ((events & EPOLLOUT) != 0 && connection.blocked) {
    connection.blocked = false;
    watch(connection);
    return write(connection);
  }
  if (connection.at.mode == Mode::deaf) return close(connection, false);  // its peer is gone
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(connection);
}

void Server::accept(Endpoint& endpoint) {
  while (true) {
    const int fd = ::accept4(endpoint.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const std::uint64_t number = ++last_number_;
    ++statistics_.accepted;
    ++endpoint.open;
    auto connection = std::make_unique<Connection>(number, fd, endpoint);
    const bool deaf = endpoint.mode == Mode::deaf;
    epoll_event event{.events = deaf ? 0U : EPOLLIN, .data = {.u64 = number}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    connections_.emplace(number, std::move(connection));
  }
}

/// What the connection is waited for.
void Server::watch(Connection& connection) {
  std::uint32_t events = connection.blocked ? EPOLLOUT : 0U;
  if (connection.at.mode != Mode::deaf) events |= EPOLLIN;
  epoll_event event{.events = events, .data = {.u64 = connection.number}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

void Server::receive(Connection& connection) {
  if (connection.at.mode == Mode::unread) return close(connection, false);
  if (connection.at.mode == Mode::early && !connection.early) return answer_early(connection);
  static std::array<char, 1 << 18> space;
  const ssize_t count = ::recv(connection.fd, space.data(), space.size(), 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    if (!connection.reader.empty()) {
      ++statistics_.cut;
      if (connection.reader.in_head()) return violation(connection, "the connection ends in a head");
    }
    return close(connection, false);
  }
  if (connection.writing) return violation(connection, "bytes before the answer is out");
  connection.reader.add({space.data(), static_cast<std::size_t>(count)});
  take_requests(connection);
}

void Server::take_requests(Connection& connection) {
  const RequestReader::Outcome outcome = connection.reader.next();
  if (outcome == RequestReader::Outcome::more) return;
  if (outcome == RequestReader::Outcome::violation) return violation(connection, connection.reader.why());
  ++statistics_.requests;
  statistics_.body_bytes += connection.reader.request().body;
  if (connection.early) {
    connection.early = false;
    return take_requests(connection);  // its answer is out, so another may have come behind it
  }
  if (!connection.reader.empty()) return violation(connection, "two requests at once");
  begin(connection, answer_to(connection.reader.request(), connection.at.name));
}

void Server::begin(Connection& connection, Answer answer) {
  const int delay = answer.delay_ms;
  connection.held = answer.held;
  connection.waits = delay != 0 || answer.held;
  connection.writing.emplace(std::move(answer));
  if (delay != 0) timers_.emplace(now_ms() + static_cast<std::uint64_t>(delay), connection.number);
  write(connection);
}

void Server::answer_early(Connection& connection) {
  connection.early = true;
  Answer answer;
  answer.front = "HTTP/1.1 200 OK\r\nX-Endpoint: " + connection.at.name +
                 "\r\nX-Target: early\r\nContent-Length: 5\r\n\r\nearly";
  begin(connection, std::move(answer));
}

void Server::write(Connection& connection) {
  if (!connection.writing || connection.waits || connection.blocked) return;
  for (int i = 0; i < writes_per_turn; ++i) {
    const std::string_view bytes = connection.writing->next();
    if (bytes.empty()) return finish_writing(connection);
    const ssize_t sent = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      connection.blocked = true;
      return watch(connection);
    }
    if (sent < 0) return close(connection, false);
    connection.writing->wrote(static_cast<std::size_t>(sent));
    // Before anything else is looked at: the next request may follow at once.
    if (connection.writing->next().empty()) return finish_writing(connection);
    if (const int pause = connection.writing->answer().pause_ms; pause != 0) {
      connection.waits = true;
      timers_.emplace(now_ms() + static_cast<std::uint64_t>(pause), connection.number);
      return;
    }
  }
  unfinished_.push_back(connection.number);
}

void Server::finish_writing(Connection& connection) {
  const Answer answer = connection.writing->answer();
  connection.writing.reset();
  ++statistics_.answered;
  if (!answer.unasked.empty()) {
    if (::send(connection.fd, answer.unasked.data(), answer.unasked.size(), MSG_NOSIGNAL) < 0)
      return close(connection, false);
  }
  if (answer.after != Answer::After::keep) return close(connection, answer.after == Answer::After::reset);
}

void Server::violation(Connection& connection, const std::string& why) {
  if (statistics_.violations++ == 0)
    statistics_.first_violation =
        why + " at " + connection.at.name + ": " + connection.reader.bytes().substr(0, 300);
  close(connection, true);
}

void Server::close(Connection& connection, bool reset) {
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  ::close(connection.fd);
  --connection.at.open;
  connections_.erase(connection.number);
}

}  // namespace heddle::fast_path
