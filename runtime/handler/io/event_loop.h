#pragma once

#include <array>
#include <cstdint>

#include <sys/epoll.h>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"

namespace heddle::io {

/// Something with a descriptor that the loop watches. It must outlive the round in which it stops being
/// watched: its last event may already be in the batch.
class EventSink {
 public:
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~EventSink() = default;
};

class EventLoop {
 public:
  static Result<EventLoop> make();

  [[nodiscard]] bool add(int fd, std::uint32_t events, EventSink& sink);
  void remove(int fd);

  /// Waits (-1: as long as it takes), calls `woke`, then passes every event to its sink.
  template <typename Woke>
  void run_round(int timeout_ms, Woke woke) {
    const int count = wait(timeout_ms);
    woke();
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      static_cast<EventSink*>(event.data.ptr)->on_events(event.events);
    }
  }

 private:
  [[nodiscard]] int wait(int timeout_ms);

  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  std::array<epoll_event, 256> events_{};
};

/// Monotonic time, read once per round and after it where a duration matters.
[[nodiscard]] std::uint64_t monotonic_ns();

}  // namespace heddle::io
