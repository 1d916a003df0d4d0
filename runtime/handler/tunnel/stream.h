#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "runtime/handler/io/buffer.h"
#include "runtime/handler/io/stream.h"

namespace heddle::tunnel {

class Pending;
class Session;

/// Bytes that came and were not read yet, in blocks of a pool. A stream on which nothing is under way owns none.
class Inbox {
 public:
  explicit Inbox(io::BufferPool& pool) : pool_(&pool) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() { clear(); }

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  void add(std::string_view bytes);
  std::size_t take(std::span<char> space);
  void clear();

 private:
  struct Block {
    char* data;
    std::uint32_t begin;
    std::uint32_t end;
  };

  void drop_first();

  io::BufferPool* pool_;
  std::vector<Block> blocks_;
  std::size_t size_ = 0;
};

/// One stream of a tunnel, as a connection like any other. It may outlive its session; then it is broken.
class Stream final : public io::Stream {
 public:
  Stream(Session& session, Pending& pending, std::int32_t id, io::BufferPool& pool);
  ~Stream() override;

  [[nodiscard]] bool watch(io::EventLoop& loop, io::EventSink& sink) override;
  [[nodiscard]] io::Transfer receive(std::span<char> space) override;
  [[nodiscard]] io::Transfer look() override;
  [[nodiscard]] io::Transfer send(std::span<const char> bytes, bool more = false) override;
  /// A tunnel tells nobody what was read at its other end.
  [[nodiscard]] std::optional<std::uint64_t> find_acknowledged() const override { return std::nullopt; }
  [[nodiscard]] int take_error() override;
  [[nodiscard]] bool open() const override { return !closed_; }
  /// Not on a connection that takes no more streams.
  [[nodiscard]] bool reusable() const override;
  void accept() override;
  void refuse(std::uint16_t status) override;
  void shut_down_writing() override;
  void reset_on_close() override { resets_ = true; }
  void close() override;

 private:
  friend class Pending;
  friend class Session;

  [[nodiscard]] io::Transfer nothing_there() const;

  Session* session_;  // null: it is over
  Pending& pending_;
  io::EventSink* sink_ = nullptr;
  Inbox inbox_;
  std::span<const char> sending_;  // what send() has in hand
  std::int32_t id_;
  int error_ = 0;
  std::uint32_t raised_ = 0;  // events that its sink has not been told yet
  std::size_t queue_place_ = 0;
  std::size_t place_ = 0;     // among the session's streams
  std::uint16_t status_ = 0;  // of the answer to our CONNECT; 0: it has not come
  bool queued_ = false;    // in `pending_`
  bool answered_ = false;  // 200 was sent, or came
  bool ends_ = false;      // we send no more
  bool peer_ended_ = false;
  enum class Wait : std::uint8_t { nothing, window, output };
  Wait waits_ = Wait::nothing;  // for what, before it can send
  bool resets_ = false;
  bool closed_ = false;
};

}  // namespace heddle::tunnel
