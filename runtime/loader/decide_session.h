#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/place.h"

namespace heddle::loader {

/// 16 bytes, IPv4 in its v4-mapped form; port in host byte order.
struct SocketAddress {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
};

/// One request as the handler would hand it to the loaded function.
struct DecideInput {
  std::optional<std::uint32_t> workload;  // index in the manifest; none: no peer
  SocketAddress source;
  SocketAddress destination;  // what the client dialled
  hd_form form = HD_FORM_OK;
  std::string_view head;  // with the empty line; at most HD_HEAD_MAX bytes; of TLS the name that is asked for, if one is
  std::optional<std::uint64_t> draw;
  std::uint64_t now_ns = 0;  // what the clock of limits says; 0: the machine's
  bool normalised = false;   // the path was put into its canonical form
  hd_protocol protocol = HD_PROTOCOL_HTTP;  // of the service when it was dialled
  std::optional<hd_peer> peer = {};  // whom a certificate names; there is no workload then
  bool tunnelled = false;            // another node has let it go
};

/// The syscall entry of one bundle, loaded for its own use: state maps of its own, nothing pinned or
/// attached, balance and counters start at zero.
class DecideSession {
 public:
  static Result<DecideSession> make(const bundle::Opened& opened, const Place& place = {});
  DecideSession(DecideSession&&) noexcept;
  DecideSession& operator=(DecideSession&&) noexcept;
  ~DecideSession();

  /// One decision per input, in order; HD_ROUND_MAX of them per call of the kernel.
  Result<std::vector<hd_decision>> decide(std::span<const DecideInput> inputs);

  /// Text of hd_decision::rule or ::access; `-` for HD_NONE.
  [[nodiscard]] std::string rule_id(std::uint32_t rule) const;
  [[nodiscard]] const bundle::Manifest& manifest() const;
  /// What the policy makes of who has this SPIFFE ID; none: it is none.
  [[nodiscard]] std::optional<hd_peer> find_peer(std::string_view spiffe) const;

  /// Decisions that the rule ended, summed over all CPUs.
  [[nodiscard]] Result<std::uint64_t> decisions(std::uint32_t rule) const;

  /// Takes an endpoint out of choice, or puts it back.
  void set_unhealthy(std::uint32_t endpoint, bool unhealthy);

  /// Leaves an endpoint out of choice for a minute, as if it had failed, or takes it back.
  void set_ejected(std::uint32_t endpoint, bool ejected);
  /// Requests that are said to be on their way.
  void set_in_flight(std::uint32_t endpoint, std::uint32_t requests);
  [[nodiscard]] hd_endpoint_state endpoint_state(std::uint32_t endpoint) const;
  [[nodiscard]] std::uint32_t endpoint_slot(std::uint32_t endpoint) const;
  /// Accounts of limits that are remembered.
  [[nodiscard]] std::size_t accounts() const;
  /// All limits are fresh.
  void forget_accounts();
  /// Every request so far has ended, and nothing else is told of it.
  void end_all();
  /// The response of one request has ended, as the handler says it.
  Result<void> finish(const hd_event& event);
  [[nodiscard]] Result<hd_latency> latency(std::uint32_t rule) const;
  /// A map of the generation by its name in the object; -1: none.
  [[nodiscard]] int table(std::string_view name) const;
  /// The entry itself, for who measures it.
  [[nodiscard]] int program() const;
  /// How long a request may take that this rule ended; 0: as long as it likes.
  [[nodiscard]] std::uint32_t timeout_ms(std::uint32_t rule) const;

  /// Calls of bpf(BPF_PROG_TEST_RUN) so far.
  [[nodiscard]] std::uint64_t calls() const;

 private:
  struct Parts;
  explicit DecideSession(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace heddle::loader
