/* What the programs at both ends of a flow do with the message in hand, and how they count what it holds of memory. */
#ifndef HEDDLE_LIB_MESSAGE_H
#define HEDDLE_LIB_MESSAGE_H

#include "bpf_templates/lib/flow.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_queued SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, hd_u64);
  __type(value, struct hd_use);
} hd_use SEC(".maps");

/* LLVM moves the context's pointer to reach this field, which the verifier refuses. */
static __always_inline hd_u64 hd_message_size(struct sk_msg_md* msg) {
  hd_u64 size;
  asm volatile("%0 = *(u32*)(%1 + %2)" : "=r"(size) : "r"(msg), "i"(__builtin_offsetof(struct sk_msg_md, size)));
  return size;
}

static __always_inline hd_u64 hd_message_visible(struct sk_msg_md* msg) {
  return (hd_u64)((char*)(long)msg->data_end - (char*)(long)msg->data);
}

/* All that is left of the message goes over TCP, by a verdict of its own: an ordinary pass after a redirect would follow the
 * redirect. */
static __always_inline int hd_pass(struct sk_msg_md* msg, void* sockets, hd_u64* own) {
  bpf_msg_apply_bytes(msg, 0);
  return (int)bpf_msg_redirect_hash(msg, sockets, own, 0);
}

static __always_inline struct hd_use* hd_use_of(hd_u64 cgroup) {
  struct hd_use none = {};
  struct hd_use* use = bpf_map_lookup_elem(&hd_use, &cgroup);
  if (use) return use;
  bpf_map_update_elem(&hd_use, &cgroup, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&hd_use, &cgroup);
}

static __always_inline void hd_add_queued(hd_u64 cgroup, hd_u64 bytes) {
  hd_u32 zero = 0;
  hd_u64* all = bpf_map_lookup_elem(&hd_queued, &zero);
  if (all) __sync_fetch_and_add(all, bytes);
  struct hd_use* use = bpf_map_lookup_elem(&hd_use, &cgroup);
  if (use) __sync_fetch_and_add(&use->queued, bytes);
}

/* Whether the bounds allow something more to be queued for clients of this cgroup. */
static __always_inline int hd_has_room(hd_u64 cgroup) {
  hd_u32 zero = 0;
  hd_u64* all = bpf_map_lookup_elem(&hd_queued, &zero);
  if (!all || HD_READ(*all) > HD_FAST_QUEUED_NODE - HD_FAST_RESPONSE_MAX) return 0;
  struct hd_use* use = bpf_map_lookup_elem(&hd_use, &cgroup);
  return use && HD_READ(use->queued) <= HD_FAST_QUEUED_WORKLOAD - HD_FAST_RESPONSE_MAX;
}

/* Altogether `bytes` lie in queues for this flow now. The first of them are not counted: what clients may have without being
 * counted is bounded by their number. 0: the bounds do not allow it, and nothing is counted. */
static __always_inline int hd_charge(struct hd_flow* flow, hd_u64 bytes) {
  hd_u64 counted = HD_READ(flow->queued);
  if (bytes <= HD_FAST_UNCOUNTED || bytes <= counted) return 1;
  if (!hd_has_room(flow->cgroup)) return 0;
  flow->queued = bytes;
  hd_add_queued(flow->cgroup, bytes - counted);
  return 1;
}

/* Everything that was queued for this flow has been read. */
static __always_inline void hd_uncharge(struct hd_flow* flow) {
  hd_u64 bytes = HD_READ(flow->queued);
  if (!bytes) return;
  bytes = __sync_lock_test_and_set(&flow->queued, 0);
  hd_add_queued(flow->cgroup, -bytes);
}

#endif
