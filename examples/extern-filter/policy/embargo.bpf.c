// Holds for clients whose country is closed. Both maps are filled by whoever runs the node (demo.sh does it with bpftool).
#include <heddle/filter.h>

// A client's address -> the two letters of its country.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, struct heddle_address);
  __type(value, __u16);
  __uint(map_flags, BPF_F_NO_PREALLOC);
} countries SEC(".maps");

// The letters of a country -> how many requests it was refused.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, __u16);
  __type(value, __u64);
} closed SEC(".maps");

int filter(const struct heddle_request* request) {
  struct heddle_address client = heddle_address_of(request->source);
  __u16* country = bpf_map_lookup_elem(&countries, &client);
  if (!country) return 0;
  __u16 letters = *country;
  __u64* refused = bpf_map_lookup_elem(&closed, &letters);
  if (!refused) return 0;
  __sync_fetch_and_add(refused, 1);
  return 1;
}
