#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/agent/loop.h"
#include "runtime/agent/network.h"
#include "runtime/agent/workers.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/loader/cgroup_tree.h"
#include "runtime/loader/listening.h"
#include "runtime/loader/state.h"

namespace heddle::agent {

/// Network namespaces that workloads' processes live in (containers): a socket belongs to the namespace that it
/// was made in, so the handler listens in each of them. It learns of one when a cgroup of a workload gets its first
/// process, and when a connect is refused for want of a listener. Listeners keep a namespace alive: they are closed
/// when no process of a workload has been in it for a while.
class Namespaces {
 public:
  struct Status {
    std::uint64_t cookie = 0;
    std::uint64_t inode = 0;
    pid_t process = 0;  // of a workload in it; 0: none at the moment
    hd_listener ports{};
    std::string problem;  // why there are no listeners
  };

  static Result<std::unique_ptr<Namespaces>> make(Loop& loop, const loader::State& state);
  ~Namespaces();

  /// Something may have changed; from any thread.
  void wake() const;
  /// From here on these are the workers, and clients in the own namespace and in those of workloads are led to them.
  Result<void> begin(Workers& workers);
  /// From here on workloads are what this tree says.
  void look_at(const loader::CgroupTree& tree);
  /// Clients are refused from here on.
  void end();

  [[nodiscard]] std::vector<Status> status() const;

 private:
  struct Place {
    std::uint64_t cookie = 0;
    hd_listener ports{};  // none: nobody listens
    std::string problem;
    pid_t process = 0;
    UniqueFd process_fd;  // readable when the process has ended
    Clock::time_point empty_since{};
    Clock::time_point retry_at{};
    [[nodiscard]] bool listens() const { return ports.port4 != 0; }
  };
  using Places = std::map<std::uint64_t, Place>;  // by inode

  Namespaces(Loop& loop, const loader::State& state) : loop_(loop), state_(state) {}
  void on_wake();
  void look();
  void look_soon(std::chrono::milliseconds delay);
  [[nodiscard]] std::map<std::uint64_t, pid_t> find_all() const;

  void on_ring();
  void on_unserved(const hd_unserved& unserved);
  void search(std::uint64_t cookie);
  [[nodiscard]] bool is_workload(std::uint32_t process) const;

  /// Listens there, if nobody does yet. `process`: one that is in it; 0: none is known.
  void serve(const Network& network, pid_t process);
  void open_listeners(const Network& network, Place& place);
  void fail(std::uint64_t inode, Place& place, const Error& error) const;
  void watch(Place& place, pid_t process);
  void unwatch(Place& place);
  void remove(Places::iterator place);
  Places::iterator find(std::uint64_t cookie);

  Loop& loop_;
  const loader::State& state_;
  Workers* workers_ = nullptr;
  const loader::CgroupTree* tree_ = nullptr;
  UniqueFd wake_;
  std::optional<loader::UnservedReader> ring_;
  std::uint64_t own_ = 0;  // inode of the own namespace
  Places places_;          // without the own
  bool look_is_due_ = false;
  Clock::time_point look_at_{};
  Clock::time_point rested_at_{};  // so much pause follows a look that looking stays cheap
  Clock::time_point search_at_{};
};

}  // namespace heddle::agent
