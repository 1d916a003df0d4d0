#include <heddle/filter.h>

int filter(const struct heddle_request* request) {
  __u32 sum = 0;
  for (__u32 i = 0; i < request->path_length; i++)
    sum = sum * 31 + request->path[i & 511];
  return sum & 1;
}
