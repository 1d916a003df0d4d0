#include "runtime/handler/tunnel/session.h"

#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace heddle::tunnel {
namespace {

constexpr auto readable = static_cast<std::uint32_t>(EPOLLIN);
constexpr auto writable = static_cast<std::uint32_t>(EPOLLOUT);
constexpr auto ended = static_cast<std::uint32_t>(EPOLLIN | EPOLLRDHUP);
constexpr auto broken = static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);

constexpr std::size_t frame_bytes = 16384;

nghttp2_nv field(std::string_view name, std::string_view value) {
  // Neither is changed; nghttp2 copies both.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string_view view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// What a status of CONNECT means to whoever wanted to connect.
int error_of(std::uint16_t status) {
  if (status == 401 || status == 403) return EACCES;
  return status == 503 || status == 404 ? ECONNREFUSED : EPROTO;
}

struct Deleter {
  void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};

std::unique_ptr<nghttp2_option, Deleter> make_options() {
  nghttp2_option* option = nullptr;
  if (nghttp2_option_new(&option) != 0) return nullptr;
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_continuations(option, Bounds::continuations);
  nghttp2_option_set_max_settings(option, Bounds::settings);
  nghttp2_option_set_max_outbound_ack(option, Bounds::acknowledgements);
  nghttp2_option_set_stream_reset_rate_limit(option, Bounds::resets, Bounds::resets_per_second);
  nghttp2_option_set_peer_max_concurrent_streams(option, 100);  // until the peer has said it
  return std::unique_ptr<nghttp2_option, Deleter>(option);
}

}  // namespace

struct Session::Callbacks {
  static Session& of(void* user) { return *static_cast<Session*>(user); }
  static Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static ssize_t send(nghttp2_session* /*session*/, const std::uint8_t* data, std::size_t length, int /*flags*/, void* user) {
    of(user).output_.append(view(data, length));
    return static_cast<ssize_t>(length);
  }

