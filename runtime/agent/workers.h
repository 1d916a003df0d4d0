#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "runtime/agent/listeners.h"
#include "runtime/agent/loop.h"
#include "runtime/agent/worker_process.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/state.h"

namespace heddle::agent {

/// The handler's processes. One that ends is started again and given what the others have; its clients' new
/// connections wait in its listeners meanwhile.
class Workers {
 public:
  struct Status {
    std::uint32_t number = 0;
    pid_t pid = -1;
    bool ready = false;
    std::uint32_t restarts = 0;
  };

  /// Starts `count` workers; they answer when the loop runs, or in `offer`.
  static Result<std::unique_ptr<Workers>> start(Loop& loop, loader::State& state, std::size_t count);
  ~Workers();

  /// Gives a generation to all, and waits until all have taken it. One that does not answer is replaced; if
  /// its replacement does not answer either, the generation is taken back.
  Result<void> offer(const loader::Generation& generation);
  /// Takes a generation back; `gone` is called when no worker uses it any more.
  void drop(std::uint64_t generation, std::function<void()> gone);

  /// Gives all workers the listeners of one more network namespace; one that starts later gets them too.
  void listen(Listeners listeners);
  /// Nobody listens in that namespace any more.
  void unlisten(std::uint64_t netns_cookie);

  /// Certificates and keys for all workers (tls::pack()); one that starts later gets them too.
  Result<void> give_identities(std::span<const std::byte> packed);
  /// Where other nodes come with tunnels.
  void listen_for_tunnels(TunnelListeners listeners);

  /// Lets all finish what they do, at most so long, and ends them.
  void end(std::chrono::milliseconds patience);

  [[nodiscard]] std::vector<Status> status() const;
  [[nodiscard]] const Listeners& listeners() const { return listeners_; }
  [[nodiscard]] std::size_t count() const { return workers_.size(); }

 private:
  struct Given {
    std::uint64_t number = 0;
    std::vector<UniqueFd> fds;  // in the order of handler::GenerationFd
  };
  struct Worker {
    std::optional<WorkerProcess> process;
    bool ready = false;
    std::set<std::uint64_t> has;  // generations that it has acknowledged
    std::set<std::uint64_t> dropping;
    std::uint32_t restarts = 0;
    std::uint32_t quick_deaths = 0;
    Clock::time_point started;
  };
  struct Drop {
    std::uint64_t generation = 0;
    std::function<void()> gone;
  };

  Workers(Loop& loop, loader::State& state) : loop_(loop), state_(state) {}
  Result<void> spawn(std::size_t number);
  Result<void> introduce(std::size_t number);
  Result<void> share();
  Result<void> share_fast_path();
  Result<void> share_ledger();
  void settle_ledger(std::size_t number);
  Result<void> give(std::size_t number, const Given& given);
  Result<void> hand_identities(std::size_t number);
  Result<void> give_listeners(std::size_t number, const Listeners& listeners);
  Result<void> give_tunnel_listeners(std::size_t number);
  void read(std::size_t number);
  void take(Worker& worker, const handler::Message& message);
  void lost(std::size_t number);
  void respawn(std::size_t number);
  /// Reads from all workers until `done` or the time is over.
  bool wait(const std::function<bool()>& done, std::chrono::milliseconds patience);
  [[nodiscard]] bool all_have(std::uint64_t generation) const;
  void settle_drops();

  Loop& loop_;
  loader::State& state_;
  WorkerUser user_;
  Listeners listeners_;
  std::map<std::uint64_t, Listeners> elsewhere_;  // by cookie of their namespace
  std::vector<UniqueFd> shared_;                  // in the order of handler::StartFd, from the word on
  std::vector<UniqueFd> fast_path_;               // and from the flows on; without the bell; empty: it is off
  UniqueFd identities_;  // memory; none: nobody gave any
  std::size_t identities_bytes_ = 0;
  TunnelListeners for_tunnels_;
  loader::MapView endpoints_;
  loader::MapView ledger_;  // of each worker: what it has added to the counts of the endpoints
  std::size_t endpoint_count_ = 0;
  std::vector<Worker> workers_;
  std::vector<Given> given_;
  std::vector<Drop> drops_;
  bool ending_ = false;
};

}  // namespace heddle::agent
