#include "runtime/handler/tunnel/tunnel.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace heddle::tunnel {
namespace {

constexpr std::size_t record = 16384;
// Encrypted at a time, and what one write takes at most.
constexpr std::size_t burst = 4 * record;
// Read at a time; the others have their turn then.
constexpr std::size_t reads_per_round = 16;

/// Scratch space of a worker, which is one thread.
std::span<char> wire_space() {
  static thread_local std::array<char, 4 * record> space;
  return space;
}
std::span<char> plain_space() {
  static thread_local std::array<char, record> space;
  return space;
}

}  // namespace

Tunnel::Tunnel(Surroundings& around, UniqueFd socket, State state) : around_(around), socket_(std::move(socket)), state_(state) {}

Tunnel::~Tunnel() {
  state_ = State::closed;  // its session still has streams to tell, perhaps
  if (queued_) std::erase(around_.unsent, this);
}

Result<void> Tunnel::begin(bool server) {
  Result<std::unique_ptr<Session>> session = Session::make(server, *this, around_.pending, around_.buffers);
  if (!session) return session.error();
  session_ = std::move(session).value();
  if (!socket_.watch(around_.loop, *this)) return Error{ErrorKind::io, std::string("cannot watch a tunnel: ") + std::strerror(errno), ""};
  around_.handshakes.set(*this, around_.now_ms);
  return {};
}

// ---- events
// ----------------------------------------------------------------------------------------------------

void Tunnel::on_events(std::uint32_t events) {
  if (state_ == State::closed) return;
  socket_.note(events);
  if (state_ == State::connecting && (socket_.writable() || socket_.broken())) {
    if (const int error = socket_.take_error(); error != 0) return close(std::string("cannot connect: ") + std::strerror(error));
    state_ = State::handshaking;
    on_output();
  }
  if (state_ != State::connecting && socket_.readable()) read();
  if (state_ != State::closed && socket_.writable()) on_output();
}

void Tunnel::on_deadline() {
  if (state_ == State::closed) return;
  if (state_ != State::open) return close("the handshake takes too long");
  // Nobody has used it for long.
  if (session_->streams() == 0) retire();
}

void Tunnel::read() {
  for (std::size_t i = 0; i < reads_per_round && state_ != State::closed && socket_.readable(); ++i) {
    const io::Transfer transfer = socket_.receive(wire_space());
    if (transfer.outcome == io::Transfer::again) return;
    if (transfer.outcome == io::Transfer::failed) return close("the connection broke");
    if (transfer.outcome == io::Transfer::closed) return close(state_ == State::open ? "" : "the peer closed the connection during the handshake");
    take({wire_space().data(), transfer.bytes});
  }
  // There is more, and no event will say so again.
  unread_ = state_ != State::closed && socket_.readable();
  if (unread_) on_output();
}

void Tunnel::take(std::string_view wire) {
  if (tls_ == nullptr) {
    if (!on_bytes_before_tls(wire) && state_ != State::closed) close("");
    return;
  }
  tls_->receive(wire);
  follow_tls();
}

void Tunnel::follow_tls() {
  using Tls = tls::TlsConnection::State;
  if (tls_->state() == Tls::failed) {
    flush();  // the alert says why
    if (state_ != State::closed) close(tls_->failure());
    return;
  }
  if (state_ == State::handshaking && tls_->state() != Tls::handshaking) {
    state_ = State::open;
    opened_ = tls_->now();
    around_.idle.set(*this, around_.now_ms);
    on_open();
  }
  on_output();
  if (state_ == State::open) read_plain();
  if (state_ == State::open && tls_->state() == Tls::ended) close("");
}

void Tunnel::read_plain() {
  while (const std::size_t count = tls_->read(plain_space())) {
    if (session_->receive(plain_space().first(count))) continue;
    flush();
    return close(session_->problem());
  }
  session_->ask_carrier();
}

// ---- sending
// ---------------------------------------------------------------------------------------------------

void Tunnel::on_output() {
  if (queued_ || state_ == State::closed || state_ == State::connecting) return;
  queued_ = true;
  around_.unsent.push_back(this);
}

void Tunnel::flush() {
  queued_ = false;
  if (std::exchange(unread_, false)) read();
  while (state_ != State::closed && tls_ != nullptr) {
    while (state_ == State::open && !session_->output().empty() && tls_->output().size() < burst) {
      const std::span<const char> plain = session_->output();
      const std::size_t count = std::min(plain.size(), record);
      tls_->write({plain.data(), count});
      session_->sent(count);
    }
    if (tls_->output().empty() || !socket_.writable()) break;
    const io::Transfer transfer = socket_.send(tls_->output());
    if (transfer.outcome == io::Transfer::failed) return close("the connection broke");
    if (transfer.outcome == io::Transfer::again) break;
    tls_->sent(transfer.bytes);
  }
  settle();
}

/// What follows from having sent everything.
void Tunnel::settle() {
  if (state_ != State::open) return;
  if (session_->wake_for_output() && socket_.writable()) on_output();
  if (session_->over() && session_->output().empty() && tls_->output().empty()) return close(session_->problem());
  if (session_->streams() == 0 && !waiting()) around_.idle.set(*this, around_.now_ms);
}

// ---- the end
// ---------------------------------------------------------------------------------------------------

void Tunnel::look_again(const tls::TrustBundle& bundle, bool own_valid, std::int64_t now) {
  if (state_ != State::open) return;
  if (const auto refusal = tls_->recheck(bundle, now)) {
    on_end(refusal->what, &*refusal);
    close("");
  } else if (!own_valid) {
    close("the own certificate has expired");
  }
}

void Tunnel::retire() {
  if (state_ == State::closed) return;
  session_->drain();
  if (session_->streams() == 0) {
    on_output();
    if (state_ != State::open) close("");
  }
}

void Tunnel::close(const std::string& why) {
  if (state_ == State::closed) return;
  const bool refused = tls_ != nullptr && tls_->refusal().has_value();
  if (!why.empty() || refused) on_end(why, refused ? &*tls_->refusal() : nullptr);
  if (state_ == State::open && tls_->state() != tls::TlsConnection::State::failed) {
    tls_->end();
    if (socket_.writable()) (void)socket_.send(tls_->output());
  }
  state_ = State::closed;
  cancel();
  socket_.close();
  session_.reset();  // its streams are told
  around_.ended.push_back(this);
}

void Tunnel::on_connect(std::unique_ptr<Stream> stream, const Head& /*head*/) {
  session_->refuse(*stream, 405);
}

}  // namespace heddle::tunnel