  /// How much of what a stream has in hand goes into the next frame.
  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* /*buffer*/, std::size_t length, std::uint32_t* flags,
                      nghttp2_data_source* /*source*/, void* user) {
    const Stream* stream = stream_of(session, id);
    if (stream == nullptr) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return 0;
    }
    if (stream->sending_.empty()) {
      if (!stream->ends_) return NGHTTP2_ERR_DEFERRED;
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return 0;
    }
    if (of(user).output_.size() - of(user).output_begin_ >= Bounds::output) return NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(std::min(length, stream->sending_.size()));
  }

  static int send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* head, std::size_t length,
                       nghttp2_data_source* /*source*/, void* user) {
    Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream == nullptr || stream->sending_.size() < length) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::string& output = of(user).output_;
    output.append(view(head, 9));
    output.append(stream->sending_.data(), length);
    stream->sending_ = stream->sending_.subspan(length);
    return 0;
  }

  static int data(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id, const std::uint8_t* data, std::size_t length,
                  void* user) {
    Session& self = of(user);
    Stream* stream = stream_of(session, id);
    if (stream == nullptr) {  // nobody listens any more, and now the peer has to know
      nghttp2_session_consume(session, id, length);
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
      return 0;
    }
    stream->inbox_.add(view(data, length));
    self.unread_ += length;
    if (self.unread_ > Bounds::unread) {
      self.owed_ += length;
    } else {
      nghttp2_session_consume_connection(session, length);
    }
    self.pending_.add(*stream, readable);
    return 0;
  }

  static int begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    Session& self = of(user);
    if (self.server_ && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.asking_ = {};
    return 0;
  }

  static int header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name_bytes, std::size_t name_length,
                    const std::uint8_t* value_bytes, std::size_t value_length, std::uint8_t /*flags*/, void* user) {
    Session& self = of(user);
    const std::string_view name = view(name_bytes, name_length);
    const std::string_view value = view(value_bytes, value_length);
    if (!self.server_) {
      Stream* stream = stream_of(session, frame->hd.stream_id);
      if (stream != nullptr && name == ":status") stream->status_ = static_cast<std::uint16_t>(std::atoi(std::string(value).c_str()));
      return 0;
    }
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    self.asking_.bytes += static_cast<std::uint32_t>(name_length + value_length + 32);
    if (self.asking_.bytes > Bounds::head_bytes) return 0;  // nothing more of it is kept; it is refused when it is complete
    Head& head = self.asking_.head;
    const std::array<std::pair<std::string_view, std::string*>, 5> known{{{":method", &head.method},
                                                                         {":authority", &head.authority},
                                                                         {"forwarded", &head.forwarded},
                                                                         {"baggage", &head.baggage},
                                                                         {"traceparent", &head.traceparent}}};
    for (const auto& [known_name, text] : known) {
      if (name != known_name) continue;
      if (!text->empty()) text->append(", ");
      text->append(value);
    }
    return 0;
  }

  static int frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Session& self = of(user);
    const std::int32_t id = frame->hd.stream_id;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (self.server_ && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
          self.ask(id);
        } else if (Stream* stream = stream_of(session, id); stream != nullptr && !self.server_) {
          self.answered(*stream);
        }
        [[fallthrough]];
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        if (Stream* stream = stream_of(session, id)) {
          stream->peer_ended_ = true;
          self.pending_.add(*stream, ended);
        }
        return 0;
      case NGHTTP2_WINDOW_UPDATE:
        self.wake(Stream::Wait::window, id);
        return 0;
      case NGHTTP2_SETTINGS:
        self.wake(Stream::Wait::window, 0);
        return 0;
      case NGHTTP2_GOAWAY:
        self.draining_ = true;
        return 0;
      default:
        return 0;
    }
  }

  static int closed(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* user) {
    Session& self = of(user);
    Stream* stream = stream_of(session, id);
    if (stream == nullptr) return 0;
    nghttp2_session_set_stream_user_data(session, id, nullptr);
    // An end without an error, after everything was said: nobody listens any more, but what came before it is to be read.
    if (code != NGHTTP2_NO_ERROR || (!stream->peer_ended_ && stream->error_ == 0)) {
      stream->error_ = stream->error_ != 0 ? stream->error_ : code == NGHTTP2_REFUSED_STREAM ? ECONNREFUSED : ECONNRESET;
    }
    self.pending_.add(*stream, stream->ends_ && stream->error_ == 0 ? ended : broken);
    self.forget(*stream);
    return 0;
  }
};

// ---- beginning and end
// -----------------------------------------------------------------------------------------

Result<std::unique_ptr<Session>> Session::make(bool server, Carrier& carrier, Pending& pending, io::BufferPool& pool) {
  const Error no_memory{ErrorKind::io, "no memory for a tunnel", ""};
  nghttp2_session_callbacks* made = nullptr;
  if (nghttp2_session_callbacks_new(&made) != 0) return no_memory;
  const std::unique_ptr<nghttp2_session_callbacks, Deleter> callbacks(made);
  nghttp2_session_callbacks_set_send_callback(made, Callbacks::send);
  nghttp2_session_callbacks_set_send_data_callback(made, Callbacks::send_data);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, Callbacks::data);
  nghttp2_session_callbacks_set_on_begin_headers_callback(made, Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(made, Callbacks::header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(made, Callbacks::frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(made, Callbacks::closed);
  const std::unique_ptr<nghttp2_option, Deleter> options = make_options();
  if (options == nullptr) return no_memory;

  std::unique_ptr<Session> session(new Session(server, carrier, pending, pool));
  const auto begin = server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  if (begin(&session->session_, made, session.get(), options.get()) != 0) return no_memory;
  std::vector<nghttp2_settings_entry> settings{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server ? Bounds::streams : 0},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, Bounds::stream_window},
                                               {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, Bounds::head_bytes}};
  if (!server) settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  nghttp2_submit_settings(session->session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session->session_, NGHTTP2_FLAG_NONE, 0, Bounds::connection_window);
  session->flush();
  return session;
}

Session::~Session() {
  fail("");
  nghttp2_session_del(session_);
}

