/* A program that no verifier takes: it never ends. */
#include "bpf_templates/lib/bpf.h"

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr* ctx) {
  for (;;) asm volatile("" ::"r"(ctx));
  return 1;
}

char hd_license[] SEC("license") = "GPL";
