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
  struct Trampoline {
    std::string name;
    int fd = -1;  // owned by the object
    std::uint32_t attach_type = 0;
  };

  /// Maps of one's own, no programs.
  static Result<State> make_private();

  /// Maps pinned in the folder: those that are there are taken over, the others made. The programs are
  /// loaded, and not attached.
  static Result<State> open_pinned(const std::string& folder);

  /// -1: no such map.
  [[nodiscard]] int fd(std::string_view map) const;
  [[nodiscard]] const std::map<std::string, UniqueFd, std::less<>>& maps() const { return maps_; }
  [[nodiscard]] const std::vector<Trampoline>& trampolines() const { return trampolines_; }
  /// Whether maps of an earlier agent were found.
  [[nodiscard]] bool adopted() const { return adopted_; }

  [[nodiscard]] std::uint64_t generation() const;
  /// From here on this generation decides. The word is frozen: only a program in the kernel writes it, so
  /// that whoever maps it can do no more than look.
  Result<void> set_generation(std::uint64_t generation);

 private:
  State() = default;
  static Result<State> make(const std::string& folder);
  Result<void> take_over(const std::string& folder);
  Result<void> finish(const std::string& folder);
  Result<void> open_word();

  Object object_;
  std::map<std::string, UniqueFd, std::less<>> maps_;
  std::vector<Trampoline> trampolines_;
  MapView word_;
  UniqueFd flip_;  // the program that writes the word
  bool adopted_ = false;
};

}  // namespace heddle::loader
