#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/handler/fast_kernel.h"
#include "runtime/handler/upstream/pool.h"

namespace heddle::handler {

class Links;

/// The handler's end of a connection that requests of many clients use, one after the other, without passing
/// through here. What does come over it is the rest of a response, or the end.
class Link final : public upstream::Owner, public io::Preparation {
 public:
  Link(Links& links, std::uint32_t endpoint_state, std::uint64_t now_ms)
      : links_(links), endpoint_state_(endpoint_state), since_ms_(now_ms) {}

  void on_upstream_events() override;
  bool prepare(int socket) override;

  /// 0: not known, because it is not connected yet.
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] upstream::Connection& connection() { return *connection_; }
  [[nodiscard]] bool lent() const { return user_ != nullptr; }
  /// Whoever relays a response has its events, until take_back().
  void lend(upstream::Owner& user) { user_ = &user; }
  void take_back();

 private:
  friend class Links;

  Links& links_;
  upstream::Connection* connection_ = nullptr;
  upstream::Owner* user_ = nullptr;
  std::uint64_t id_ = 0;
  std::uint32_t endpoint_state_;
  std::uint32_t place_ = 0;     // in its endpoint's list
  std::uint64_t since_ms_ = 0;  // when it began to connect, then when it was connected
  bool connected_ = false;
};

/// The links of one worker: opened where requests had to be served slowly for want of one, closed when they
/// were idle for long, or when an endpoint has room for nothing else.
class Links {
 public:
  /// Something came over a link that nobody relays from: bytes, or the end.
  class Watcher {
   public:
    virtual void on_link(Link& link) = 0;
    /// No request goes over it any more.
    virtual void on_link_end(Link& link) = 0;

   protected:
    ~Watcher() = default;
  };

  static constexpr std::uint64_t idle_ms = 30'000;
  static constexpr std::uint64_t opening_ms = 1'000;
  /// How long an endpoint whose sockets the fast path does not see is left alone; and one that refuses.
  static constexpr std::uint64_t unreachable_ms = 60'000;
  static constexpr std::uint64_t refused_ms = 1'000;
  /// And one for which there was no record.
  static constexpr std::uint64_t scarce_ms = 100;

  Links(FastKernel& kernel, upstream::Pool& pool, Watcher& watcher)
      : kernel_(kernel), pool_(pool), watcher_(watcher) {}
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;
  ~Links();

  /// Links that are being opened to one endpoint at a time. Before the programs are known to see its sockets
  /// it is one: where they never will, each request would open one more.
  static constexpr std::uint32_t opening_max = 64;

  /// Opens a link to an endpoint unless one waits already, or one of `kept` leads there. False: there is no
  /// room for it now.
  bool want(const upstream::Endpoint& endpoint, std::span<const std::uint64_t> kept);
  /// Null if it is not this worker's, or closed.
  [[nodiscard]] Link* find(std::uint64_t id);
  [[nodiscard]] hd_link* record(std::uint64_t id);
  /// Asks for the ids of all that are being opened; whether this is one of the worker's.
  [[nodiscard]] bool learn_all(std::uint64_t id);
  /// No request goes over it any more, and what does come over it is no news.
  void kill(Link& link);
  /// Closes an idle link to an endpoint, if there is one.
  [[nodiscard]] bool make_room(std::uint32_t endpoint_state);
  /// Those to an endpoint that this worker has.
  [[nodiscard]] std::span<Link* const> all(std::uint32_t endpoint_state) const;

  /// Looks after links that are being opened, and idle ones.
  void tick(std::uint64_t now_ns);
  void collect();

  [[nodiscard]] bool opening() const { return !opening_.empty(); }
  [[nodiscard]] std::uint32_t open() const { return open_; }
  /// tick() has something to look after.
  [[nodiscard]] bool any() const { return open_ != 0 || unswept_; }

 private:
  friend class Link;

  struct Group {
    std::vector<Link*> links;
    std::uint64_t not_before_ms = 0;
    std::uint32_t opening = 0;
    bool reached = false;  // the programs have seen its sockets
    bool dead = false;     // a link has died since its list was swept
  };

  /// It is held, and leads to the endpoint.
  [[nodiscard]] bool leads_to(std::uint64_t id, std::uint32_t endpoint_state);
  [[nodiscard]] bool mark(std::uint64_t id, hd_link_state from);
  void connected(Link& link);
  void learn(Link& link);
  void look_at_opening();
  void give_up(Link& link, std::uint64_t for_ms);
  void end_opening(std::size_t place);
  void close_idle(std::uint64_t now_ns);
  void sweep();
  /// There is no record left for a further link: one that waits for another endpoint has to go.
  void evict_one(std::uint32_t but);

  FastKernel& kernel_;
  upstream::Pool& pool_;
  Watcher& watcher_;
  std::unordered_map<std::uint32_t, Group> groups_;  // by slot in hd_endpoint_state
  std::vector<Link*> by_index_;
  std::vector<Link*> opening_;
  std::vector<Link*> dead_;
  std::vector<std::uint64_t> ended_;  // that a sweep found dead
  std::uint64_t now_ms_ = 0;
  std::uint64_t next_sweep_ms_ = 0;
  std::uint32_t open_ = 0;
  bool unswept_ = false;  // one of the groups has dead links on its list
};

}  // namespace heddle::handler
