// Any bytes as what another node sends, to either end of a tunnel: no stream is lost sight of, what waits is bounded, and what is
// written back is read by the other end. The first byte says which end, and in what pieces the rest comes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/tunnel/session.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace heddle;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Uses a stream as a connection would: reads what comes, sends it back, ends when the other side does.
class User final : public io::EventSink {
 public:
  explicit User(std::unique_ptr<io::Stream> stream) : stream_(std::move(stream)) { require(stream_->watch(loop(), *this)); }
  void on_events(std::uint32_t events) override {
    stream_->note(events);
    char space[1000];
    while (stream_->readable() && stream_->open()) {
      const io::Transfer transfer = stream_->receive(space);
      if (transfer.outcome != io::Transfer::done) {
        if (transfer.outcome == io::Transfer::closed) stream_->shut_down_writing();
        break;
      }
      (void)stream_->send(std::span(space).first(transfer.bytes));
    }
    if (stream_->broken()) stream_->close();
  }

 private:
  static io::EventLoop& loop() {
    static io::EventLoop made = io::EventLoop::make().value();
    return made;
  }

  std::unique_ptr<io::Stream> stream_;
};

struct End final : tunnel::Carrier {
  explicit End(bool server) : session(tunnel::Session::make(server, *this, pending, pool).value()) {}
  void on_output() override {}
  void on_connect(std::unique_ptr<tunnel::Stream> stream, const tunnel::Head& head) override {
    const auto target = tunnel::parse_authority(head.authority);
    // What is an address is written in one way, and read again.
    if (target) require(tunnel::parse_authority(tunnel::authority_text(*target)) == target);
    const auto client = tunnel::parse_forwarded(head.forwarded);
    if (client) require(tunnel::parse_forwarded(tunnel::forwarded_text(*client)) == client);
    if (head.method != "CONNECT" || !target) return session->refuse(*stream, 400);
    session->accept(*stream);
    users.push_back(std::make_unique<User>(std::move(stream)));
  }

  tunnel::Pending pending;
  io::BufferPool pool;
  std::vector<std::unique_ptr<User>> users;
  std::unique_ptr<tunnel::Session> session;
};

void receive(End& end, std::string_view bytes) {
  (void)end.session->receive(bytes);
  end.session->ask_carrier();
  for (int i = 0; i < 3 && !end.pending.empty(); ++i) end.pending.tell();
  end.session->sent(end.session->output().size() / 2);
  (void)end.session->wake_for_output();
  require(end.pool.in_use() * io::BufferPool::small_bytes <= tunnel::Bounds::unread + tunnel::Bounds::connection_window);
  require(end.session->streams() <= tunnel::Bounds::streams + 1);
}

constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string frame(unsigned type, unsigned flags, std::uint32_t stream, const std::string& payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift));
  return out + payload;
}

std::string field(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}

std::string connect_head() {
  return field(":method", "CONNECT") + field(":authority", "10.0.0.1:80") + field("forwarded", "for=\"[fd00::1]:80\"");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const bool server = (data[0] & 1U) != 0;
  const std::size_t piece = (data[0] >> 1U) + 1U;
  End end(server);
  if (server) {
    receive(end, preface);
  } else if (auto stream = end.session->connect({"CONNECT", "10.0.0.1:80", "for=10.0.0.2", "", ""})) {
    end.users.push_back(std::make_unique<User>(std::move(stream)));
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (std::size_t at = 0; at < bytes.size(); at += piece) receive(end, bytes.substr(at, piece));
  end.session.reset();
  for (int i = 0; i < 3; ++i) end.pending.tell();
  end.users.clear();
  return 0;
}

namespace heddle::fuzz {

std::vector<std::string> seeds() {
  const std::string settings = frame(4, 0, 0, "");
  const std::string open = frame(1, 4, 1, connect_head());
  const std::string data = frame(0, 0, 1, "hello") + frame(0, 1, 1, "");
  // A change of it reaches a stream only if the whole is right.
  End end(true);
  receive(end, std::string(preface) + settings + open + data);
  require(end.users.size() == 1);
  const std::string ok = frame(1, 4, 1, field(":status", "200"));
  return {'\xFF' + settings + open + data,
          '\xFF' + settings + open + frame(3, 0, 1, std::string("\0\0\0\x8", 4)) + frame(6, 0, 0, "12345678"),
          '\xFF' + settings + frame(1, 0, 1, connect_head()) + frame(9, 4, 1, field("baggage", "a=b")) + data,
          '\x09' + settings + open + frame(8, 0, 1, std::string("\0\1\0\0", 4)) + data,
          '\xFE' + settings + ok + data,
          '\xFE' + settings + frame(1, 5, 1, field(":status", "403")) + frame(7, 0, 0, std::string(8, '\0')),
          '\xFF' + settings + frame(1, 4, 1, field(":method", "GET") + field(":scheme", "http") + field(":path", "/") + field(":authority", "a")),
          '\xFF' + settings + frame(1, 4, 1, field(":method", "CONNECT") + field(":authority", "[::1]:443") + field("forwarded", "for=1.2.3.4"))};
}

std::vector<std::string> words() {
  return {frame(4, 0, 0, ""), frame(4, 1, 0, ""), frame(0, 1, 1, "x"), frame(1, 4, 3, connect_head()), frame(3, 0, 1, std::string(4, '\0')),
          frame(8, 0, 0, std::string("\x7F\xFF\xFF\xFF", 4)), frame(6, 0, 0, "12345678"), frame(7, 0, 0, std::string(8, '\0')), frame(9, 4, 1, ""),
          field(":method", "CONNECT"), field(":authority", "10.0.0.1:80"), field("forwarded", "for="), std::string("\0\0\x05", 3)};
}

}  // namespace heddle::fuzz
