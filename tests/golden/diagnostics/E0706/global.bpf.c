#include <heddle/filter.h>

static __u64 count;
int filter(const struct heddle_request* request) {
  return count++ & 1;
}
