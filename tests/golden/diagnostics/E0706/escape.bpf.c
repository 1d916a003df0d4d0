#include <heddle/filter.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

int filter(const struct heddle_request* request) {
  __u32 zero = 0;
  __u64* value = bpf_map_lookup_elem(&seen, &zero);
  if (value) *value = (__u64)request;
  return 0;
}
