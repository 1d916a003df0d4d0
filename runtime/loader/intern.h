#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/base/result.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/state.h"

namespace heddle::loader {

/// Which slot of hd_counters, hd_endpoint_state, hd_balance and hd_weights belongs to a rule, an endpoint, a
/// pool, a part of a split. The same digest keeps its slot over generations, restarts and crashes: the map
/// hd_interned is the memory.
class Interner {
 public:
  static Result<Interner> make(const State& state);

  /// Begins a generation. When all slots are used, those go to others that neither it nor the one in force
  /// has.
  void begin();
  /// The generation that was begun last is in force now.
  void commit();

  /// The slot of the digest; a new one starts with `first`, or at zero.
  Result<std::uint32_t> slot(hd_interned_kind kind, const bundle::Digest& digest,
                             std::span<const std::byte> first = {});

 private:
  struct Kind {
    const char* map = nullptr;
    int fd = -1;
    std::uint32_t capacity = 0;
    std::uint32_t next = 0;  // every slot below was given to somebody
    std::map<bundle::Digest, std::uint32_t> slots;
    std::set<bundle::Digest> current;  // of the generation that was begun last
    std::set<bundle::Digest> in_force;
  };

  Result<std::uint32_t> take(Kind& kind, std::uint32_t number);
  Result<void> start(const Kind& kind, std::uint32_t slot, std::span<const std::byte> first) const;

  int fd_ = -1;
  int latency_ = -1;
  std::map<std::uint32_t, Kind> kinds_;
};

/// Makes the entry of a slot in hd_latency where there is none.
Result<void> start_latency(const State& state, std::uint32_t slot);

/// All zeros where there is no entry.
Result<hd_latency> read_latency(const State& state, std::uint32_t slot);

/// Decisions counted in a slot of hd_counters, summed over all CPUs.
Result<std::uint64_t> read_counter(const State& state, std::uint32_t slot);

}  // namespace heddle::loader
