#include "compiler/plan/comb.h"

#include <algorithm>

namespace heddle::plan {
namespace {

constexpr std::uint32_t default_entry = 256;
constexpr std::uint32_t search_window = 1024;

hd_u32 packed(std::uint32_t next, std::uint8_t event) {
  return next | static_cast<hd_u32>(event) << HD_STEP_EVENT_SHIFT;
}

}  // namespace

bool Comb::fits(std::uint32_t base, const Automaton::State& state) const {
  const auto is_free = [this](std::uint32_t at) { return at >= used_.size() || !used_[at]; };
  if (!is_free(base + default_entry)) return false;
  return std::all_of(state.edges.begin(), state.edges.end(),
                     [&](const Automaton::Edge& edge) { return is_free(base + edge.byte); });
}

std::uint32_t Comb::find_base(const Automaton::State& state) {
  while (hint_ + default_entry < used_.size() && used_[hint_ + default_entry]) ++hint_;
  std::uint32_t base = hint_;
  while (!fits(base, state)) ++base;
  // Gaps far behind are given up: looking for them again and again would make long tables quadratic.
  if (base > hint_ + search_window) hint_ = base - search_window;
  return base;
}

void Comb::grow(std::size_t size) {
  if (used_.size() >= size) return;
  used_.resize(size, false);
  steps_.resize(size, hd_step{});
}

void Comb::occupy(std::uint32_t base, const Automaton::State& state) {
  grow(base + default_entry + 1);
  used_[base + default_entry] = true;
  for (const Automaton::Edge& edge : state.edges) used_[base + edge.byte] = true;
}

std::vector<std::uint32_t> Comb::add_all(const Automaton& automaton) {
  std::vector<std::uint32_t> place;
  place.reserve(automaton.states.size());
  for (const Automaton::State& state : automaton.states) {
    place.push_back(find_base(state));
    occupy(place.back(), state);
  }
  for (std::size_t s = 0; s < automaton.states.size(); ++s) {
    const Automaton::State& state = automaton.states[s];
    const bool final_state = state.edges.empty() && state.next == s && state.event == 0;
    steps_[place[s] + default_entry] = {state.accept | HD_STEP_DEFAULT | (final_state ? HD_STEP_FINAL : 0),
                                        packed(place[state.next], state.event)};
    for (const Automaton::Edge& edge : state.edges) {
      steps_[place[s] + edge.byte] = {place[s], packed(place[edge.next], edge.event)};
    }
  }
  return place;
}

}  // namespace heddle::plan
