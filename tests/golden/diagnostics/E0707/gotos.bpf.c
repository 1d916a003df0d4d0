#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  __u32 i = 0;
  if (request->path_length & 1) goto b;
a:
  i += bpf_get_prandom_u32();
b:
  i ^= bpf_get_prandom_u32();
  if (i & 5) goto a;
  return 1;
}
