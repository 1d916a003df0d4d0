#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  char room[request->path_length];
  room[0] = 1;
  for (int i = 0; i < 40; i++) room[i] = bpf_ktime_get_ns();
  return room[request->host_length];
}
