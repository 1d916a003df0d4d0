#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/loader/map_io.h"
#include "runtime/loader/object.h"

namespace heddle::loader {

/// The maps that outlive every generation, and the programs that jump into one.
class State {
 public:
  /// What the programs of the fast path are attached to: the sockets of a map, or a function of the kernel.
  enum class Place { cgroup, clients, servers, trace, none };

  struct Trampoline {
    std::string name;
    int fd = -1;  // owned by the object
    std::uint32_t attach_type = 0;
    Place place = Place::cgroup;
  };

  /// Maps of one's own, no programs.
  static Result<State> make_private();

  /// Maps of one's own, and the programs.
  static Result<State> make_for_trial(bool with_trace);

  /// Whether the kernel takes a program that runs when its redirect function returns. Some machines refuse all tracing;
  /// landing is proved by other means there.
  static bool can_trace();

  /// Maps pinned in the folder: those that are there are taken over, the others made. The programs are
  /// loaded, and not attached.
  static Result<State> open_pinned(const std::string& folder);

  /// -1: no such map.
  [[nodiscard]] int fd(std::string_view map) const;
  [[nodiscard]] const std::map<std::string, UniqueFd, std::less<>>& maps() const { return maps_; }
  [[nodiscard]] const std::vector<Trampoline>& trampolines() const { return trampolines_; }
  /// A program that user space runs by itself; -1: none.
  [[nodiscard]] int program(std::string_view name) const;
  /// For how many workers there is room.
  [[nodiscard]] std::uint32_t worker_capacity() const;
  /// The ring buffer by which the programs tell a worker that it is needed; -1: it cannot be made.
  int bell(std::uint32_t worker);
  /// What limits remember. Policies without limits need none, so it is made when it is first asked for.
  [[nodiscard]] Result<int> accounts() const;
  /// Where its maps are pinned; empty: nowhere.
  [[nodiscard]] const std::string& folder() const { return folder_; }
  /// Whether maps of an earlier agent were found.
  [[nodiscard]] bool adopted() const { return adopted_; }

  [[nodiscard]] std::uint64_t generation() const;
  /// From here on this generation decides. The word is frozen: only a program in the kernel writes it, so
  /// that whoever maps it can do no more than look.
  Result<void> set_generation(std::uint64_t generation);

 private:
  State() = default;
  [[nodiscard]] Result<UniqueFd> open_accounts() const;
  enum class Programs { none, all, all_but_trace };
  static Result<State> make(const std::string& folder, Programs programs);
  Result<void> take_over(const std::string& folder);
  Result<void> finish(const std::string& folder);
  Result<void> open_word();

  Object object_;
  std::map<std::string, UniqueFd, std::less<>> maps_;
  std::vector<Trampoline> trampolines_;
  MapView word_;
  std::map<std::uint32_t, UniqueFd> bells_;
  UniqueFd flip_;  // the program that writes the word
  std::string folder_;  // of the pinned maps; empty: none is
  mutable UniqueFd accounts_;
  bool adopted_ = false;
};

/// How many programs may work on messages at the same time.
std::uint32_t working_places();

}  // namespace heddle::loader
