#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runtime/base/fd.h"

namespace heddle::io {

/// What came of one system call on a socket.
struct Transfer {
  enum Outcome : std::uint8_t {
    done,    // `bytes` moved
    again,   // nothing now; an event will come
    closed,  // the peer has sent its last byte
    failed,  // the connection is broken
  };
  Outcome outcome = again;
  std::size_t bytes = 0;
};

/// A non-blocking stream socket that is watched edge-triggered: what is known of its readiness is kept here,
/// and a short transfer is taken as its end, which saves the call that would only say EAGAIN.
class Socket {
 public:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool open() const { return static_cast<bool>(fd_); }
  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }
  /// The peer sends no more (its last bytes may still be unread).
  [[nodiscard]] bool peer_closed() const { return peer_closed_; }
  /// Reset, or both directions ended.
  [[nodiscard]] bool broken() const { return broken_; }

  void note(std::uint32_t events);
  /// Lets the next transfer try, whatever is known.
  void assume_readable() { readable_ = true; }
  void assume_writable() { writable_ = true; }

  [[nodiscard]] Transfer receive(std::span<char> space);
  /// What receive() would say of one byte; nothing is taken.
  [[nodiscard]] Transfer look();
  /// `more`: what follows at once should go into the same segment.
  [[nodiscard]] Transfer send(std::span<const char> bytes, bool more = false);

  /// Bytes that were received and sent since the connection began.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

  /// Bytes that the peer's TCP has acknowledged since the connection began.
  [[nodiscard]] std::optional<std::uint64_t> find_acknowledged() const;
  /// Takes the pending error (0: none), as after an asynchronous connect.
  [[nodiscard]] int take_error();

  void shut_down_writing();
  /// When it is closed, the peer will see a reset, not an end.
  void reset_on_close();
  /// Closes so that the peer sees a reset, not an end: what it got is incomplete.
  void close_with_reset();
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_closed_ = false;
  bool broken_ = false;
};

/// The events that a Socket understands.
[[nodiscard]] std::uint32_t socket_events();

/// What is done with a socket before it connects; false: it is not to connect.
class Preparation {
 public:
  [[nodiscard]] virtual bool prepare(int socket) = 0;

 protected:
  ~Preparation() = default;
};

/// Starts to connect a non-blocking socket without Nagle's delay. `address`: 16 bytes, IPv4 in v4-mapped
/// form. No descriptor if that fails at once.
[[nodiscard]] UniqueFd start_connect(const std::uint8_t* address, std::uint16_t port,
                                     Preparation* preparation = nullptr);

}  // namespace heddle::io
