#include <heddle/filter.h>

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

int filter(const struct heddle_request* request) {
  __u64 room[40];
  for (int i = 0; i < 40; i++) room[i] = bpf_ktime_get_ns();
  return room[request->path_length % 40] & 1;
}
