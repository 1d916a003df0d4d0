#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/handler/client.h"
#include "runtime/handler/engine.h"
#include "runtime/handler/io/buffer.h"
#include "runtime/handler/io/stream.h"
#include "runtime/handler/tls/client_hello.h"

namespace heddle::handler {

/// One client's connection to a service of TLS, or of tcp. Of TLS its ClientHello is read and decided on, of the other it is decided
/// as soon as it is there, since its client may wait for the server's first word. Then its bytes go to the endpoint as they came, and
/// all that follows in both directions.
///
/// Each direction has one block of memory and reads only when that is empty, so that whoever is slow holds up the other
/// side. An end is passed on as an end, a reset as a reset.
class Passage final : public Client, public io::EventSink, public io::Deadline, public upstream::Owner, public Undecided {
 public:
  /// `peer`: who comes from another node; null: `origin` says who it is.
  Passage(Engine& engine, std::unique_ptr<io::Stream> client, const hd_connection& origin, std::unique_ptr<RemotePeer> peer = nullptr);

  void start() override;
  void resume() override;
  void drain() override;
  void close() override;

  void on_events(std::uint32_t events) override;
  void on_deadline() override;
  void on_upstream_events() override;

  [[nodiscard]] const hd_connection& origin() const override { return origin_; }
  [[nodiscard]] hd_form form() const override { return form_; }
  /// Of TLS the name that the client asks for.
  [[nodiscard]] std::string_view head() const override { return name_; }
  [[nodiscard]] hd_u16 flags() const override {
    return static_cast<hd_u16>((is_tls() ? HD_REQUEST_TLS : HD_REQUEST_TCP) | (peer_ != nullptr ? HD_REQUEST_TUNNEL : 0));
  }
  [[nodiscard]] RemotePeer* peer() override { return peer_.get(); }
  void decided(const hd_decision& decision) override;
  void undecided() override;

 private:
  [[nodiscard]] bool is_tls() const { return (origin_.flags & HD_CONNECTION_TLS) != 0; }

  enum class Phase : std::uint8_t {
    reading,     // the ClientHello
    deciding,    // the round decides
    connecting,  // to the endpoint
    passing,     // bytes in both directions
    closed,
  };

  /// What is known of one direction.
  struct Way {
    std::uint64_t bytes = 0;
    bool ended = false;   // who sends has sent its last byte
    bool passed = false;  // and the other side has been told
  };

  using Step = bool (Passage::*)();
  [[nodiscard]] static Step step_of(Phase phase);
  void advance();
  bool wait() { return false; }
  void set_phase(Phase phase);

  bool read_hello();
  void end_of_hello();
  void judge(tls::ClientHello::State state);
  void submit(hd_form form);
  void refuse();

  void forward();
  void connect_failed();
  void unhealthy();
  void full();
  bool connect();
  bool pass();
  bool move(io::Stream& from, io::Buffer& block, io::Stream& to, Way& way);
  void finish();
  void abort();
  void record();
  void drop_upstream();

  Engine& engine_;
  const std::unique_ptr<io::Stream> client_;
  const std::unique_ptr<RemotePeer> peer_;
  io::Buffer in_;                           // what the client sent
  std::unique_ptr<tls::ClientHello> hello_;  // until it has been read
  std::string name_;
  upstream::Connection* upstream_ = nullptr;
  std::shared_ptr<const Tables> tables_;  // of the generation that decided
  std::uint64_t started_ns_ = 0;
  Way up_;
  Way down_;
  hd_form form_ = HD_FORM_OK;
  Phase phase_ = Phase::reading;
  std::uint8_t event_flags_ = 0;
  bool submitted_ = false;  // a decision was asked for: an event is due

  hd_connection origin_;
  hd_decision decision_{};
};

}  // namespace heddle::handler
