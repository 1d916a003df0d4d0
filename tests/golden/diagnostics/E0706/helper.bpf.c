#include <heddle/filter.h>

static long (*const bpf_trace_printk)(const char*, __u32, ...) = (void*)6;
int filter(const struct heddle_request* request) {
  char text[4] = "hi";
  bpf_trace_printk(text, 3);
  return 1;
}
