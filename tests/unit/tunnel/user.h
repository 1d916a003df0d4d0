#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/io/stream.h"

namespace heddle::tunnel::testing_user {

/// Whoever uses a stream: notes what it is told, as connections do.
struct User final : io::EventSink {
  explicit User(std::unique_ptr<io::Stream> to) : stream(std::move(to)) {
    static io::EventLoop loop = io::EventLoop::make().value();
    watched = stream->watch(loop, *this);
  }
  void on_events(std::uint32_t events) override {
    ++told;
    stream->note(events);
  }
  std::string read(std::size_t most = 1 << 20) {
    std::string all(most, '\0');
    std::size_t size = 0;
    while (size < most) {
      const io::Transfer transfer = stream->receive(std::span(all).subspan(size));
      last = transfer.outcome;
      if (transfer.outcome != io::Transfer::done) break;
      size += transfer.bytes;
    }
    all.resize(size);
    return all;
  }
  std::size_t write(std::string_view bytes) {
    const io::Transfer transfer = stream->send(bytes);
    last = transfer.outcome;
    return transfer.bytes;
  }

  std::unique_ptr<io::Stream> stream;
  io::Transfer::Outcome last = io::Transfer::again;
  bool watched = false;
  int told = 0;
};

}  // namespace heddle::tunnel::testing_user
