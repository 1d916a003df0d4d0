/* Whether what a server's program has let go to a client lies in the client's queue by now.
 *
 * The kernel runs the program at S first, and moves the bytes later, when it has released S's lock. From the verdict to
 * the end of the move it holds a reference on C. The reference is taken under S's lock; so: S's lock is free, and then
 * nobody refers to C but C itself and those of its timers that run: then the move has ended. */
#ifndef HEDDLE_HOOKS_LANDED_H
#define HEDDLE_HOOKS_LANDED_H

#include "bpf_templates/hooks/kernel.h"

static __always_inline int hd_is_owned(hd_u64 socket) {
  return BPF_CORE_READ((struct sock*)socket, sk_lock.owned);
}

static __always_inline int hd_is_pending(struct hlist_node** pprev) { return pprev != 0; }

/* Asked by a program at C, under C's lock: no timer of C begins meanwhile; one that ends gives its reference back later. */
static __always_inline int hd_has_landed(hd_u64 server, struct tcp_sock* client, hd_u32 own_references) {
  struct inet_connection_sock* own = &client->inet_conn;
  struct sock* sk = &own->icsk_inet.sk;
  if (hd_is_owned(server)) return 0;
  asm volatile("" ::: "memory");
  int references = *(volatile int*)&sk->__sk_common.skc_refcnt.refs.counter, explained = (int)own_references;
  asm volatile("" ::: "memory");
  explained += hd_is_pending(own->icsk_retransmit_timer.entry.pprev);
  explained += hd_is_pending(own->icsk_delack_timer.entry.pprev);
  explained += hd_is_pending(sk->sk_timer.entry.pprev);
  return references <= explained;
}

/* Who asks from elsewhere may see a timer end and its reference go between two looks: nothing may have changed from before the
 * count to after it, not even when a timer is due. */
struct hd_timers {
  hd_u64 pending[3];
  hd_u64 due[3];
};

static __always_inline void hd_read_timers(hd_u64 client, struct hd_timers* timers) {
  struct inet_connection_sock* own = (struct inet_connection_sock*)client;
  timers->pending[0] = (hd_u64)BPF_CORE_READ(own, icsk_retransmit_timer.entry.pprev) != 0;
  timers->pending[1] = (hd_u64)BPF_CORE_READ(own, icsk_delack_timer.entry.pprev) != 0;
  timers->pending[2] = (hd_u64)BPF_CORE_READ(own, icsk_inet.sk.sk_timer.entry.pprev) != 0;
  timers->due[0] = BPF_CORE_READ(own, icsk_retransmit_timer.expires);
  timers->due[1] = BPF_CORE_READ(own, icsk_delack_timer.expires);
  timers->due[2] = BPF_CORE_READ(own, icsk_inet.sk.sk_timer.expires);
}

/* The kernel sets a timer first and takes its reference next, both under the socket's lock. */
static __always_inline int hd_is_locked(hd_u64 socket) {
  return hd_is_owned(socket) || BPF_CORE_READ((struct sock*)socket, sk_lock.slock.rlock.raw_lock.val.counter);
}

static __always_inline int hd_has_landed_elsewhere(hd_u64 server, hd_u64 client, hd_u32 own_references) {
  struct hd_timers before = {}, after = {};
  if (hd_is_owned(server)) return 0;
  hd_read_timers(client, &before);
  if (hd_is_locked(client)) return 0;
  int references = BPF_CORE_READ((struct sock*)client, __sk_common.skc_refcnt.refs.counter);
  int explained = (int)own_references;
  hd_read_timers(client, &after);
  for (int i = 0; i < 3; i++) {
    if (before.pending[i] != after.pending[i] || before.due[i] != after.due[i]) return 0;
    explained += (int)before.pending[i];
  }
  return references <= explained;
}

static __always_inline int hd_unread_of(hd_u64 socket) {
  return BPF_CORE_READ((struct sock*)socket, sk_backlog.rmem_alloc.counter);
}

#endif
