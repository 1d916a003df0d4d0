#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/handler/client.h"
#include "runtime/handler/engine.h"
#include "runtime/handler/http/body.h"
#include "runtime/handler/http/field.h"
#include "runtime/handler/http/request.h"
#include "runtime/handler/http/response.h"
#include "runtime/handler/io/buffer.h"
#include "runtime/handler/io/stream.h"
#include "runtime/handler/reply.h"

namespace heddle::handler {

/// One client's connection and the request it is busy with. Requests of one connection are worked off one
/// after the other, so responses are in order.
///
/// While a request is forwarded there are two flows, each with one block of memory: upload from `in_` to the
/// endpoint, download from the endpoint's `in` to the client. A flow reads only when its block is empty, so
/// that whoever is slow holds up the other side and nothing piles up here.
///
/// Requests of a client that has a flow may also go past the handler. Then it is the flow that says whose
/// turn it is: nothing is written to the client before the flow is taken, and it is armed when nothing is
/// left to do.
class Connection final : public Client,
                         public io::EventSink,
                         public io::Deadline,
                         public upstream::Owner,
                         public Undecided,
                         public FlowOwner,
                         public RoomWaiter {
 public:
  /// `peer`: who comes from another node; null: `origin` says who it is.
  Connection(Engine& engine, std::unique_ptr<io::Stream> client, const hd_connection& origin, std::unique_ptr<RemotePeer> peer = nullptr);

  void start() override;
  void resume() override;
  void drain() override;
  void close() override;

  void on_events(std::uint32_t events) override;
  void on_deadline() override;
  void on_upstream_events() override;
  bool on_room() override;

  void on_flow() override;
  void on_response(Link& link) override;
  void on_server_end() override;
  void on_flow_late() override;
  void on_flow_broken() override;

  [[nodiscard]] const hd_connection& origin() const override { return origin_; }
  [[nodiscard]] hd_form form() const override { return request_.form; }
  [[nodiscard]] std::string_view head() const override { return in_.view().substr(0, request_.length); }
  [[nodiscard]] hd_u16 flags() const override { return static_cast<hd_u16>((normalised_ ? HD_REQUEST_NORMALISED : 0) | (peer_ != nullptr ? HD_REQUEST_TUNNEL : 0)); }
  [[nodiscard]] RemotePeer* peer() override { return peer_.get(); }
  void decided(const hd_decision& decision) override;
  void undecided() override;

 private:
  enum class Phase : std::uint8_t {
    reading,     // a head, or nothing yet
    queueing,    // behind a response on the fast path
    deciding,    // the round decides
    pending,     // for a connection to an endpoint that has as many as it may
    connecting,  // to the endpoint
    exchanging,  // request up, response down
    answering,   // with an answer of the mesh
    skipping,    // the rest of a request that was answered already is thrown away
    lingering,   // what the client still sends is thrown away, so that it can read the answer
    closed,
  };

  /// One step of a phase: true if it got somewhere.
  using Step = bool (Connection::*)();
  [[nodiscard]] static Step step_of(Phase phase);
  void advance();
  bool wait() { return false; }

  /// When the rule's timeout has passed.
  class RouteDeadline final : public io::Deadline {
   public:
    explicit RouteDeadline(Connection& connection) : connection_(connection) {}
    void on_deadline() override { connection_.on_late(); }

   private:
    Connection& connection_;
  };
  void set_phase(Phase phase);
  void update_deadline();

  // reading (connection.cpp)
  bool read_head();
  bool find_head();
  void receive_head();
  void end_of_input();
  void submit(const http::Request& request);
  void next_request();

  // what was decided (connection.cpp)
  using Outcome = void (Connection::*)();
  [[nodiscard]] static Outcome outcome_of(std::uint16_t verdict);
  bool normalise();
  void take_request_body();
  void forward();
  void respond();
  void deny();
  void refuse();
  void unhealthy();
  void full();
  void limited();
  void drop();

  // the client's flow (connection_flow.cpp)
  bool take_flow();
  bool wait_for_flow();
  void arm_flow();
  bool arm_ahead(std::size_t bytes);
  void disarm();
  void leave_flow();
  [[nodiscard]] bool idle_for_long();
  void adopt_request(hd_flow_state was);
  void kill_link();
  void end_relay();
  void seize_relayed();
  void cut_off();

  // the exchange (exchange.cpp)
  void begin_exchange();
  bool find_upstream();
  bool connect_anew();
  void wait_for_room();
  void connect_failed();
  void on_late();
  void begin_flows();
  bool connect();
  bool exchange();
  bool upload();
  bool send_upload();
  bool receive_upload();
  bool download();
  bool deliver();
  bool receive_response();
  bool end_of_response(bool reset);
  bool parse_response();
  bool begin_response(const http::Response& response);
  bool take_response_body();
  void take_behind_head();
  void note_taken(const http::Body::Taken& taken, std::uint32_t of);
  bool replay();
  bool complete_exchange();
  void bad_gateway(std::string_view why);
  void gateway_timeout();
  void bad_body();
  /// Ends without a proper end of the response: whoever still reads must see that it is incomplete.
  void abort(std::uint8_t event_flags);
  void drop_upstream();
  [[nodiscard]] bool upload_complete() const { return body_.done() && upload_left_ == 0; }

  // answers of the mesh (answer.cpp)
  void answer(const Reply& reply);
  void write_redirect(const Reply& reply);
  bool skip_request();
  bool skip_body();
  bool send_answer();
  void end_answer();
  bool linger();
  void begin_linger();

  void record();

  Engine& engine_;
  const std::unique_ptr<io::Stream> client_;
  io::Buffer in_;   // what the client sent
  io::Buffer out_;  // an answer of the mesh
  std::string_view out_rest_;
  std::unique_ptr<std::string> redirect_;  // what out_rest_ shows of a redirect
  http::HeadEnd head_end_;
  http::Request request_;
  http::Body body_;  // of the request
  http::Body response_body_;
  upstream::Endpoint target_;  // of the request in hand
  upstream::Connection* upstream_ = nullptr;
  Link* link_ = nullptr;  // that upstream_ is the handler's end of, if it is
  FastClient fast_;
  RouteDeadline late_{*this};
  std::shared_ptr<const Tables> tables_;  // of the generation that decided

  std::uint64_t started_ns_ = 0;
  std::uint64_t bytes_in_ = 0;
  std::uint64_t bytes_out_ = 0;
  std::uint32_t upload_left_ = 0;    // bytes at the front of in_ that are to be sent
  std::uint32_t upload_sent_ = 0;    // bytes in front of them that were, and can be sent again
  std::uint32_t download_left_ = 0;  // bytes at the front of the endpoint's `in` that are for the client
  std::uint16_t status_ = 0;         // that the client sees

  Phase phase_ = Phase::reading;
  std::uint8_t event_flags_ = 0;
  bool submitted_ : 1 = false;       // a decision was asked for: an event is due
  bool close_after_ : 1 = false;     // the response says so
  bool upload_broken_ : 1 = false;   // the endpoint takes no more
  bool replayable_ : 1 = false;      // the whole request is still in in_
  bool response_begun_ : 1 = false;  // its final head was read
  bool response_done_ : 1 = false;   // its last byte was read
  bool response_bytes_ : 1 = false;  // the endpoint sent something
  bool passed_on_ : 1 = false;       // the client got something
  bool upstream_reusable_ : 1 = false;
  bool adopted_ : 1 = false;      // the request came on the fast path, and is the handler's now
  bool normalised_ : 1 = false;   // the request's path is in its canonical form, or in none
  bool armed_ahead_ : 1 = false;  // before the last bytes of the response were sent
  bool wants_link_ : 1 = false;   // there was no room for a link while the request had a connection

  const std::unique_ptr<RemotePeer> peer_;
  hd_connection origin_;
  hd_decision decision_{};
};

}  // namespace heddle::handler
