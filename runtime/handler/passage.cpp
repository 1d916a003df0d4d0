#include "runtime/handler/passage.h"

#include <algorithm>
#include <array>

namespace heddle::handler {

namespace {

// Steps of one connection in one round; the others have their turn then.
constexpr int steps_per_round = 64;

}  // namespace

Passage::Passage(Engine& engine, std::unique_ptr<io::Stream> client, const hd_connection& origin, std::unique_ptr<RemotePeer> peer)
    : engine_(engine),
      client_(std::move(client)),
      peer_(std::move(peer)),
      in_(engine.buffers),
      origin_(origin) {
  if (is_tls()) hello_ = std::make_unique<tls::ClientHello>(engine.hellos);
}

void Passage::start() {
  if (!client_->watch(engine_.loop, *this)) return close();
  client_->assume_writable();
  started_ns_ = engine_.now_ns();
  if (!is_tls()) return submit(HD_FORM_OK);
  client_->accept();  // or it would not say whom it asks for
  engine_.timeouts.head.set(*this, engine_.now_ms());  // for all of the ClientHello, however it comes
}

void Passage::close() {
  if (phase_ == Phase::closed) return;
  drop_upstream();
  set_phase(Phase::closed);
  hello_.reset();
  in_.release();
  tables_.reset();
  client_->close();
  engine_.bury(*this);
}

/// Who has sent nothing yet loses nothing. Connections that are passed go on until the worker ends.
void Passage::drain() {
  if (phase_ == Phase::reading && in_.empty()) close();
}

// ---- progress
// ------------------------------------------------------------------------------------------------

Passage::Step Passage::step_of(Phase phase) {
  // In the order of Phase.
  static constexpr std::array<Step, 5> steps = {&Passage::read_hello, &Passage::wait, &Passage::connect, &Passage::pass,
                                                &Passage::wait};
  return steps[static_cast<std::size_t>(phase)];
}

void Passage::advance() {
  for (int i = 0; i < steps_per_round; ++i) {
    if (!(this->*step_of(phase_))()) return;
  }
  if (resume_pending_) return;
  resume_pending_ = true;
  engine_.resume_later(*this);
}

void Passage::resume() {
  resume_pending_ = false;
  advance();
}

void Passage::set_phase(Phase phase) {
  phase_ = phase;
  cancel();
}

void Passage::on_events(std::uint32_t events) {
  if (phase_ == Phase::closed) return;
  client_->note(events);
  advance();
}

void Passage::on_upstream_events() {
  advance();
}

void Passage::on_deadline() {
  if (phase_ == Phase::reading) {
    end_of_hello();
  } else if (phase_ == Phase::connecting) {
    connect_failed();
  }
  advance();
}

// ---- the ClientHello
// -----------------------------------------------------------------------------------------

bool Passage::read_hello() {
  if (!client_->readable()) return false;
  in_.acquire();
  if (in_.space().empty() && !in_.grow()) {
    close();
    return false;
  }
  const std::size_t before = in_.size();
  const io::Transfer transfer = client_->receive(in_.space());
  if (transfer.outcome == io::Transfer::again) return false;
  if (transfer.outcome == io::Transfer::done) {
    in_.added(transfer.bytes);
    judge(hello_->add(in_.view().substr(before)));
  } else if (transfer.outcome == io::Transfer::closed) {
    end_of_hello();
  } else {
    close();
  }
  return true;
}

/// Nothing more of it comes, or not in time. Nothing begun is the ordinary end.
void Passage::end_of_hello() {
  if (in_.empty()) return close();
  submit(HD_FORM_MALFORMED);
}

void Passage::judge(tls::ClientHello::State state) {
  if (state == tls::ClientHello::State::incomplete) return;
  if (state == tls::ClientHello::State::malformed) return submit(HD_FORM_MALFORMED);
  name_ = hello_->server_name();
  submit(HD_FORM_OK);
}

void Passage::submit(hd_form form) {
  form_ = form;
  hello_.reset();
  submitted_ = true;
  set_phase(Phase::deciding);
  engine_.round.submit(*this);
}

// ---- what was decided
// ------------------------------------------------------------------------------------------

void Passage::decided(const hd_decision& decision) {
  decision_ = decision;
  tables_ = engine_.decider.tables(decision.generation);
  if (tables_ == nullptr) return undecided();
  if (decision.verdict == HD_VERDICT_FORWARD && form_ == HD_FORM_OK) {
    forward();
    return advance();
  }
  refuse();
}

void Passage::undecided() {
  submitted_ = false;  // there is nothing to report
  refuse();
}

/// Nobody is answered. A client of TLS waits for a server's part of the handshake, which only a server can write; to any other an
/// orderly end may be an answer, and so it is told of a failure.
void Passage::refuse() {
  record();
  if (!is_tls()) client_->refuse(decision_.verdict == HD_VERDICT_DENY ? 403 : 503);
  close();
}

void Passage::forward() {
  const auto endpoint = engine_.endpoint_of(decision_, *tables_, origin_, peer_ != nullptr);
  if (!endpoint) {
    decision_.verdict = HD_VERDICT_UNHEALTHY;  // the endpoint has seen nothing of it: it has not failed
    return unhealthy();
  }
  if (!engine_.reserve(*endpoint)) return full();
  upstream_ = engine_.pool.connect(*endpoint, *this);
  if (upstream_ == nullptr) return connect_failed();
  set_phase(Phase::connecting);
  engine_.timeouts.connect.set(*this, engine_.now_ms());
}

void Passage::connect_failed() {
  event_flags_ |= HD_EVENT_CONNECT_FAILED;
  unhealthy();
}

void Passage::unhealthy() {
  const std::uint32_t rule = tables_->unhealthy_rule(decision_.service);
  if (rule != HD_NONE) decision_.rule = rule;
  refuse();
}

void Passage::full() {
  const std::uint32_t rule = tables_->full_rule(decision_.service);
  if (rule != HD_NONE) decision_.rule = rule;
  decision_.verdict = HD_VERDICT_FULL;  // the endpoint has seen nothing of it: it has not failed
  refuse();
}

bool Passage::connect() {
  io::Stream& stream = upstream_->stream();
  if (client_->broken() && client_->take_error() != 0) {
    event_flags_ |= HD_EVENT_CLIENT_ABORTED;
    abort();
    return false;
  }
  if (!stream.writable() && !stream.broken()) return false;
  if (stream.take_error() != 0) {
    connect_failed();
    return false;
  }
  set_phase(Phase::passing);
  client_->accept();
  return true;
}

// ---- bytes in both directions
// ----------------------------------------------------------------------------------

bool Passage::pass() {
  const bool up = move(*client_, in_, upstream_->stream(), up_);
  if (phase_ != Phase::passing) return false;
  const bool down = move(upstream_->stream(), upstream_->in, *client_, down_);
  if (phase_ != Phase::passing) return false;
  if (up || down) return true;
  if (up_.passed && down_.passed) {
    finish();
    return false;
  }
  // Whoever is gone is not waited for, but what it sent before comes first.
  for (io::Stream* stream : {client_.get(), &upstream_->stream()}) {
    if (!stream->broken() || stream->take_error() == 0) continue;
    abort();
    return false;
  }
  return false;
}

bool Passage::move(io::Stream& from, io::Buffer& block, io::Stream& to, Way& way) {
  if (!block.empty()) {
    if (!to.writable()) return false;
    const io::Transfer transfer = to.send(block.view());
    if (transfer.outcome == io::Transfer::failed) abort();
    if (transfer.outcome != io::Transfer::done) return false;
    block.consume(transfer.bytes);
    way.bytes += transfer.bytes;
    return true;
  }
  if (way.ended) {
    if (way.passed) return false;
    to.shut_down_writing();
    return way.passed = true;
  }
  if (!from.readable()) {
    block.release();
    return false;
  }
  block.acquire();
  block.reset();
  const io::Transfer transfer = from.receive(block.space());
  if (transfer.outcome == io::Transfer::failed) abort();
  if (transfer.outcome == io::Transfer::closed) return way.ended = true;
  if (transfer.outcome != io::Transfer::done) return false;
  block.added(transfer.bytes);
  return true;
}

void Passage::finish() {
  record();
  close();
}

/// One side is gone without a proper end, and so the other side sees none.
void Passage::abort() {
  record();
  if (upstream_ != nullptr) upstream_->stream().reset_on_close();
  drop_upstream();
  client_->reset_on_close();
  close();
}

void Passage::drop_upstream() {
  if (upstream_ != nullptr) engine_.pool.discard(*upstream_);
  upstream_ = nullptr;
}

void Passage::record() {
  if (!submitted_) return;
  submitted_ = false;
  hd_event event{};
  event.latency_ns = io::monotonic_ns() - started_ns_;
  event.bytes_in = up_.bytes;
  event.bytes_out = down_.bytes;
  event.cgroup = origin_.cgroup;
  event.netns_cookie = origin_.netns_cookie;
  std::copy(std::begin(origin_.source), std::end(origin_.source), std::begin(event.source));
  event.source_port = origin_.source_port;
  event.tier = HD_TIER_HANDLER;
  event.flags = event_flags_;
  event.decision = decision_;
  engine_.round.finish(event, engine_.now_ms());
}

}  // namespace heddle::handler
