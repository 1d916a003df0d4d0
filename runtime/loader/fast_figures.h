#pragma once

#include <array>
#include <cstdint>
#include <map>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// What the fast path of this node did and holds.
struct FastFigures {
  struct Workload {
    std::uint32_t clients = 0;  // open connections that are enrolled
    hd_use use{};
  };
  std::array<std::uint64_t, HD_FAST_COUNTERS> counts{};  // by hd_fast_counter
  std::uint64_t queued = 0;
  std::uint32_t flows = 0;
  std::uint32_t links = 0;
  std::uint32_t idle_links = 0;
  std::uint32_t slow_endpoints = 0;  // that left requests unread: the watchdog keeps the fast path from them
  std::uint64_t evictions = 0;       // of links that were idle, or in the way of others
  std::map<std::uint64_t, Workload> by_cgroup;
};

Result<FastFigures> read_fast_figures(const State& state);

/// The cgroup has gone, and with it what it had.
void forget_use(const State& state, std::uint64_t cgroup);

/// Whether a request is on its way past the handler.
bool has_busy_flows(const State& state);

}  // namespace heddle::loader
