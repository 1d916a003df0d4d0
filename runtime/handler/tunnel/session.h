#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/handler/io/buffer.h"
#include "runtime/handler/tunnel/head.h"
#include "runtime/handler/tunnel/pending.h"
#include "runtime/handler/tunnel/stream.h"

struct nghttp2_session;

namespace heddle::tunnel {

/// What is allowed on one connection; what goes past it ends the stream or the connection.
struct Bounds {
  static constexpr std::uint32_t streams = 4096;            // at a time, of the peer's making
  static constexpr std::uint32_t head_bytes = 8 * 1024;     // names and values of one CONNECT, 32 bytes more for each field
  static constexpr std::uint32_t stream_window = 256 * 1024;
  static constexpr std::uint32_t connection_window = 16 * 1024 * 1024;
  static constexpr std::size_t unread = 16 * 1024 * 1024;   // of all streams, before the peer has to wait
  static constexpr std::size_t output = 256 * 1024;         // that wait for the socket, before streams have to
  static constexpr std::uint32_t continuations = 4;         // frames behind one HEADERS
  static constexpr std::uint32_t settings = 32;             // entries of one SETTINGS
  static constexpr std::uint32_t acknowledgements = 128;    // of PING and SETTINGS that wait to be sent
  static constexpr std::uint64_t resets = 200;              // by the peer at once,
  static constexpr std::uint64_t resets_per_second = 50;    // and on average
};

/// Whoever carries a session's bytes, and whom a server's session asks.
class Carrier {
 public:
  /// There is something to send, in this round; may be called at any time.
  virtual void on_output() = 0;
  /// The peer asks for a stream; it is answered by accept() or refuse(), now or later. It is the carrier's.
  virtual void on_connect(std::unique_ptr<Stream> stream, const Head& head) = 0;

 protected:
  ~Carrier() = default;
};

/// HTTP/2 of one connection between two nodes, in which each stream is a CONNECT. It knows nothing of sockets: bytes go in and
/// out. Nobody is called back in the middle of receive(): users of streams are told by `pending`, the carrier by ask_carrier().
class Session {
 public:
  static Result<std::unique_ptr<Session>> make(bool server, Carrier& carrier, Pending& pending, io::BufferPool& pool);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// What the peer sent. False: the session is over; what output() still holds says so to the peer.
  [[nodiscard]] bool receive(std::span<const char> bytes);
  /// Calls on_connect() for whatever receive() has brought.
  void ask_carrier();

  /// What is to be sent, and how much of it was.
  [[nodiscard]] std::span<const char> output();
  void sent(std::size_t bytes);
  /// If there is room again, lets as many streams go on as can fill it. True: more wait.
  [[nodiscard]] bool wake_for_output();

  /// Client: a stream to an endpoint. It is writable when the peer has accepted it. Null: no more streams on this connection.
  [[nodiscard]] std::unique_ptr<Stream> connect(const Head& head);
  /// Whether connect() would give one.
  [[nodiscard]] bool takes_more() const;

  /// Server: the answers to on_connect().
  void accept(Stream& stream);
  void refuse(Stream& stream, std::uint16_t status);

  /// No new streams; those that are there go on.
  void drain();
  /// Streams that are not closed.
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }
  /// It has said, or was told, that it ends, and has nothing left to do.
  [[nodiscard]] bool over() const;
  /// Why it broke; empty: it did not.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  friend class Stream;
  struct Callbacks;

  Session(bool server, Carrier& carrier, Pending& pending, io::BufferPool& pool)
      : carrier_(carrier), pending_(pending), pool_(pool), server_(server) {}

  /// A CONNECT whose head is coming, or has come.
  struct Asked {
    std::unique_ptr<Stream> stream;
    Head head;
    std::uint32_t bytes = 0;
  };

  void flush();
  void ask(std::int32_t id);
  void answered(Stream& stream);
  void let_go(Stream& stream);
  void wait(Stream& stream);
  /// `id`: that one alone; 0: as many as said, in the order in which they began to wait.
  void wake(Stream::Wait for_what, std::int32_t id, std::size_t most = SIZE_MAX);
  void consumed(Stream& stream, std::size_t bytes);
  void keep(Stream& stream);
  void forget(Stream& stream);
  void fail(std::string why);

  Carrier& carrier_;
  Pending& pending_;
  io::BufferPool& pool_;
  nghttp2_session* session_ = nullptr;
  std::vector<Stream*> streams_;   // all that are not closed
  std::vector<Stream*> blocked_;
  Asked asking_;
  std::vector<Asked> asked_;
  std::string output_;
  std::size_t output_begin_ = 0;
  std::size_t unread_ = 0;
  std::size_t owed_ = 0;  // of the connection's window, until more was read
  std::string problem_;
  bool server_;
  bool draining_ = false;
  bool broken_ = false;
};

}  // namespace heddle::tunnel
