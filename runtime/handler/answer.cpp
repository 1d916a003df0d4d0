// Answers of the mesh: what a connection does when nothing is forwarded.
#include <array>

#include "runtime/handler/connection.h"

namespace heddle::handler {

namespace {

// Of a body that nobody wants; a longer one costs more than a new connection.
constexpr std::uint64_t skipped_max = 65536;

}  // namespace

void Connection::respond() {
  static constexpr hd_answer nothing{};
  const hd_answer* found = tables_->answer(decision_.rule, decision_.port);
  const hd_answer& written = found != nullptr ? *found : nothing;
  Reply reply{decision_.status, tables_->rule_name(decision_.rule), tables_->text(written.body), {}, false};
  reply.type = tables_->text(written.type);
  if ((written.flags & HD_ANSWER_REDIRECT) == 0) return answer(reply);
  const http::Dialled dialled{origin_.destination, origin_.destination_port};
  const auto location = http::make_location(tables_->relocation(written), head(), dialled);
  if (!location) return refuse();
  reply.location = *location;
  answer(reply);
}

void Connection::deny() {
  const std::string_view rule = tables_->rule_name(decision_.rule);
  ShortText text;
  describe_denial(text, rule);
  answer({403, rule, text.view(), {}, false});
}

void Connection::refuse() {
  // A form that the decision function passed is our own veto.
  const bool ours = decision_.verdict != HD_VERDICT_REFUSE;
  const auto status = static_cast<std::uint16_t>(ours ? 400 : decision_.status);
  const std::string_view rule = tables_->rule_name(ours ? std::uint32_t{HD_RULE_MALFORMED} : decision_.rule);
  ShortText text;
  describe_refusal(text, status, rule);
  answer(
      {status, rule, text.view(), status == 405 ? "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH" : "", true});
}

/// No endpoint: none is healthy, or the chosen one does not take the connection.
void Connection::unhealthy() {
  const std::uint32_t rule = tables_->unhealthy_rule(decision_.service);
  if (rule != HD_NONE) decision_.rule = rule;
  const std::string_view name = tables_->rule_name(decision_.rule);
  answer({503, name, "no endpoint of the service takes the request\n", {}, false});
}

/// The endpoint has as many connections as it may, and as many requests wait for one.
void Connection::full() {
  const std::uint32_t rule = tables_->full_rule(decision_.service);
  if (rule != HD_NONE) decision_.rule = rule;
  decision_.verdict = HD_VERDICT_FULL;  // the endpoint has seen nothing of the request: it has not failed
  const std::string_view name = tables_->rule_name(decision_.rule);
  answer({503, name, "the endpoint has no connection left for the request\n", {}, false});
}

void Connection::limited() {
  const std::string_view rule = tables_->rule_name(decision_.rule);
  ShortText text;
  text << "there have been too many such requests for `" << rule << "`; retry later\n";
  answer({429, rule, text.view(), {}, false, decision_.port});
}

void Connection::gateway_timeout() {
  event_flags_ |= HD_EVENT_TIMEOUT;
  const std::uint32_t rule = tables_->timeout_rule(decision_.service);
  if (rule != HD_NONE) decision_.rule = rule;
  const std::string_view name = tables_->rule_name(decision_.rule);
  answer({504, name, "the endpoint did not answer in time\n", {}, false});
}

void Connection::answer(const Reply& reply) {
  drop_upstream();
  if (passed_on_ || download_left_ != 0) return abort(0);
  const bool keep =
      skip_request() && request_.keep_alive && !reply.close && !close_after_ && !engine_.draining();
  close_after_ = !keep;
  status_ = reply.status;
  set_phase(Phase::answering);
  if (!reply.location.empty()) return write_redirect(reply);
  out_.acquire();
  out_.reset();
  out_.added(write_reply_head(out_.space(), reply, close_after_, request_.http10));
  const bool bodiless = request_.head_method || reply.status == 204 || reply.status == 304;
  const std::string_view body = bodiless ? std::string_view() : reply.body;
  const std::size_t first = body.copy(out_.space().data(), out_.space().size());
  out_.added(first);
  // Only texts of the generation are longer than a block, and tables_ keeps those.
  out_rest_ = body.substr(first);
}

/// How long a location is the request says: perhaps longer than a block.
void Connection::write_redirect(const Reply& reply) {
  redirect_ = std::make_unique<std::string>(reply_head_max + reply.location.size(), '\0');
  redirect_->resize(write_reply_head(*redirect_, reply, close_after_, request_.http10));
  out_rest_ = *redirect_;
}

/// Leaves behind what has come of the request; false if so much more of it is under way that the connection
/// had better end.
bool Connection::skip_request() {
  if (adopted_) return true;  // it never came this way
  if (request_.form != HD_FORM_OK || request_.length == 0) return false;
  in_.consume(upload_left_);
  upload_left_ = 0;
  if (body_.done()) return true;
  return request_.framing == http::Framing::length && body_.left() <= skipped_max && !request_.expects;
}

/// The client has its answer; what is left of its request comes to nobody.
bool Connection::skip_body() {
  if (!client_->readable()) return false;
  in_.acquire();
  in_.reset();
  const io::Transfer transfer = client_->receive(in_.space());
  if (transfer.outcome == io::Transfer::again) return false;
  if (transfer.outcome != io::Transfer::done) {
    close();
    return false;
  }
  in_.added(transfer.bytes);
  in_.consume(body_.take({in_.data(), in_.size()}).consumed);
  if (!body_.done()) return true;
  if (close_after_) {
    begin_linger();
  } else {
    next_request();
  }
  return true;
}

bool Connection::send_answer() {
  if (!client_->writable()) return false;
  const bool from_block = !out_.empty();
  const std::string_view bytes = from_block ? out_.view() : out_rest_;
  const bool last = !from_block || out_rest_.empty();
  const bool ahead = last && body_.done() && arm_ahead(bytes.size());
  const io::Transfer transfer = client_->send(bytes, !last || close_after_);  // a FIN goes with the last of it
  if (transfer.outcome == io::Transfer::failed) {
    abort(HD_EVENT_CLIENT_ABORTED);
    return true;
  }
  if (from_block) {
    out_.consume(transfer.bytes);
  } else {
    out_rest_.remove_prefix(transfer.bytes);
  }
  bytes_out_ += transfer.bytes;
  passed_on_ = passed_on_ || transfer.bytes != 0;
  if (out_.empty() && out_rest_.empty()) {
    end_answer();
    return true;
  }
  if (ahead) disarm();
  return transfer.outcome == io::Transfer::done;
}

void Connection::end_answer() {
  record();
  if (close_after_) return begin_linger();
  if (!body_.done()) return set_phase(Phase::skipping);
  next_request();
}

/// Says that nothing more comes, and waits for the client to end: closing now, with bytes of it unread, would
/// reset the connection and could take the answer from it. Who asked for the end himself sends no more.
void Connection::begin_linger() {
  in_.release();
  out_.release();
  tables_.reset();
  const bool asked_for = request_.form == HD_FORM_OK && !request_.keep_alive && body_.done();
  if ((asked_for || client_->peer_closed()) && !client_->readable()) return close();
  client_->shut_down_writing();
  set_phase(Phase::lingering);
}

bool Connection::linger() {
  if (!client_->readable()) return false;
  std::array<char, 4096> thrown_away;
  const io::Transfer transfer = client_->receive(thrown_away);
  if (transfer.outcome == io::Transfer::done) return true;
  if (transfer.outcome != io::Transfer::again) close();
  return false;
}

}  // namespace heddle::handler
