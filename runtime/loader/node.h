#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/intern.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// Cgroup below the root that an agent makes for itself if it was started elsewhere.
constexpr const char* agent_cgroup = "heddled";

/// One cgroup root that is governed: pinned state below /sys/fs/bpf/heddle, and programs attached to the
/// root. Everything stays as it is when the process ends, however it ends; only `detach` removes it.
class Node {
 public:
  /// Takes the root for this process alone; takes over what an earlier agent left. Nothing decides yet.
  static Result<Node> open(const std::string& cgroup_root);

  /// Removes what an agent that is no more left at this root. Tells whether there was something.
  static Result<bool> remove(const std::string& cgroup_root);

  [[nodiscard]] const State& state() const { return state_; }
  State& state() { return state_; }
  [[nodiscard]] const std::string& cgroup_root() const { return cgroup_root_; }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] bool adopted() const { return state_.adopted(); }
  /// Whether programs are attached: connections were governed before this process began.
  [[nodiscard]] bool attached() const { return attached_; }

  Result<void> set_config(hd_config config);
  /// The program that watches the kernel's redirects is attached.
  [[nodiscard]] bool traced() const { return trace_; }

  /// Of all that is loaded from here on.
  void set_place(Place place) { place_ = std::move(place); }

  /// Verified and filled, under the next number; decides nothing.
  Result<Generation> load(const bundle::Opened& opened);

  /// From here on `generation` decides. The one before must live until all that looked at the word before
  /// have ended (`retire`).
  Result<void> activate(const Generation& generation);

  /// Forgets the programs of a generation that decides no more.
  void retire(const Generation& generation);

  /// Attaches the programs to the root, or replaces those that an earlier agent attached. All or nothing.
  Result<void> attach();

  /// Removes programs, maps and folders.
  Result<void> detach();

 private:
  Node(std::string cgroup_root, std::string folder, UniqueFd lock, State state, Interner interner);
  Result<void> attach_at(const State::Trampoline& trampoline, int cgroup, bool& made);
  Result<void> attach_one(const State::Trampoline& trampoline, int cgroup, bool& made);
  Result<void> attach_to_sockets(const State::Trampoline& trampoline, const char* map);
  bool attach_to_kernel(const State::Trampoline& trampoline, bool& made);

  std::string cgroup_root_;
  std::string folder_;
  UniqueFd lock_;
  State state_;
  Interner interner_;
  std::uint64_t last_number_ = 0;
  Place place_;
  bool attached_ = false;
  bool trace_ = false;
};

/// Calls back for every event that the programs wrote.
class EventReader {
 public:
  using Receive = std::function<void(const hd_event&)>;
  static Result<EventReader> make(const State& state, Receive receive);
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;
  ~EventReader();
  /// Readable when there are events.
  [[nodiscard]] int fd() const;
  void read();

 private:
  struct Parts;
  explicit EventReader(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Events that found the ring buffer full.
std::uint64_t lost_events(const State& state);

}  // namespace heddle::loader
