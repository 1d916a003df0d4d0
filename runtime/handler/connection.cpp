#include "runtime/handler/connection.h"

#include <array>

#include "runtime/handler/http/normalise.h"
#include "runtime/handler/http/rewrite.h"

namespace heddle::handler {

namespace {

// Steps of one connection in one round; the others have their turn then.
constexpr int steps_per_round = 64;

}  // namespace

Connection::Connection(Engine& engine, std::unique_ptr<io::Stream> client, const hd_connection& origin, std::unique_ptr<RemotePeer> peer)
    : engine_(engine),
      client_(std::move(client)),
      in_(engine.buffers),
      out_(engine.buffers),
      peer_(std::move(peer)),
      origin_(origin) {}

void Connection::start() {
  if (!client_->watch(engine_.loop, *this)) return close();
  client_->assume_writable();
  if (engine_.fast_path != nullptr) engine_.fast_path->enter(fast_, origin_.flow, *this);
  arm_flow();
  update_deadline();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  engine_.room.leave(*this);
  late_.cancel();
  drop_upstream();
  leave_flow();
  phase_ = Phase::closed;
  cancel();
  in_.release();
  out_.release();
  tables_.reset();
  client_->close();
  engine_.bury(*this);
}

// ---- progress
// ------------------------------------------------------------------------------------------------

Connection::Step Connection::step_of(Phase phase) {
  // In the order of Phase.
  static constexpr std::array<Step, 10> steps = {
      &Connection::read_head,   &Connection::wait_for_flow, &Connection::wait,
      &Connection::wait,        &Connection::connect,       &Connection::exchange,
      &Connection::send_answer, &Connection::skip_body,     &Connection::linger,
      &Connection::wait};
  return steps[static_cast<std::size_t>(phase)];
}

void Connection::advance() {
  for (int i = 0; i < steps_per_round; ++i) {
    if (!(this->*step_of(phase_))()) return update_deadline();
  }
  if (resume_pending_) return;
  resume_pending_ = true;
  engine_.resume_later(*this);
}

void Connection::resume() {
  resume_pending_ = false;
  advance();
}

void Connection::set_phase(Phase phase) {
  phase_ = phase;
  cancel();
}

/// A deadline runs only while it is the other side's turn.
void Connection::update_deadline() {
  const std::uint64_t now = engine_.now_ms();
  Timeouts& timeouts = engine_.timeouts;
  switch (phase_) {
    case Phase::reading:
      if (!waiting()) (in_.empty() ? timeouts.idle : timeouts.head).set(*this, now);
      return;
    case Phase::pending:
    case Phase::connecting:
      if (!waiting()) timeouts.connect.set(*this, now);
      return;
    case Phase::exchanging: {
      const bool client_reads = download_left_ != 0;
      const bool client_sends = !upload_broken_ && upload_left_ == 0 && !body_.done();
      return client_reads || client_sends ? timeouts.stall.set(*this, now) : cancel();
    }
    case Phase::answering:
    case Phase::skipping:
      return timeouts.stall.set(*this, now);
    case Phase::lingering:
      if (!waiting()) timeouts.linger.set(*this, now);
      return;
    case Phase::queueing:
    case Phase::deciding:
    case Phase::closed:
      return;
  }
}

void Connection::on_deadline() {
  if (phase_ == Phase::connecting) {
    drop_upstream();
    connect_failed();
    return advance();
  }
  if (phase_ == Phase::pending) {
    full();
    return advance();
  }
  if (phase_ == Phase::exchanging || phase_ == Phase::answering) return abort(HD_EVENT_CLIENT_ABORTED);
  if (phase_ == Phase::reading && in_.empty() && !idle_for_long()) return update_deadline();
  close();
}

void Connection::on_events(std::uint32_t events) {
  if (phase_ == Phase::closed) return;
  client_->note(events);
  const bool waits_for_round =
      phase_ == Phase::deciding || phase_ == Phase::reading || phase_ == Phase::lingering;
  if (client_->broken() && !waits_for_round) return abort(HD_EVENT_CLIENT_ABORTED);
  advance();
}

void Connection::on_upstream_events() {
  advance();
}

void Connection::drain() {
  close_after_ = true;
  if (phase_ == Phase::reading && in_.empty() && take_flow()) close();
}

// ---- reading a head
// --------------------------------------------------------------------------------------------

bool Connection::read_head() {
  if (!in_.empty() && find_head()) return true;
  if (!client_->readable()) {
    if (in_.empty()) {
      in_.release();
      arm_flow();
    }
    return false;
  }
  receive_head();
  return true;
}

bool Connection::find_head() {
  const std::string_view bytes = in_.view();
  const std::optional<std::size_t> end = head_end_.find(bytes);
  if (end && *end <= HD_HEAD_MAX) {
    submit(http::parse_request(bytes.substr(0, *end)));
    return true;
  }
  if (bytes.size() < HD_HEAD_MAX) return false;
  http::Request too_large;
  too_large.form = HD_FORM_HEAD_TOO_LARGE;
  too_large.length = HD_HEAD_MAX;
  submit(too_large);
  return true;
}

void Connection::receive_head() {
  const bool first = in_.empty();
  in_.acquire();
  if (first) in_.reset();
  if (in_.space().empty()) {
    if (in_.begin() != 0) {
      in_.compact();
    } else if (!in_.grow()) {
      return close();
    }
  }
  const io::Transfer transfer = client_->receive(in_.space());
  if (transfer.outcome == io::Transfer::closed) return end_of_input();
  if (transfer.outcome == io::Transfer::failed) return close();
  in_.added(transfer.bytes);
  if (first && transfer.bytes != 0) cancel();  // from here on it is the head that is waited for
}

/// The client sends no more. What it began is malformed; nothing begun is the ordinary end.
void Connection::end_of_input() {
  if (in_.empty()) {
    // A response that is on its way to a client that sends no more comes first.
    if (take_flow()) close();
    return;
  }
  http::Request cut_short;
  cut_short.form = HD_FORM_MALFORMED;
  cut_short.length = in_.size();
  submit(cut_short);
}

void Connection::submit(const http::Request& request) {
  if (!take_flow()) return;
  request_ = request;
  bytes_in_ = request.length;
  const std::uint32_t cut = http::make_origin_form(in_.data(), request);
  in_.consume(cut);
  request_.length -= cut;
  started_ns_ = engine_.now_ns();
  submitted_ = true;
  set_phase(Phase::deciding);
  engine_.round.submit(*this);
}

void Connection::next_request() {
  submitted_ = passed_on_ = adopted_ = normalised_ = armed_ahead_ = wants_link_ = response_begun_ = response_done_ =
      response_bytes_ = false;
  upload_broken_ = replayable_ = upstream_reusable_ = false;
  event_flags_ = 0;
  upload_left_ = upload_sent_ = download_left_ = 0;
  bytes_in_ = bytes_out_ = 0;
  status_ = 0;
  request_ = {};
  target_ = {};
  head_end_.reset();
  out_.release();
  out_rest_ = {};
  redirect_.reset();
  tables_.reset();
  set_phase(Phase::reading);
}

// ---- what was decided
// ------------------------------------------------------------------------------------------

Connection::Outcome Connection::outcome_of(std::uint16_t verdict) {
  // In the order of hd_verdict.
  static constexpr std::array<Outcome, HD_VERDICT_LIMITED + 1> outcomes = {
      &Connection::drop, &Connection::forward, &Connection::respond,
      &Connection::deny, &Connection::refuse,  &Connection::unhealthy,
      &Connection::drop, &Connection::refuse,  &Connection::full,
      &Connection::limited};
  return verdict < outcomes.size() ? outcomes[verdict] : &Connection::drop;
}

void Connection::decided(const hd_decision& decision) {
  decision_ = decision;
  tables_ = engine_.decider.tables(decision.generation);
  if (tables_ == nullptr) return undecided();
  if (client_->broken()) return abort(HD_EVENT_CLIENT_ABORTED);
  if (decision.verdict == HD_VERDICT_HANDLER && normalise()) return;
  take_request_body();
  (this->*outcome_of(decision.verdict))();
  advance();
}

/// The service has one path where the client wrote another: what is decided on is what is forwarded.
bool Connection::normalise() {
  const http::PathMode mode = tables_->paths(decision_.service);
  if (normalised_ || mode == http::PathMode::strict) return false;
  normalised_ = true;
  const std::uint32_t cut = http::normalise_target(in_.data(), request_.length, mode);
  in_.consume(cut);
  request_.length -= cut;
  engine_.round.submit(*this);
  return true;
}

/// What of the body came with the head.
void Connection::take_request_body() {
  if (request_.form != HD_FORM_OK) return;
  body_.start(request_.framing, request_.content_length);
  const http::Body::Taken taken = body_.take({in_.data() + request_.length, in_.size() - request_.length});
  bytes_in_ += taken.consumed;
  upload_left_ = request_.length + static_cast<std::uint32_t>(taken.consumed);
  if (taken.malformed) request_.form = HD_FORM_MALFORMED;
}

void Connection::undecided() {
  submitted_ = false;  // there is nothing to report
  answer({503, {}, "the mesh cannot decide on requests now\n", {}, true});
  advance();
}

void Connection::forward() {
  // Whatever was decided: what could not be read one way only is not passed on.
  if (request_.form != HD_FORM_OK) return refuse();
  if (const std::uint32_t timeout = tables_->timeout_ms(decision_.rule); timeout != 0) {
    engine_.timeouts.routes.set(late_, timeout, engine_.now_ms());
  }
  begin_exchange();
}

/// A destination that no service owns is not the handler's to serve: the connection should never have come
/// here.
void Connection::drop() {
  record();
  close();
}

void Connection::record() {
  late_.cancel();
  if (!submitted_) return;
  submitted_ = false;
  hd_event event{};
  event.latency_ns = io::monotonic_ns() - started_ns_;
  event.bytes_in = bytes_in_;
  event.bytes_out = bytes_out_;
  event.cgroup = origin_.cgroup;
  event.netns_cookie = origin_.netns_cookie;
  std::copy(std::begin(origin_.source), std::end(origin_.source), std::begin(event.source));
  event.source_port = origin_.source_port;
  event.tier = adopted_ ? HD_TIER_KERNEL : HD_TIER_HANDLER;
  event.flags = event_flags_;
  event.status = status_;
  event.decision = decision_;
  engine_.round.finish(event, engine_.now_ms());
}

}  // namespace heddle::handler
