#include "runtime/loader/intern.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "runtime/base/file.h"

namespace heddle::loader {
namespace {

hd_interned_key key_of(std::uint32_t kind, const bundle::Digest& digest) {
  hd_interned_key key{};
  key.kind = kind;
  std::memcpy(key.digest, digest.data(), digest.size());
  return key;
}

}  // namespace

Result<Interner> Interner::make(const State& state) {
  Interner interner;
  interner.fd_ = state.fd("hd_interned");
  interner.latency_ = state.fd("hd_latency");
  const std::array<std::pair<hd_interned_kind, const char*>, 5> kinds{
      {{HD_INTERNED_COUNTER, "hd_counters"},
       {HD_INTERNED_ENDPOINT, "hd_endpoint_state"},
       {HD_INTERNED_POOL, "hd_balance"},
       {HD_INTERNED_WEIGHT, "hd_weights"},
       {HD_INTERNED_SERVICE, "hd_eject_groups"}}};
  for (const auto& [number, map] : kinds) {
    Result<MapLayout> layout = map_layout(state.fd(map));
    if (!layout) return layout.error();
    Kind& kind = interner.kinds_[number];
    kind.map = map;
    kind.fd = state.fd(map);
    kind.capacity = layout->max_entries;
  }
  hd_interned_key key{};
  const hd_interned_key* at = nullptr;
  while (bpf_map_get_next_key(interner.fd_, at, &key) == 0) {
    at = &key;
    std::uint32_t slot = 0;
    const auto kind = interner.kinds_.find(key.kind);
    if (kind == interner.kinds_.end() || bpf_map_lookup_elem(interner.fd_, &key, &slot) != 0) continue;
    bundle::Digest digest{};
    std::memcpy(digest.data(), key.digest, digest.size());
    kind->second.slots[digest] = slot;
    kind->second.in_force.insert(digest);
    kind->second.next = std::max(kind->second.next, slot + 1);
  }
  return interner;
}

void Interner::begin() {
  for (auto& [number, kind] : kinds_) kind.current.clear();
}

void Interner::commit() {
  for (auto& [number, kind] : kinds_) kind.in_force = kind.current;
}

Result<std::uint32_t> Interner::slot(hd_interned_kind number, const bundle::Digest& digest,
                                     std::span<const std::byte> first) {
  Kind& kind = kinds_[number];
  kind.current.insert(digest);
  if (const auto found = kind.slots.find(digest); found != kind.slots.end()) return found->second;
  Result<std::uint32_t> slot = take(kind, number);
  if (!slot) return slot;
  if (Result<void> started = start(kind, *slot, first); !started) return started.error();
  // Who had the slot before has left its figures there.
  if (number == HD_INTERNED_COUNTER) bpf_map_delete_elem(latency_, &*slot);
  const hd_interned_key key = key_of(number, digest);
  if (Result<void> written = write_entry(fd_, &key, &*slot); !written) return written.error();
  kind.slots[digest] = *slot;
  return slot;
}

Result<std::uint32_t> Interner::take(Kind& kind, std::uint32_t number) {
  if (kind.next < kind.capacity) return kind.next++;
  for (auto at = kind.slots.begin(); at != kind.slots.end(); ++at) {
    if (kind.current.contains(at->first) || kind.in_force.contains(at->first)) continue;
    const std::uint32_t slot = at->second;
    const hd_interned_key key = key_of(number, at->first);
    bpf_map_delete_elem(fd_, &key);
    kind.slots.erase(at);
    return slot;
  }
  return Error{ErrorKind::invalid,
               "the policy needs more than the " + std::to_string(kind.capacity) + " entries of `" +
                   kind.map + "`, the previous one's included",
               ""};
}

Result<void> Interner::start(const Kind& kind, std::uint32_t slot, std::span<const std::byte> first) const {
  Result<MapLayout> layout = map_layout(kind.fd);
  if (!layout) return layout.error();
  const bool per_cpu = layout->type == BPF_MAP_TYPE_PERCPU_ARRAY;
  const std::size_t cpus = per_cpu ? static_cast<std::size_t>(libbpf_num_possible_cpus()) : 1;
  std::vector<std::byte> value((layout->value_size + 7U) / 8U * 8U * cpus);
  std::copy(first.begin(), first.end(), value.begin());
  return write_entry(kind.fd, &slot, value.data());
}

Result<void> start_latency(const State& state, std::uint32_t slot) {
  const hd_latency zeros{};
  if (bpf_map_update_elem(state.fd("hd_latency"), &slot, &zeros, BPF_NOEXIST) != 0 && errno != EEXIST)
    return system_error("cannot write `hd_latency`", errno);
  return {};
}

Result<hd_latency> read_latency(const State& state, std::uint32_t slot) {
  hd_latency found{};
  if (bpf_map_lookup_elem(state.fd("hd_latency"), &slot, &found) != 0 && errno != ENOENT)
    return system_error("cannot read `hd_latency`", errno);
  return found;
}

Result<std::uint64_t> read_counter(const State& state, std::uint32_t slot) {
  std::vector<hd_counter> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  if (bpf_map_lookup_elem(state.fd("hd_counters"), &slot, values.data()) != 0) {
    return system_error("cannot read a counter", errno);
  }
  std::uint64_t sum = 0;
  for (const hd_counter& value : values) sum += value.decisions;
  return sum;
}

}  // namespace heddle::loader
