#pragma once

#include <cstdint>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"
#include "compiler/plan/automaton.h"

namespace heddle::plan {

/// Lays automata into one table of hd_step: the exceptions of one state fill the gaps between those of
/// others.
class Comb {
 public:
  /// The place of the automaton's start state.
  std::uint32_t add(const Automaton& automaton) { return add_all(automaton)[automaton.start]; }
  /// The place of each state.
  std::vector<std::uint32_t> add_all(const Automaton& automaton);

  [[nodiscard]] const std::vector<hd_step>& steps() const { return steps_; }

 private:
  std::uint32_t find_base(const Automaton::State& state);
  [[nodiscard]] bool fits(std::uint32_t base, const Automaton::State& state) const;
  void occupy(std::uint32_t base, const Automaton::State& state);
  void grow(std::size_t size);

  std::vector<hd_step> steps_;
  std::vector<bool> used_;
  std::uint32_t hint_ = 1;  // no state is 0: that is what the `check` of an empty entry says
};

/// Entries that a comb may have: a state is 24 bits wide.
inline constexpr std::size_t comb_limit = HD_STEP_STATE - 512;

}  // namespace heddle::plan
