#include "tests/bench/pace_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <utility>

namespace heddle::bench {

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void fail(const std::string& what) {
  std::fprintf(stderr, "bench_pace: %s\n", what.c_str());
  std::exit(1);
}

Connection::Connection(const std::string& address, std::uint16_t port, const Expected& expected)
    : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), expected_(&expected) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &peer.sin_addr) != 1) fail("no IPv4 address: " + address);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
    fail(std::string("connect: ") + std::strerror(errno));
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

Connection::Connection(Connection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      expected_(other.expected_),
      due_(std::move(other.due_)),
      received_(std::move(other.received_)),
      head_(other.head_),
      body_(other.body_) {}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

void Connection::ask_at(std::uint64_t due) {
  due_.push_back(due);
  if (due_.size() == 1) send_request();
}

void Connection::send_request() {
  const std::string& request = expected_->request;
  const ssize_t sent = send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) fail("a request could not be sent whole");
}

bool Connection::read_some() {
  char piece[65536];
  const ssize_t length = recv(fd_, piece, sizeof piece, 0);
  if (length < 0 && errno == EAGAIN) return false;
  if (length <= 0) fail("the connection ended");
  if (due_.empty()) fail("bytes came that nobody asked for");
  received_.append(piece, static_cast<std::size_t>(length));
  if (head_ == 0) {
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    parse_head(end + 4);
  }
  if (received_.size() < head_ + body_) return false;
  check_body();
  received_.clear();
  head_ = 0;
  return true;
}

void Connection::parse_head(std::size_t length) {
  std::string head = received_.substr(0, length);
  if (!head.starts_with("HTTP/1.1 200 ")) fail("a response began with: " + head.substr(0, 40));
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view name = "\r\ncontent-length: ";
  const std::size_t place = head.find(name);
  if (place == std::string::npos) fail("a response without content-length");
  const char* digits = head.c_str() + place + name.size();
  std::from_chars(digits, head.c_str() + head.size(), body_);
  head_ = length;
}

void Connection::check_body() const {
  const std::string_view body = std::string_view(received_).substr(head_);
  const auto& wanted = expected_->bodies;
  if (std::find(wanted.begin(), wanted.end(), body) == wanted.end())
    fail("a wrong body: " + std::string(body.substr(0, 80)));
}

}  // namespace heddle::bench
