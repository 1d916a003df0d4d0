#include "tests/e2e/fast_path/client/wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "tests/e2e/fast_path/server/pattern.h"

namespace heddle::fast_path {

namespace {

constexpr std::uint16_t port = 80;
constexpr int patience_seconds = 20;
std::string chosen_family = "4";  // written before any thread is there

std::string lower(std::string_view text) {
  std::string copy(text);
  for (char& c : copy) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return copy;
}

bool is_pattern(std::string_view bytes, std::uint64_t position) {
  while (!bytes.empty()) {
    const std::string_view wanted = pattern(position, bytes.size());
    if (bytes.substr(0, wanted.size()) != wanted) return false;
    bytes.remove_prefix(wanted.size());
    position += wanted.size();
  }
  return true;
}

}  // namespace

void choose_family(std::string_view family) {
  chosen_family = family;
}

bool Wire::connect() {
  close();
  fd_ = ::socket(chosen_family == "4" ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = patience_seconds, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (dial()) return true;
  close();
  return false;
}

bool Wire::connect_again() {
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  ::connect(fd_, &nowhere, sizeof nowhere);
  in_.clear();
  // Refused while something of the connection that ended is on its way.
  for (int i = 0; i < 1000; ++i) {
    if (dial()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  close();
  return false;
}

bool Wire::dial() {
  sockaddr_in address4{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 address6{};
  address6.sin6_family = AF_INET6;
  address6.sin6_port = htons(port);
  ::inet_pton(AF_INET, "10.96.7.1", &address4.sin_addr);
  ::inet_pton(AF_INET6, chosen_family == "6" ? "fd00:7::1" : "::ffff:10.96.7.1", &address6.sin6_addr);
  const bool four = chosen_family == "4";
  const auto* address =
      four ? reinterpret_cast<sockaddr*>(&address4) : reinterpret_cast<sockaddr*>(&address6);
  return ::connect(fd_, address, four ? sizeof address4 : sizeof address6) == 0;
}

void Wire::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  in_.clear();
}

void Wire::close_with_reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Wire::end_of_requests() {
  ::shutdown(fd_, SHUT_WR);
}

bool Wire::send(std::string_view bytes, int flags) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), flags | MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::uint16_t Wire::own_port() const {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  // The port lies at the same place in both families.
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin6_port);
}

Wire::Outcome Wire::fill() {
  thread_local std::array<char, 1 << 18> space;
  // A socket of the fast path returns EAGAIN from a blocking recv when another thread's write wakes it up.
  const double end = now_seconds() + patience_seconds - 1;
  while (true) {
    const ssize_t count = ::recv(fd_, space.data(), space.size(), 0);
    if (count > 0) {
      in_.append(space.data(), static_cast<std::size_t>(count));
      return Outcome::reply;
    }
    if (count == 0) return Outcome::ended;
    const bool again = errno == EINTR || errno == EAGAIN;
    if (again && now_seconds() < end) continue;
    return again ? Outcome::silence : Outcome::reset;
  }
}

Wire::Outcome Wire::read_line(std::string& line) {
  std::size_t end = 0;
  while ((end = in_.find("\r\n")) == std::string::npos) {
    if (const Outcome outcome = fill(); outcome != Outcome::reply) return outcome;
  }
  line = in_.substr(0, end);
  in_.erase(0, end + 2);
  return Outcome::reply;
}

Wire::Outcome Wire::read_head(Reply& reply, std::map<std::string, std::string>& fields) {
  std::string line;
  if (const Outcome outcome = read_line(line); outcome != Outcome::reply) return outcome;
  if (!line.starts_with("HTTP/1.1 ")) return Outcome::nonsense;
  reply.status = std::atoi(line.c_str() + 9);
  fields.clear();
  while (true) {
    if (const Outcome outcome = read_line(line); outcome != Outcome::reply) return outcome;
    if (line.empty()) return Outcome::reply;
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return Outcome::nonsense;
    fields[lower(line.substr(0, colon))] = line.substr(colon + 2);
  }
}

Wire::Outcome Wire::read_body(Reply& reply, std::uint64_t size) {
  while (true) {
    const std::size_t count = std::min<std::uint64_t>(size, in_.size());
    if (!is_pattern(std::string_view(in_).substr(0, count), reply.size)) reply.pattern = false;
    in_.erase(0, count);
    size -= count;
    reply.size += count;
    if (size == 0) return Outcome::reply;
    if (const Outcome outcome = fill(); outcome != Outcome::reply) return outcome;
  }
}

Wire::Outcome Wire::read_chunks(Reply& reply) {
  std::string line;
  while (true) {
    if (const Outcome outcome = read_line(line); outcome != Outcome::reply) return outcome;
    const std::uint64_t size = std::strtoull(line.c_str(), nullptr, 16);
    if (const Outcome outcome = read_body(reply, size); outcome != Outcome::reply) return outcome;
    if (const Outcome outcome = read_line(line); outcome != Outcome::reply) return outcome;
    if (!line.empty()) return Outcome::nonsense;
    if (size == 0) return Outcome::reply;
  }
}

Wire::Outcome Wire::read(Reply& reply, bool to_head) {
  std::map<std::string, std::string> fields;
  reply = {};
  do {
    if (const Outcome outcome = read_head(reply, fields); outcome != Outcome::reply) return outcome;
  } while (reply.status < 200);
  reply.target = fields["x-target"];
  reply.endpoint = fields["x-endpoint"];
  reply.rule = fields["x-heddle-rule"];
  if (to_head || reply.status == 204 || reply.status == 304) return Outcome::reply;
  if (fields.contains("transfer-encoding")) return read_chunks(reply);
  if (fields.contains("content-length"))
    return read_body(reply, std::strtoull(fields["content-length"].c_str(), nullptr, 10));
  const Outcome outcome = read_body(reply, UINT64_MAX);
  return outcome == Outcome::ended ? Outcome::reply : outcome;
}

std::uint32_t Wire::unread_memory() const {
  std::array<std::uint32_t, 9> values{};
  socklen_t size = sizeof values;
  ::getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, values.data(), &size);
  return values[0];
}

std::string get(std::string_view target, std::string_view fields) {
  std::string text = "GET ";
  return text.append(target).append(" HTTP/1.1\r\nHost: echo\r\n").append(fields).append("\r\n");
}

std::string post(std::string_view target, std::uint64_t size, std::string_view fields) {
  std::string text = "POST ";
  text.append(target).append(" HTTP/1.1\r\nHost: echo\r\nContent-Length: ").append(std::to_string(size));
  text.append("\r\n").append(fields).append("\r\n");
  for (std::uint64_t position = 0; position < size;) {
    const std::string_view bytes = pattern(position, size - position);
    text += bytes;
    position += bytes.size();
  }
  return text;
}

double now_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

const char* name_of(Wire::Outcome outcome) {
  constexpr std::array<const char*, 5> names = {"reply", "ended", "reset", "silence", "nonsense"};
  return names[static_cast<std::size_t>(outcome)];
}

}  // namespace heddle::fast_path
