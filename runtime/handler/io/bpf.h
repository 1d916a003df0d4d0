#pragma once

#include <cstdint>
#include <span>

#include "runtime/base/result.h"

/// The few calls of bpf(2) that a process without privilege makes with descriptors that it was given.
namespace heddle::io::bpf {

struct MapInfo {
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;  // BPF_F_*
};

[[nodiscard]] Result<MapInfo> map_info(int map);

/// False and errno if there is no such element.
[[nodiscard]] bool lookup(int map, const void* key, void* value);

/// Writes one element; false and errno if that is refused.
[[nodiscard]] bool update(int map, const void* key, const void* value);

/// Copies all values of an array map into `values` (`max_entries` of them, each of `value_size` bytes), in as
/// few calls as it takes.
[[nodiscard]] bool read_array(int map, const MapInfo& info, char* values);

/// Runs a `syscall` program on a context. 0 if it ran, else a negative errno; what the program returned goes
/// to `returned`.
[[nodiscard]] int run(int program, std::span<const std::byte> context, std::uint32_t& returned);

}  // namespace heddle::io::bpf
