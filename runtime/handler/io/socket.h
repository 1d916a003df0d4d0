#pragma once

#include <cstdint>

#include "runtime/base/fd.h"
#include "runtime/handler/io/stream.h"

namespace heddle::io {

/// A non-blocking stream socket.
class Socket final : public Stream {
 public:
  explicit Socket(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] bool watch(EventLoop& loop, EventSink& sink) override;
  [[nodiscard]] Transfer receive(std::span<char> space) override;
  [[nodiscard]] Transfer look() override;
  [[nodiscard]] Transfer send(std::span<const char> bytes, bool more = false) override;
  /// What the peer's TCP has acknowledged.
  [[nodiscard]] std::optional<std::uint64_t> find_acknowledged() const override;
  [[nodiscard]] int take_error() override;

  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] bool open() const override { return static_cast<bool>(fd_); }
  void shut_down_writing() override;
  void reset_on_close() override;
  void close() override { fd_.reset(); }

 private:
  UniqueFd fd_;
};

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
