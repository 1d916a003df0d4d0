#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/base/result.h"
#include "runtime/handler/flow.h"
#include "runtime/handler/io/event_loop.h"
#include "runtime/handler/links.h"
#include "runtime/handler/log.h"

namespace heddle::handler {

/// Whose client has a flow.
class FlowOwner {
 public:
  /// It waited for the flow, and may be able to take it now.
  virtual void on_flow() = 0;
  /// A response, or the rest of one, comes over the link.
  virtual void on_response(Link& link) = 0;
  /// The server ended, or misbehaved, while a request was on its way; the link is closed.
  virtual void on_server_end() = 0;
  /// A request on the fast path takes longer than its rule allows.
  virtual void on_flow_late() = 0;
  /// Bytes are lost.
  virtual void on_flow_broken() = 0;

 protected:
  ~FlowOwner() = default;
};

/// A client's flow, and where it stands in the lists of those that are looked after.
struct FastClient {
  static constexpr std::uint32_t nowhere = 0xffffffffU;

  Flow flow;
  FlowOwner* owner = nullptr;
  std::uint32_t place = nowhere;    // among all
  std::uint32_t waiting = nowhere;  // among those that wait
  std::uint64_t orphaned = 0;       // the state word when its link was last seen to be unknown

  explicit operator bool() const { return static_cast<bool>(flow); }
};

/// The handler's side of the fast path: what the programs in the kernel do with requests is seen in memory
/// that they share with the handler, and by a bell that they ring.
class FastPath final : public io::EventSink, public Links::Watcher {
 public:
  static constexpr std::uint64_t scan_ms = 10;
  static constexpr std::uint64_t settle_ms = 100;
  /// A client that has sent nothing for so long gives its link to others, where there are not enough.
  static constexpr std::uint64_t resting_ns = 1'000'000'000;
  static constexpr std::uint64_t stalled_ns = 1'000'000'000;
  /// Who did not look for so long did not get to run, and its servers may not have either.
  static constexpr std::uint64_t starved_ns = 200'000'000;
  /// How long an endpoint that left a request unread gets its requests through the handler.
  static constexpr std::uint64_t slow_ns = 60'000'000'000;

  FastPath(FastKernel& kernel, upstream::Pool& pool)
      : links(kernel, pool, *this), kernel_(kernel), pool_(pool) {}
  FastPath(const FastPath&) = delete;
  FastPath& operator=(const FastPath&) = delete;

  /// Listens to the bell.
  [[nodiscard]] Result<void> watch(io::EventLoop& loop);

  /// A client was accepted. One whose record is not his has no flow.
  void enter(FastClient& client, std::uint64_t id, FlowOwner& owner);
  /// Its connection ends. What the flow was doing; FREE: nothing that anybody has to account for.
  [[nodiscard]] hd_flow_state leave(FastClient& client);

  [[nodiscard]] Flow::Taking take(FastClient& client);
  /// Calls on_flow() when there may be something new; until no_wait().
  void wait(FastClient& client);
  void no_wait(FastClient& client);

  /// Closes a link to an endpoint that no request uses at the moment, if there is one.
  [[nodiscard]] bool make_room(std::uint32_t endpoint_state);

  /// Work between two rounds of events.
  void run(std::uint64_t now_ns);
  /// Milliseconds until there is some; -1: never.
  [[nodiscard]] std::int64_t next_in(std::uint64_t now_ms) const;

  void on_events(std::uint32_t events) override;
  void on_link(Link& link) override;
  void on_link_end(Link& link) override;

  Links links;

 private:
  [[nodiscard]] FastClient* find(std::uint64_t id) const;
  [[nodiscard]] bool landed(const Flow& flow);
  void answer_bell(const hd_bell& bell);
  void give_back(FastClient& client);
  void give_back(FastClient& client, std::uint64_t id);
  void give_back_scarce(std::uint64_t now_ns);
  void look_at_waiting();
  void look_at_landing();
  void scan(std::uint64_t now_ns);
  void look_at_busy(const Flow& flow, hd_flow_state state, std::uint64_t now_ns);
  void look_at_orphan(FastClient& client);
  void go_slow(const Flow& flow, std::uint64_t now_ns);
  void settle_all(std::vector<std::uint64_t>& ids, std::vector<std::uint64_t>* unread = nullptr);
  template <typename Call>
  void call_all(std::vector<std::uint64_t>& ids, Call call);

  FastKernel& kernel_;
  const upstream::Pool& pool_;
  std::vector<FastClient*> by_index_;
  std::vector<FastClient*> all_;
  std::vector<FastClient*> waiting_;
  std::vector<hd_bell> rung_;
  // What a scan found; worked off behind it, because it changes the lists.
  std::vector<std::uint64_t> broken_;
  std::vector<std::uint64_t> late_;
  std::vector<std::uint64_t> orphaned_;
  std::vector<std::uint64_t> unsettled_;
  std::vector<std::uint64_t> suspects_;
  std::vector<std::uint64_t> unread_;
  std::vector<std::uint64_t> woken_;
  std::uint64_t next_scan_ms_ = 0;
  std::uint64_t last_scan_ns_ = 0;
  std::uint64_t looking_since_ns_ = 0;  // again and again, without having been starved
  std::uint64_t next_settle_ms_ = 0;
  std::uint64_t next_give_ms_ = 0;
  std::uint32_t landing_ = 0;  // waiting clients whose last piece is on its way
  std::uint32_t landing_rounds_ = 0;
  LimitedLog log_;
};

}  // namespace heddle::handler
