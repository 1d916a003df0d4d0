#include "runtime/loader/fast_figures.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/loader/endpoints.h"

namespace heddle::loader {
namespace {

std::uint64_t sum_of(int map, std::uint32_t index) {
  std::vector<std::uint64_t> values(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus())));
  if (bpf_map_lookup_elem(map, &index, values.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  return sum;
}

void read_use(int map, FastFigures& figures) {
  std::uint64_t cgroup = 0;
  hd_use use{};
  for (const std::uint64_t* before = nullptr; bpf_map_get_next_key(map, before, &cgroup) == 0; before = &cgroup) {
    if (bpf_map_lookup_elem(map, &cgroup, &use) == 0) figures.by_cgroup[cgroup].use = use;
  }
}

}  // namespace

bool has_busy_flows(const State& state) {
  const Result<MapView> flows = MapView::make(state.fd("hd_flows"), sizeof(hd_flow) * HD_FLOWS_MAX, false);
  if (!flows) return false;
  const hd_flow* const first = flows->as<hd_flow>();
  return std::any_of(first, first + HD_FLOWS_MAX, [](const hd_flow& flow) {
    const std::uint32_t now = HD_FLOW_STATE(flow.state);
    return now == HD_FLOW_SENT || now == HD_FLOW_ANSWERING || now == HD_FLOW_SPILL || now == HD_FLOW_FRAMED;
  });
}

void forget_use(const State& state, std::uint64_t cgroup) {
  bpf_map_delete_elem(state.fd("hd_use"), &cgroup);
}

Result<FastFigures> read_fast_figures(const State& state) {
  FastFigures figures;
  for (std::uint32_t i = 0; i < HD_FAST_COUNTERS; ++i) figures.counts[i] = sum_of(state.fd("hd_fast"), i);
  const std::uint32_t zero = 0;
  bpf_map_lookup_elem(state.fd("hd_queued"), &zero, &figures.queued);
  read_use(state.fd("hd_use"), figures);
  Result<MapView> flows = MapView::make(state.fd("hd_flows"), sizeof(hd_flow) * HD_FLOWS_MAX, false);
  if (!flows) return flows.error();
  Result<MapView> links = MapView::make(state.fd("hd_links"), sizeof(hd_link) * HD_LINKS_MAX, false);
  if (!links) return links.error();
  for (std::uint32_t i = 0; i < HD_FLOWS_MAX; ++i) {
    const hd_flow& flow = flows->as<hd_flow>()[i];
    if (HD_FLOW_STATE(flow.state) == HD_FLOW_FREE) continue;
    ++figures.flows;
    FastFigures::Workload& workload = figures.by_cgroup[flow.cgroup];
    ++workload.clients;
    workload.use.kernel += flow.requests;
  }
  for (std::uint32_t i = 0; i < HD_LINKS_MAX; ++i) {
    const std::uint32_t link = static_cast<std::uint32_t>(links->as<hd_link>()[i].state);
    figures.links += link == HD_LINK_FREE ? 0 : 1;
    figures.idle_links += link == HD_LINK_IDLE ? 1 : 0;
  }
  const Result<EndpointStates> endpoints = EndpointStates::make(state);
  if (!endpoints) return endpoints.error();
  const auto now = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
  for (std::uint32_t i = 0; i < endpoints->count(); ++i) {
    figures.slow_endpoints += endpoints->at(i).slow_until > now ? 1 : 0;
    figures.evictions += endpoints->at(i).evictions;
  }
  return figures;
}

}  // namespace heddle::loader
