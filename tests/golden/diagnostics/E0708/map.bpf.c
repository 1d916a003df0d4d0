#include <heddle/filter.h>

struct {
  __uint(type, 9);
  __uint(max_entries, 4);
  __type(key, __u32);
  __type(value, __u64);
} seen SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 4);
  __type(key, __u64);
  __type(value, __u64);
} wide SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(pinning, 1);
  __uint(max_entries, 4);
  __type(key, __u64);
  __type(value, __u64);
} pinned SEC(".maps");
int filter(const struct heddle_request* request) {
  return 0;
}
