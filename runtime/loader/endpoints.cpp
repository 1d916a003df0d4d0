#include "runtime/loader/endpoints.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <string_view>
#include <vector>

#include "runtime/base/file.h"

namespace heddle::loader {
namespace {

/// The programs read these words at any time.
template <typename Word>
void store(Word& word, Word value) {
  std::atomic_ref(word).store(value, std::memory_order_relaxed);
}

void configure(hd_endpoint_state& state, const bundle::Manifest::Service& service, std::uint32_t group) {
  store(state.connections_max, service.connections);
  store(state.eject_ms, service.eject.time_ms);
  store(state.eject_group, group);
  store(state.eject_after, group == HD_NONE ? 0 : service.eject.failures);
  // A policy that ejects nobody does not go on with the ejections of the one before.
  if (group == HD_NONE) store(state.ejected_until, hd_u64{0});
}

/// A ring through all endpoints of a group, so that they can be counted from each of them.
void link(const EndpointStates& states, const std::vector<std::uint32_t>& members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    hd_endpoint_state& state = states.at(members[i]);
    store(state.eject_next, members[(i + 1) % members.size()]);
    store(state.eject_count, static_cast<hd_u32>(members.size()));
  }
}

/// 127.0.0.0/8 and ::1 are everybody's own.
bool is_loopback(const std::array<std::uint8_t, 16>& address) {
  constexpr std::array<std::uint8_t, 13> four{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
  constexpr std::array<std::uint8_t, 16> six{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address == six || std::equal(four.begin(), four.end(), address.begin());
}

}  // namespace

Result<EndpointStates> EndpointStates::make(const State& state) {
  const int fd = state.fd("hd_endpoint_state");
  Result<MapLayout> layout = map_layout(fd);
  if (!layout) return layout.error();
  EndpointStates states;
  states.count_ = layout->max_entries;
  Result<MapView> view = MapView::make(fd, std::size_t{states.count_} * sizeof(hd_endpoint_state), true);
  if (!view) return view.error();
  states.view_ = std::move(*view);
  return states;
}

hd_endpoint_state& EndpointStates::at(std::uint32_t slot) const {
  if (slot >= count_) std::abort();
  return view_.as<hd_endpoint_state>()[slot];
}

std::uint32_t ejectable(std::size_t count, std::uint32_t share_ppm) {
  if (count == 0) return 0;
  return static_cast<std::uint32_t>(
      std::min(std::uint64_t{count} * share_ppm / 1000000, std::uint64_t{count} - 1));
}

Result<void> configure_endpoints(const State& state, const bundle::Manifest& manifest,
                                 std::span<const std::uint32_t> slots,
                                 std::span<const std::uint32_t> groups) {
  Result<EndpointStates> states = EndpointStates::make(state);
  if (!states) return states.error();
  std::map<std::string_view, std::vector<std::uint32_t>> by_service;
  for (std::size_t e = 0; e < slots.size() && e < manifest.endpoints.size(); ++e)
    by_service[manifest.endpoints[e].service].push_back(slots[e]);
  for (std::size_t s = 0; s < manifest.services.size(); ++s) {
    const bundle::Manifest::Service& service = manifest.services[s];
    const std::uint32_t group = s < groups.size() ? groups[s] : HD_NONE;
    const std::vector<std::uint32_t>& members = by_service[service.name];
    for (const std::uint32_t slot : members) configure(states->at(slot), service, group);
    if (group == HD_NONE) continue;
    link(*states, members);
    const hd_eject_group entry{0, ejectable(members.size(), service.eject.share_ppm)};
    if (Result<void> written = write_entry(state.fd("hd_eject_groups"), &group, &entry); !written)
      return written;
  }
  return {};
}

Result<void> mark_local(const State& state, const Generation& generation, const Addresses& own) {
  Result<EndpointStates> states = EndpointStates::make(state);
  if (!states) return states.error();
  const std::span<const std::uint32_t> slots = generation.endpoint_slots();
  for (std::uint32_t number = 0; number < slots.size(); ++number) {
    hd_endpoint endpoint{};
    if (bpf_map_lookup_elem(generation.table("hd_endpoints"), &number, &endpoint) != 0) return system_error("cannot read `hd_endpoints`", errno);
    std::array<std::uint8_t, 16> address{};
    std::copy(std::begin(endpoint.address), std::end(endpoint.address), address.begin());
    store(states->at(slots[number]).local, static_cast<hd_u16>(own.contains(address) || is_loopback(address) ? 1 : 0));
  }
  return {};
}

}  // namespace heddle::loader
