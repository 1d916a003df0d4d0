/* A connection of Multipath TCP is judged like one of TCP, at its first subflow, and stays out of the maps of sockets: they
 * would take the subflow from its owner. */
#ifndef HEDDLE_HOOKS_MULTIPATH_H
#define HEDDLE_HOOKS_MULTIPATH_H

#include "bpf_templates/hooks/kernel.h"

extern int LINUX_KERNEL_VERSION __kconfig;

/* From here on the kernel gives such a listener's TCP connections the right operations even if they are in a map; before, it
 * takes them for connections of Multipath TCP. */
#define HD_KERNEL_TELLS_FALLBACK KERNEL_VERSION(6, 18, 0)

/* Is cloned into the sockets that the listener accepts; TCP's look like any other then. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, hd_u32);
} hd_of_multipath SEC(".maps");

static __always_inline int hd_is_multipath(struct bpf_sock* sk) {
  struct tcp_sock* tcp = bpf_skc_to_tcp_sock(sk);
  return tcp && bpf_core_field_exists(tcp->is_mptcp) && tcp->is_mptcp;
}

static __always_inline void hd_mark_listener(struct bpf_sock_ops* ops) {
  struct bpf_sock* sk = ops->sk;
  hd_u32 yes = 1;
  if (sk && hd_is_multipath(sk)) bpf_sk_storage_get(&hd_of_multipath, sk, &yes, BPF_SK_STORAGE_GET_F_CREATE);
}

/* Whether an accepted socket may be in a map. */
static __always_inline int hd_is_plain_tcp(struct bpf_sock* sk) {
  if (hd_is_multipath(sk)) return 0;
  return LINUX_KERNEL_VERSION >= HD_KERNEL_TELLS_FALLBACK || !bpf_sk_storage_get(&hd_of_multipath, sk, 0, 0);
}

#endif
