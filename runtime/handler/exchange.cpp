// The exchange: a request on its way to an endpoint, and the response on its way back.
#include <algorithm>

#include "runtime/handler/connection.h"
#include "runtime/handler/http/rewrite.h"

namespace heddle::handler {

namespace {

// In front of a response's head, for the line that rewriting may add.
constexpr std::uint32_t headroom = 64;

// A server does not speak for the mesh. The node at the other end of a tunnel does, and has looked at what its servers say.
constexpr http::FieldSet server_drops = http::hop_by_hop_fields.with({http::FieldKind::rule});
constexpr http::FieldSet framing_fields = {http::FieldKind::content_length,
                                           http::FieldKind::transfer_encoding};

}  // namespace

// ---- the way to an endpoint
// --------------------------------------------------------------------------------------

void Connection::begin_exchange() {
  if (request_.hop_by_hop) {
    char* const begin = http::rewrite_head(in_.data(), request_.length, http::hop_by_hop_fields, {});
    const auto cut = static_cast<std::uint32_t>(begin - in_.data());
    in_.consume(cut);
    request_.length -= cut;
    upload_left_ -= cut;
  }
  replayable_ = body_.done();
  const auto endpoint = engine_.endpoint_of(decision_, *tables_, origin_, peer_ != nullptr);
  if (!endpoint) {
    decision_.verdict = HD_VERDICT_UNHEALTHY;  // the endpoint has seen nothing of the request: it has not failed
    return unhealthy();
  }
  target_ = *endpoint;
  if (!find_upstream()) wait_for_room();
  if (!fast_ || upstream_ == nullptr || target_.way != 0) return;
  wants_link_ = !engine_.fast_path->links.want(target_, fast_.flow.links());
}

/// False: the endpoint is full.
bool Connection::find_upstream() {
  upstream_ = engine_.pool.take_idle(target_, *this);
  if (upstream_ == nullptr) return connect_anew();
  begin_flows();
  return true;
}

bool Connection::connect_anew() {
  if (!engine_.reserve(target_)) return false;
  upstream_ = engine_.pool.connect(target_, *this);
  if (upstream_ == nullptr) {
    connect_failed();
  } else {
    set_phase(Phase::connecting);
  }
  return true;
}

void Connection::connect_failed() {
  event_flags_ |= HD_EVENT_CONNECT_FAILED;
  unhealthy();
}

void Connection::wait_for_room() {
  // The decision has bounded who waits already, by the requests that are on their way. What they wait for may
  // also be connections that rest elsewhere.
  const std::uint32_t most =
      tables_->pending_max(decision_.service) + engine_.pool.occupancy().most(decision_.endpoint_state);
  if (!engine_.room.enter(*this, decision_.endpoint_state, most)) return full();
  set_phase(Phase::pending);
}

bool Connection::on_room() {
  if (phase_ != Phase::pending) return true;
  if (!find_upstream()) return false;
  advance();
  return true;
}

bool Connection::connect() {
  io::Stream& stream = upstream_->stream();
  if (!stream.writable() && !stream.broken()) return false;
  if (stream.take_error() != 0) {
    drop_upstream();
    connect_failed();
  } else {
    begin_flows();
  }
  return true;
}

void Connection::begin_flows() {
  upstream_->in.acquire(headroom);
  head_end_.reset();
  set_phase(Phase::exchanging);
}

void Connection::drop_upstream() {
  if (upstream_ == nullptr) return;
  if (link_ != nullptr) {
    engine_.fast_path->links.kill(*link_);
    end_relay();
  } else {
    engine_.pool.discard(*upstream_);
  }
  upstream_ = nullptr;
}

bool Connection::exchange() {
  const bool uploaded = upload();
  if (phase_ != Phase::exchanging) return true;
  return download() || uploaded;
}

// ---- request up
// --------------------------------------------------------------------------------------------------

bool Connection::upload() {
  if (upload_broken_) return false;
  if (upload_left_ != 0) return send_upload();
  return !body_.done() && receive_upload();
}

bool Connection::send_upload() {
  io::Stream& stream = upstream_->stream();
  if (!stream.writable()) return false;
  const io::Transfer transfer = stream.send(in_.view().substr(0, upload_left_));
  if (transfer.outcome == io::Transfer::failed) {
    // The server may have answered before it closed.
    upload_broken_ = true;
    stream.assume_readable();
    return true;
  }
  const auto sent = static_cast<std::uint32_t>(transfer.bytes);
  in_.consume(sent);
  upload_left_ -= sent;
  upload_sent_ += sent;
  upstream_->sent += sent;
  return transfer.outcome == io::Transfer::done;
}

bool Connection::receive_upload() {
  if (!client_->readable()) return false;
  in_.reset();
  replayable_ = false;
  const io::Transfer transfer = client_->receive(in_.space());
  if (transfer.outcome == io::Transfer::again) return false;
  if (transfer.outcome != io::Transfer::done) {
    abort(HD_EVENT_CLIENT_ABORTED);
    return true;
  }
  in_.added(transfer.bytes);
  const http::Body::Taken taken = body_.take({in_.data(), in_.size()});
  bytes_in_ += taken.consumed;
  upload_left_ = static_cast<std::uint32_t>(taken.consumed);
  if (taken.malformed) bad_body();
  return true;
}

/// The server has seen the head, but it never sees a proper end of this body.
void Connection::bad_body() {
  drop_upstream();
  refuse();
}

// ---- response down
// -----------------------------------------------------------------------------------------------

bool Connection::download() {
  if (download_left_ != 0) return deliver();
  if (response_done_) return complete_exchange();
  if (!upstream_->in.empty()) {
    const bool progress = response_begun_ ? take_response_body() : parse_response();
    if (progress) return true;
  }
  return receive_response();
}

bool Connection::deliver() {
  if (!client_->writable()) return false;
  io::Buffer& in = upstream_->in;
  const bool ends = response_done_ && (close_after_ || !upload_complete());  // the FIN goes with it
  const bool ahead = response_done_ && !ends && arm_ahead(download_left_);
  const io::Transfer transfer = client_->send(in.view().substr(0, download_left_), ends);
  if (transfer.outcome == io::Transfer::failed) {
    abort(HD_EVENT_CLIENT_ABORTED);
    return true;
  }
  in.consume(transfer.bytes);
  download_left_ -= static_cast<std::uint32_t>(transfer.bytes);
  bytes_out_ += transfer.bytes;
  // An interim response does not keep us from answering in the server's place.
  passed_on_ = passed_on_ || (response_begun_ && transfer.bytes != 0);
  if (response_done_ && download_left_ == 0) return complete_exchange();
  if (ahead) disarm();
  return transfer.outcome == io::Transfer::done;
}

bool Connection::receive_response() {
  io::Stream& stream = upstream_->stream();
  io::Buffer& in = upstream_->in;
  if (!stream.readable()) return false;
  if (in.empty()) in.reset(headroom);
  if (in.space().empty()) {
    if (in.begin() != headroom) {
      in.compact(headroom);
    } else if (!in.grow(headroom)) {
      bad_gateway("the endpoint's response has too long a head\n");
      return true;
    }
  }
  const io::Transfer transfer = stream.receive(in.space());
  if (transfer.outcome == io::Transfer::again) return false;
  if (transfer.outcome != io::Transfer::done)
    return end_of_response(transfer.outcome == io::Transfer::failed);
  in.added(transfer.bytes);
  response_bytes_ = true;
  return true;
}

/// The server sends no more.
bool Connection::end_of_response(bool reset) {
  if (response_begun_ && response_body_.ends_at_close() && !reset) {
    response_done_ = true;
    return true;
  }
  if (response_begun_) {
    abort(HD_EVENT_SERVER_ABORTED);
    return true;
  }
  if (!response_bytes_ && replay()) return true;
  bad_gateway("the endpoint closed the connection without a response\n");
  return true;
}

/// A connection that was idle can end at the moment when a request is written to it. If it is certain that
/// the server's socket took none of its bytes, the request goes over a fresh connection; in every other case
/// somebody would have to allow a retry.
bool Connection::replay() {
  if (!replayable_ || !upstream_->reused() || !upstream_->nothing_received()) return false;
  drop_upstream();
  in_.restore(upload_sent_);
  upload_left_ += upload_sent_;
  upload_sent_ = 0;
  upload_broken_ = false;
  if (!connect_anew()) wait_for_room();
  return true;
}

bool Connection::parse_response() {
  io::Buffer& in = upstream_->in;
  const std::string_view bytes = in.view();
  const std::optional<std::size_t> end = head_end_.find(bytes);
  if (!end && bytes.size() < HD_HEAD_MAX) return false;
  std::optional<http::Response> response;
  if (end && *end <= HD_HEAD_MAX)
    response = http::parse_response(bytes.substr(0, *end), request_.head_method);
  // We passed no Upgrade on, so nobody may switch protocols.
  if (!response || response->status == 101) {
    bad_gateway("the endpoint sent a malformed response\n");
    return true;
  }
  head_end_.reset();
  return begin_response(*response);
}

bool Connection::begin_response(const http::Response& response) {
  io::Buffer& in = upstream_->in;
  if (response.interim && request_.http10) {
    in.consume(response.length);  // not for a client of 1.0
    return true;
  }
  const bool strip = request_.http10 && response.framing == http::Framing::chunked;
  std::string_view add;
  if (!response.interim) {
    close_after_ = close_after_ || engine_.draining() || !request_.keep_alive || strip ||
                   response.framing == http::Framing::until_close;
    if (close_after_) add = "connection: close\r\n";
    if (!close_after_ && request_.http10) add = "connection: keep-alive\r\n";
  }
  http::FieldSet drops = target_.way != 0 ? http::hop_by_hop_fields : server_drops;
  if (response.forbids_length) drops = drops.with(framing_fields);
  if (strip) drops = drops.with({http::FieldKind::transfer_encoding});
  std::uint32_t length = response.length;
  in.data()[7] = '1';
  if (response.rewrite || response.forbids_length || strip || !add.empty()) {
    char* const begin = http::rewrite_head(in.data(), length, drops, add);
    const auto shift = begin - in.data();
    if (shift >= 0) {
      in.consume(static_cast<std::size_t>(shift));
    } else {
      in.restore(static_cast<std::size_t>(-shift));
    }
    length = static_cast<std::uint32_t>(response.length - shift);
  }
  download_left_ = length;
  if (response.interim) return true;

  response_begun_ = true;
  status_ = response.status;
  upstream_reusable_ =
      response.keep_alive && response.framing != http::Framing::until_close && !request_.http10;
  response_body_.start(response.framing, response.content_length, strip);
  take_behind_head();
  return true;
}

/// What of the body came with the head goes out with it.
void Connection::take_behind_head() {
  io::Buffer& in = upstream_->in;
  const std::uint32_t head = download_left_;
  const std::uint32_t rest = in.size() - head;
  const http::Body::Taken taken = response_body_.take({in.data() + head, rest});
  note_taken(taken, rest);
}

bool Connection::take_response_body() {
  io::Buffer& in = upstream_->in;
  const std::uint32_t size = in.size();
  note_taken(response_body_.take({in.data(), size}), size);
  return true;
}

void Connection::note_taken(const http::Body::Taken& taken, std::uint32_t of) {
  if (taken.malformed) return abort(HD_EVENT_SERVER_ABORTED);
  io::Buffer& in = upstream_->in;
  // Behind the end of a response there is nothing that anybody asked for.
  if (taken.consumed < of) upstream_reusable_ = false;
  in.drop_back(of - taken.produced);
  download_left_ += static_cast<std::uint32_t>(taken.produced);
  response_done_ = response_body_.done();
}

bool Connection::complete_exchange() {
  const bool uploaded = upload_complete();
  const io::Stream& stream = upstream_->stream();
  if (uploaded && upstream_reusable_ && !stream.peer_closed() && !stream.broken()) {
    if (link_ != nullptr) {
      link_->take_back();
      end_relay();
    } else {
      engine_.pool.keep(*upstream_);
    }
    upstream_ = nullptr;
  }
  drop_upstream();
  if (wants_link_) (void)engine_.fast_path->links.want(target_, fast_.flow.links());
  record();
  // A server that answers early does not want the rest of the request, and nobody else does.
  if (uploaded && !close_after_) {
    next_request();
  } else {
    begin_linger();
  }
  return true;
}

// ---- when it goes wrong
// ------------------------------------------------------------------------------------------

void Connection::bad_gateway(std::string_view why) {
  event_flags_ |= HD_EVENT_SERVER_ABORTED;
  answer({502, tables_->rule_name(decision_.rule), why, {}, false});
}

/// The rule's time is over.
void Connection::on_late() {
  event_flags_ |= HD_EVENT_TIMEOUT;
  const bool waits = phase_ == Phase::pending || phase_ == Phase::connecting || phase_ == Phase::exchanging;
  if (!waits || passed_on_ || download_left_ != 0) return abort(0);
  drop_upstream();
  gateway_timeout();
  advance();
}

void Connection::abort(std::uint8_t event_flags) {
  event_flags_ |= event_flags;
  record();
  drop_upstream();
  leave_flow();
  client_->close_with_reset();
  close();
}

}  // namespace heddle::handler
