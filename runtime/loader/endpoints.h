#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/map_io.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// hd_endpoint_state, mapped.
class EndpointStates {
 public:
  static Result<EndpointStates> make(const State& state);
  [[nodiscard]] hd_endpoint_state& at(std::uint32_t slot) const;
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  MapView view_;
  std::uint32_t count_ = 0;
};

/// How many of `count` endpoints may be ejected at a time: a share of them, and never all.
std::uint32_t ejectable(std::size_t count, std::uint32_t share_ppm);

/// Tells the endpoints what the policy says of them. What they have counted so far stays. `slots` are the
/// endpoints' in the order of the manifest, `groups` the services' in hd_eject_groups; HD_NONE: it ejects
/// nothing.
Result<void> configure_endpoints(const State& state, const bundle::Manifest& manifest,
                                 std::span<const std::uint32_t> slots, std::span<const std::uint32_t> groups);

/// Addresses in 16 bytes, IPv4 in its v4-mapped form.
using Addresses = std::set<std::array<std::uint8_t, 16>>;

/// Tells the endpoints of a generation which of them are on this node: no tunnel leads to those.
Result<void> mark_local(const State& state, const Generation& generation, const Addresses& own);

}  // namespace heddle::loader