/// All streams have lost their connection.
void Session::fail(std::string why) {
  if (!broken_) problem_ = std::move(why);
  broken_ = draining_ = true;
  carrier_.on_output();
  while (!streams_.empty()) {
    Stream& stream = *streams_.back();
    if (stream.error_ == 0) stream.error_ = ECONNRESET;
    pending_.add(stream, broken);
    forget(stream);
  }
}

void Session::drain() {
  if (draining_) return;
  draining_ = true;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR, nullptr, 0);
  flush();
}

bool Session::over() const {
  if (broken_) return true;
  return (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) || (draining_ && streams_.empty());
}

// ---- bytes of the connection
// -----------------------------------------------------------------------------------

bool Session::receive(std::span<const char> bytes) {
  if (broken_) return false;
  const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken != static_cast<ssize_t>(bytes.size())) {
    flush();
    fail(taken < 0 ? nghttp2_strerror(static_cast<int>(taken)) : "the peer went on after the end");
    return false;
  }
  flush();
  // The peer broke the protocol: nghttp2 has written GOAWAY, and wants nothing more.
  if (nghttp2_session_want_read(session_) == 0 && !streams_.empty() && nghttp2_session_want_write(session_) == 0)
    fail("the peer broke HTTP/2");
  return !broken_;
}

void Session::flush() {
  if (broken_) return;
  const std::size_t before = output_.size();
  const int status = nghttp2_session_send(session_);
  if (status != 0) fail(nghttp2_strerror(status));
  if (output_.size() != before) carrier_.on_output();
}

std::span<const char> Session::output() {
  return std::span<const char>(output_).subspan(output_begin_);
}

void Session::sent(std::size_t bytes) {
  output_begin_ += bytes;
  if (output_begin_ == output_.size()) {
    output_.clear();
    output_begin_ = 0;
  } else if (output_begin_ > Bounds::output) {
    output_.erase(0, output_begin_);
    output_begin_ = 0;
  }
}

// ---- streams
// ---------------------------------------------------------------------------------------------------

void Session::keep(Stream& stream) {
  stream.place_ = streams_.size();
  streams_.push_back(&stream);
}

void Session::forget(Stream& stream) {
  if (stream.session_ != this) return;
  stream.session_ = nullptr;
  if (nghttp2_session_get_stream_user_data(session_, stream.id_) == &stream) nghttp2_session_set_stream_user_data(session_, stream.id_, nullptr);
  streams_.back()->place_ = stream.place_;
  streams_[stream.place_] = streams_.back();
  streams_.pop_back();
  if (stream.waits_ != Stream::Wait::nothing) std::erase(blocked_, &stream);
  stream.waits_ = Stream::Wait::nothing;
  // Nobody reads the rest of it, or somebody does without us.
  unread_ -= stream.inbox_.size();
}

/// Its user has closed it.
void Session::let_go(Stream& stream) {
  // As of a socket that is closed: an end is said as one, and only who sends more is told that nobody listens. Unread bytes are a reset.
  const bool ends = !stream.resets_ && stream.answered_ && stream.inbox_.empty();
  if (ends) stream.shut_down_writing();
  if (stream.session_ == nullptr) return;
  if (!ends) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  consumed(stream, stream.inbox_.size());
  stream.inbox_.clear();
  forget(stream);
  flush();
}

/// Of what was received somebody took so much: the peer may send as much again.
void Session::consumed(Stream& stream, std::size_t bytes) {
  unread_ -= bytes;
  nghttp2_session_consume_stream(session_, stream.id_, bytes);
  if (owed_ != 0 && unread_ < Bounds::unread / 2) {
    nghttp2_session_consume_connection(session_, std::exchange(owed_, 0));
  }
  flush();
}

/// It could not send all of it: for want of a window, or because the output is full.
void Session::wait(Stream& stream) {
  if (stream.waits_ == Stream::Wait::nothing) blocked_.push_back(&stream);
  const bool window = nghttp2_session_get_stream_remote_window_size(session_, stream.id_) > 0 && nghttp2_session_get_remote_window_size(session_) > 0;
  stream.waits_ = window ? Stream::Wait::output : Stream::Wait::window;
}

