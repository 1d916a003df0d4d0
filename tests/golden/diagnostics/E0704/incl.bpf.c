#include <linux/bpf.h>
#include <heddle/filter.h>
int filter(const struct heddle_request* request) {
  return 0;
}
