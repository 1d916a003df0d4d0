#include <heddle/filter.h>

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4);
  __type(key, struct heddle_address);
  __type(value, __u64);
} seen SEC(".maps");

int filter(const struct heddle_request* request) {
  return bpf_map_lookup_elem(&seen, request->source) != NULL;
}
