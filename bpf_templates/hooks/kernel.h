/* The few fields of the kernel's own structures that the hooks look at; where they lie is found out when a program is
 * loaded. */
#ifndef HEDDLE_HOOKS_KERNEL_H
#define HEDDLE_HOOKS_KERNEL_H

#include "bpf_templates/lib/bpf.h"

#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  int counter;
} atomic_t;

typedef struct refcount_struct {
  atomic_t refs;
} refcount_t;

struct qspinlock {
  atomic_t val;
};

struct raw_spinlock {
  struct qspinlock raw_lock;
};

typedef struct spinlock {
  struct raw_spinlock rlock;
} spinlock_t;

typedef struct {
  spinlock_t slock;
  int owned;
} socket_lock_t;

struct hlist_node {
  struct hlist_node* next;
  struct hlist_node** pprev;
};

struct timer_list {
  struct hlist_node entry;
  unsigned long expires;
};

struct sock_common {
  refcount_t skc_refcnt;
  volatile unsigned char skc_state;
};

struct sock {
  struct sock_common __sk_common;
  socket_lock_t sk_lock;
  struct {
    atomic_t rmem_alloc;
  } sk_backlog;
  struct timer_list sk_timer;
};

struct inet_sock {
  struct sock sk;
};

struct inet_connection_sock {
  struct inet_sock icsk_inet;
  struct timer_list icsk_retransmit_timer;
  struct timer_list icsk_delack_timer;
};

struct tcp_sock {
  struct inet_connection_sock inet_conn;
  __u32 write_seq;
  __u32 copied_seq;
  _Bool is_mptcp;
};

struct sk_msg_sg {
  __u32 size;
};

struct sk_msg {
  struct sk_msg_sg sg;
};

#pragma clang attribute pop

#endif
