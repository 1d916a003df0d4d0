#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/handler/decider.h"
#include "runtime/handler/upstream/ledger.h"

namespace heddle::handler {

/// Somebody on another node, as his certificate names him. What the policy takes him for is looked up once for each generation.
class RemotePeer {
 public:
  explicit RemotePeer(std::string spiffe) : spiffe_(std::move(spiffe)) {}
  [[nodiscard]] const std::string& spiffe() const { return spiffe_; }
  [[nodiscard]] const hd_peer& look_up(const std::shared_ptr<const Tables>& tables);

 private:
  std::string spiffe_;
  std::shared_ptr<const Tables> tables_;  // that `peer_` was found in
  hd_peer peer_{};
};

/// A request whose head is complete, or a connection whose ClientHello is.
class Undecided {
 public:
  [[nodiscard]] virtual const hd_connection& origin() const = 0;
  [[nodiscard]] virtual hd_form form() const = 0;
  /// The bytes to decide on; at most HD_HEAD_MAX. Of TLS the name that is asked for.
  [[nodiscard]] virtual std::string_view head() const = 0;
  /// Of enum hd_request_flag.
  [[nodiscard]] virtual hd_u16 flags() const = 0;
  /// Whom a certificate names who asks; null: nobody, `origin` says who it is.
  [[nodiscard]] virtual RemotePeer* peer() { return nullptr; }

  virtual void decided(const hd_decision& decision) = 0;
  /// The decision function did not run; nothing may be forwarded.
  virtual void undecided() = 0;

 protected:
  ~Undecided() = default;
};

/// Collects what became ready in one round of the event loop, and has all of it decided in one call. What
/// ended since the last call is reported in the same one.
class Round {
 public:
  /// `ledger`: notes which requests have been decided for whom.
  explicit Round(Decider& decider, upstream::Ledger* ledger = nullptr);

  void submit(Undecided& request) { heads_.push_back(&request); }
  void finish(const hd_event& event, std::uint64_t now_ms);

  /// Decides everything that was submitted before. What becomes ready while the answers are given out (the
  /// next request of a client that pipelines) is for the next round.
  void run(std::uint64_t now_ms);

  [[nodiscard]] bool has_heads() const { return !heads_.empty(); }
  /// Milliseconds until finished requests are reported without waiting for a head; -1: there are none.
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const;

  /// Calls of the decision function so far.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }

 private:
  static constexpr std::uint64_t report_within_ms = 10;

  [[nodiscard]] std::uint32_t fill(std::size_t& next_head, std::size_t& next_event);
  [[nodiscard]] bool fill_head(hd_slot& slot, Undecided& request, std::uint32_t& next_page);
  void note_ended(std::size_t first_event, std::size_t end);
  void give_out(std::size_t first_head, std::uint32_t count, bool ran);
  [[nodiscard]] bool events_due(std::uint64_t now_ms) const;

  Decider& decider_;
  upstream::Ledger* ledger_;
  std::shared_ptr<const Tables> tables_;  // of the generation that decides this round
  std::vector<Undecided*> heads_;
  std::vector<Undecided*> current_;
  std::vector<hd_event> events_;
  std::uint64_t first_event_ms_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace heddle::handler