void Session::wake(Stream::Wait for_what, std::int32_t id, std::size_t most) {
  std::erase_if(blocked_, [&](Stream* stream) {
    if (most == 0 || stream->waits_ != for_what || (id != 0 && stream->id_ != id)) return false;
    --most;
    stream->waits_ = Stream::Wait::nothing;
    pending_.add(*stream, writable);
    return true;
  });
}

bool Session::wake_for_output() {
  if (output_.size() - output_begin_ < Bounds::output / 2) wake(Stream::Wait::output, 0, Bounds::output / frame_bytes);
  return std::any_of(blocked_.begin(), blocked_.end(), [](const Stream* stream) { return stream->waits_ == Stream::Wait::output; });
}

// ---- the client's side
// -----------------------------------------------------------------------------------------

bool Session::takes_more() const {
  if (draining_ || nghttp2_session_check_request_allowed(session_) == 0) return false;
  return streams_.size() < nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

std::unique_ptr<Stream> Session::connect(const Head& head) {
  if (!takes_more()) return nullptr;
  std::vector<nghttp2_nv> fields{field(":method", "CONNECT"), field(":authority", head.authority)};
  if (!head.forwarded.empty()) fields.push_back(field("forwarded", head.forwarded));
  if (!head.baggage.empty()) fields.push_back(field("baggage", head.baggage));
  if (!head.traceparent.empty()) fields.push_back(field("traceparent", head.traceparent));
  const nghttp2_data_provider provider{{}, Callbacks::read};
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &provider, nullptr);
  if (id < 0) return nullptr;
  auto stream = std::make_unique<Stream>(*this, pending_, id, pool_);
  nghttp2_session_set_stream_user_data(session_, id, stream.get());
  keep(*stream);
  flush();
  return stream;
}

void Session::answered(Stream& stream) {
  if (stream.answered_ || stream.status_ < 200) return;
  if (stream.status_ < 300) {
    stream.answered_ = true;
    pending_.add(stream, writable);
    return;
  }
  stream.error_ = error_of(stream.status_);
  pending_.add(stream, broken);
}

// ---- the server's side
// -----------------------------------------------------------------------------------------

/// The head of a CONNECT is complete.
void Session::ask(std::int32_t id) {
  Asked asked = std::move(asking_);
  asking_ = {};
  asked.stream = std::make_unique<Stream>(*this, pending_, id, pool_);
  nghttp2_session_set_stream_user_data(session_, id, asked.stream.get());
  keep(*asked.stream);
  asked_.push_back(std::move(asked));
}

void Session::ask_carrier() {
  std::vector<Asked> asked = std::move(asked_);
  asked_.clear();
  for (Asked& each : asked) {
    if (each.stream->session_ == nullptr) continue;  // given up already
    if (each.bytes > Bounds::head_bytes) {
      refuse(*each.stream, 431);
    } else {
      carrier_.on_connect(std::move(each.stream), each.head);
    }
  }
}

void Session::accept(Stream& stream) {
  if (stream.session_ != this || stream.answered_) return;
  const nghttp2_nv ok = field(":status", "200");
  const nghttp2_data_provider provider{{}, Callbacks::read};
  if (nghttp2_submit_response(session_, stream.id_, &ok, 1, &provider) != 0) return;
  stream.answered_ = true;
  pending_.add(stream, writable);
  flush();
}

void Session::refuse(Stream& stream, std::uint16_t status) {
  if (stream.session_ != this || stream.answered_) return;
  const std::string text = std::to_string(status);
  const nghttp2_nv refused = field(":status", text);
  nghttp2_submit_response(session_, stream.id_, &refused, 1, nullptr);
  flush();
  // The answer is whole; what the peer still sends is not wanted.
  if (stream.session_ == this) nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_NO_ERROR);
  forget(stream);
  flush();
}

}  // namespace heddle::tunnel
