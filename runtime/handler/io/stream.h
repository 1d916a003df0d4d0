#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "runtime/handler/io/event_loop.h"

namespace heddle::io {

/// What came of one attempt to move bytes.
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

/// Bytes to somebody and from him, in order, each way with an end of its own: a socket, or a stream in a tunnel. Whoever uses it
/// is told of events as of a socket that is watched edge-triggered, and notes them here: what is known of its readiness is kept,
/// and a short transfer is taken as its end, which saves the call that would only say that there is nothing.
class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;

  [[nodiscard]] bool readable() const { return readable_; }
  [[nodiscard]] bool writable() const { return writable_; }
  /// The peer sends no more (its last bytes may still be unread).
  [[nodiscard]] bool peer_closed() const { return peer_closed_; }
  /// Reset, or both directions ended.
  [[nodiscard]] bool broken() const { return broken_; }

  /// From here on `sink` is told of events; it outlives the stream.
  [[nodiscard]] virtual bool watch(EventLoop& loop, EventSink& sink) = 0;
  /// Events of epoll, or what is like them.
  void note(std::uint32_t events);
  /// Lets the next transfer try, whatever is known.
  void assume_readable() { readable_ = true; }
  void assume_writable() { writable_ = true; }

  [[nodiscard]] virtual Transfer receive(std::span<char> space) = 0;
  /// What receive() would say of one byte; nothing is taken.
  [[nodiscard]] virtual Transfer look() = 0;
  /// `more`: what follows at once should go with it.
  [[nodiscard]] virtual Transfer send(std::span<const char> bytes, bool more = false) = 0;

  /// Bytes that were received and sent since the connection began.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

  /// Bytes that the peer is known to have taken since the connection began.
  [[nodiscard]] virtual std::optional<std::uint64_t> find_acknowledged() const = 0;
  /// Takes the pending error (0: none), as after an asynchronous connect.
  [[nodiscard]] virtual int take_error() = 0;

  /// Its socket, if it has one of its own; else -1.
  [[nodiscard]] virtual int fd() const { return -1; }
  [[nodiscard]] virtual bool open() const = 0;
  /// Whether something new may begin on it, once what goes on is done.
  [[nodiscard]] virtual bool reusable() const { return true; }
  /// Of a stream that somebody asks for: it is his, or it is not, and why as an HTTP status. Others are there already.
  virtual void accept() {}
  virtual void refuse(std::uint16_t /*status*/) { reset_on_close(); }
  virtual void shut_down_writing() = 0;
  /// When it is closed, the peer will see a reset, not an end: what it got is incomplete.
  virtual void reset_on_close() = 0;
  virtual void close() = 0;
  void close_with_reset() {
    reset_on_close();
    close();
  }

 protected:
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  bool readable_ = false;
  bool writable_ = false;
  bool peer_closed_ = false;
  bool broken_ = false;
};

}  // namespace heddle::io
