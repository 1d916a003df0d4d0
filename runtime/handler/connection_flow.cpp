// What a connection does with its client's flow.
#include "runtime/handler/connection.h"

namespace heddle::handler {

namespace {

/// Whether there is a request of which the programs have not said that it ended. They say so before its last
/// piece moves, which may fail.
bool is_unfinished(hd_flow_state state, const hd_flow& flow) {
  if (state == HD_FLOW_BROKEN) return flow.left != 0 || flow.bytes_out == 0;
  return state == HD_FLOW_SENT || state == HD_FLOW_ANSWERING || state == HD_FLOW_SPILL ||
         state == HD_FLOW_FRAMED;
}

}  // namespace

// ---- taking and arming
// -------------------------------------------------------------------------------------------

/// Whether the handler may write to the client. If not, the connection goes on when it may, or is closed.
bool Connection::take_flow() {
  if (!fast_) return true;
  switch (engine_.fast_path->take(fast_)) {
    case Flow::Taking::taken:
      engine_.fast_path->no_wait(fast_);
      return true;
    case Flow::Taking::wait:
    case Flow::Taking::landing:
    case Flow::Taking::relay:
      head_end_.reset();
      if (phase_ != Phase::queueing) set_phase(Phase::queueing);
      engine_.fast_path->wait(fast_);
      return false;
    case Flow::Taking::gone:
      close();
      return false;
    case Flow::Taking::broken:
      on_flow_broken();
      return false;
  }
  return false;
}

bool Connection::wait_for_flow() {
  if (!take_flow()) return false;
  if (close_after_ && in_.empty()) {
    close();
    return false;
  }
  set_phase(Phase::reading);
  return true;
}

/// There is nothing to do here: the next request need not come this way.
void Connection::arm_flow() {
  if (!fast_ || close_after_ || engine_.draining()) return;
  (void)fast_.flow.arm(client_->received(), client_->sent());
}

/// The last bytes of a response are about to be sent, and nothing else is left to do. The client may be
/// faster with its next request than we are afterwards; so the flow is armed before: until it has read all of
/// it his requests come here anyway.
bool Connection::arm_ahead(std::size_t bytes) {
  if (!fast_ || close_after_ || engine_.draining() || !in_.empty() || client_->readable()) return false;
  if (link_ != nullptr) {
    const io::Stream& stream = upstream_->stream();
    if (!upstream_reusable_ || stream.peer_closed() || stream.broken()) return false;
    seize_relayed();
  }
  armed_ahead_ = fast_.flow.arm(client_->received(), client_->sent() + bytes);
  return armed_ahead_;
}

/// The bytes do not go all at once.
void Connection::disarm() {
  armed_ahead_ = false;
  (void)engine_.fast_path->take(fast_);
}

/// A connection that only looks idle, because its requests go past the handler, goes on.
bool Connection::idle_for_long() {
  if (!fast_) return true;
  const std::uint64_t begin = __atomic_load_n(&fast_.flow.record().begin_ns, __ATOMIC_RELAXED);
  if (fast_.flow.busy() || engine_.now_ns() < begin + engine_.timeouts.idle.duration_ms() * 1'000'000)
    return false;
  return take_flow();
}

/// Before the client's socket is closed: what was on its way on the fast path has ended here.
void Connection::leave_flow() {
  if (!fast_) return;
  const hd_flow_state was = engine_.fast_path->leave(fast_);
  if (is_unfinished(was, fast_.flow.record()) && !submitted_) {
    adopt_request(was);
    event_flags_ = was == HD_FLOW_BROKEN ? HD_EVENT_SERVER_ABORTED : HD_EVENT_CLIENT_ABORTED;
    record();
  }
  fast_ = {};
}

void Connection::on_flow() {
  if (phase_ == Phase::queueing) advance();
}

// ---- requests that the handler has to end
// ------------------------------------------------------------------------

/// A request that was decided in the kernel is the handler's from here on; `was`: how far it came there. The generation that
/// decided may be gone by now, with its texts; a response does not depend on them.
void Connection::adopt_request(hd_flow_state was) {
  static const auto no_texts = std::make_shared<const Tables>(Tables::Parts{});
  const hd_flow& flow = fast_.flow.record();
  next_request();
  engine_.fast_path->no_wait(fast_);
  adopted_ = submitted_ = true;
  decision_ = flow.decision;
  if (fast_.flow.state() == HD_FLOW_TAKEN) engine_.ledger.add_request(decision_);
  tables_ = engine_.decider.tables(decision_.generation);
  if (tables_ == nullptr) tables_ = no_texts;
  started_ns_ = flow.begin_ns;
  bytes_in_ = flow.bytes_in;
  request_.keep_alive = true;
  request_.head_method = (flow.flags & HD_FLOW_HEAD) != 0;
  body_.start(http::Framing::none, 0);
  if (was == HD_FLOW_ANSWERING || was == HD_FLOW_SPILL) {
    response_begun_ = passed_on_ = true;
    status_ = flow.status;
    bytes_out_ = flow.bytes_out - flow.left;
  }
}

void Connection::on_server_end() {
  if (fast_.flow.seize(HD_FLOW_ANSWERING)) return cut_off();
  if (!fast_.flow.seize(HD_FLOW_SENT)) return;
  adopt_request(HD_FLOW_SENT);
  bad_gateway("the endpoint closed the connection without a response\n");
  advance();
}

/// The response ends in its middle: the client reads what came of it, and then an end where there should be
/// none.
void Connection::cut_off() {
  adopt_request(HD_FLOW_ANSWERING);
  event_flags_ |= HD_EVENT_SERVER_ABORTED;
  record();
  begin_linger();
  advance();
}

void Connection::on_flow_late() {
  if (link_ != nullptr) return on_late();  // what is relayed from it is late
  const hd_flow_state was = fast_.flow.state();
  if (!fast_.flow.busy() || !fast_.flow.seize(was)) return;
  kill_link();
  adopt_request(was);
  if (response_begun_) return abort(HD_EVENT_TIMEOUT);
  gateway_timeout();
  advance();
}

void Connection::on_flow_broken() {
  kill_link();
  abort(HD_EVENT_SERVER_ABORTED);
}

void Connection::kill_link() {
  if (Link* link = engine_.fast_path->links.find(fast_.flow.link())) engine_.fast_path->links.kill(*link);
}

// ---- responses that come over the link
// ---------------------------------------------------------------------------

void Connection::on_response(Link& link) {
  if (phase_ != Phase::reading && phase_ != Phase::queueing) return on_flow_broken();
  adopt_request(fast_.flow.state());
  link_ = &link;
  link.lend(*this);
  upstream_ = &link.connection();
  begin_flows();
  if (response_begun_) {
    upstream_reusable_ = true;
    response_body_.start(http::Framing::length, fast_.flow.record().left);
  }
  advance();
}

/// The link's response is the client's, or nobody's: the handler may go on.
void Connection::end_relay() {
  link_ = nullptr;
  // Armed already, it may be busy with the next response.
  if (!armed_ahead_) seize_relayed();
}

void Connection::seize_relayed() {
  if (!fast_.flow.seize(HD_FLOW_SPILL) && !fast_.flow.seize(HD_FLOW_FRAMED)) return;
  // Until then the programs would have ended the request, had this worker died.
  engine_.ledger.add_request(decision_);
}

}  // namespace heddle::handler
