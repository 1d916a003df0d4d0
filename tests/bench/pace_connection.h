#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::bench {

/// CLOCK_MONOTONIC.
std::uint64_t now_ns();

std::string read_file(const std::string& path);

/// Says what is wrong on standard error and ends the process with 1: a bench of wrong answers is none.
[[noreturn]] void fail(const std::string& what);

struct Expected {
  std::string request;
  std::vector<std::string> bodies;  // a response has status 200, a Content-Length, and one of these
};

/// One keep-alive connection. Requests are due at times; at most one is on its way, the others wait for it.
class Connection {
 public:
  /// Connects; `expected` must outlive this.
  Connection(const std::string& address, std::uint16_t port, const Expected& expected);
  Connection(Connection&& other) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  [[nodiscard]] int fd() const { return fd_; }
  /// Requests that are due and not answered.
  [[nodiscard]] std::size_t waiting() const { return due_.size(); }

  void ask_at(std::uint64_t due);

  /// Reads what is there; calls done(due, end) for a response that is complete, and sends the next request if
  /// one is due.
  template <typename Done>
  void receive(Done done) {
    if (!read_some()) return;
    const std::uint64_t due = due_.front();
    due_.pop_front();
    done(due, now_ns());
    if (!due_.empty()) send_request();
  }

  template <typename Visit>
  void for_each_waiting(Visit visit) const {
    for (const std::uint64_t due : due_) visit(due);
  }

 private:
  void send_request();
  /// Whether the response is complete; it is then checked and dropped.
  bool read_some();
  void parse_head(std::size_t length);
  void check_body() const;

  int fd_ = -1;
  const Expected* expected_;
  std::deque<std::uint64_t> due_;  // the first is on its way
  std::string received_;
  std::size_t head_ = 0;  // bytes, once it is complete
  std::size_t body_ = 0;
};

}  // namespace heddle::bench
