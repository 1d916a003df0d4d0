/* What the end of a request or connection says of its endpoint: it is one less on its way, and one more success or
 * failure. Of maps only those that outlive generations are used, because permanent programs call this too. */
#ifndef HEDDLE_LIB_ENDED_H
#define HEDDLE_LIB_ENDED_H

#include "bpf_templates/lib/bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 16384);
  __type(key, hd_u32);
  __type(value, struct hd_endpoint_state);
} hd_endpoint_state SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1024);
  __type(key, hd_u32);
  __type(value, struct hd_eject_group);
} hd_eject_groups SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 32768); /* as hd_counters */
  __type(key, hd_u32);
  __type(value, struct hd_latency);
} hd_latency SEC(".maps");

#define HD_STATUS_NOT_ASKED HD_NONE /* the endpoint has seen nothing of the request */

struct hd_ejecting {
  hd_u64 now;
  hd_u32 at;
  hd_u32 out;     /* ejected, or not healthy */
  hd_u32 ejected;
};

static long hd_count_out(hd_u32 index, struct hd_ejecting* look) {
  (void)index;
  hd_u32 slot = look->at;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (!state) return 1;
  hd_u32 ejected = state->ejected_until > look->now;
  look->ejected += ejected;
  look->out += ejected || state->unhealthy;
  look->at = state->eject_next;
  return 0;
}

/* The group is counted anew each time, so that an ejection that has run out needs nobody to notice it. Only one looks
 * at a time, or two could eject the last two endpoints together; who comes in between lets it be: as long as the
 * endpoint fails, its next failure tries again. */
static __always_inline void hd_eject(struct hd_endpoint_state* state, hd_u32 slot, hd_u64 now) {
  hd_u32 number = state->eject_group;
  struct hd_eject_group* group = bpf_map_lookup_elem(&hd_eject_groups, &number);
  if (!group) return;
  hd_u32 before = group->ejected;
  if (before & HD_EJECT_LOCK) return;
  if (__sync_val_compare_and_swap(&group->ejected, before, before | HD_EJECT_LOCK) != before) return;
  struct hd_ejecting look = {.now = now, .at = slot};
  hd_u32 count = state->eject_count;
  bpf_loop(count, hd_count_out, &look, 0);
  if (look.ejected < group->allowed && look.out + 1 < count) {
    state->failures = 0;
    state->ejected_until = now + (hd_u64)state->eject_ms * 1000000;
    look.ejected += 1;
  }
  __sync_lock_test_and_set(&group->ejected, look.ejected);
}

/* One more is on its way to the endpoint that was decided for. Counted only where somebody asks: the processors of clients and
 * servers would take the counter from each other with every request. */
static __always_inline void hd_began(const struct hd_decision* decision) {
  hd_u32 slot = decision->endpoint_state;
  if (!decision->counted) return;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (state) __sync_fetch_and_add(&state->in_flight, 1);
}

/* `status` is what the client saw, 0 for a tcp connection. Once for each decision to forward that was counted. */
static __always_inline void hd_ended(const struct hd_decision* decision, hd_u32 status, hd_u32 event_flags, hd_u64 now) {
  hd_u32 slot = decision->endpoint_state;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (!state) return;
  /* Never below zero: a loader may have begun the slot anew meanwhile. */
  if (decision->counted && __sync_fetch_and_add(&state->in_flight, -1) == 0) __sync_fetch_and_add(&state->in_flight, 1);
  if (status == HD_STATUS_NOT_ASKED || !state->eject_after || state->ejected_until > now) return;
  hd_u32 failing = HD_EVENT_CONNECT_FAILED | HD_EVENT_SERVER_ABORTED | HD_EVENT_TIMEOUT;
  if ((event_flags & failing) || (status >= 500 && status < 600)) {
    hd_u32 failures = __sync_fetch_and_add(&state->failures, 1) + 1;
    if (failures >= state->eject_after) hd_eject(state, slot, now);
    return;
  }
  /* Who goes away before the answer says nothing of the endpoint. */
  if (event_flags & HD_EVENT_CLIENT_ABORTED) return;
  if (state->failures) state->failures = 0;
}

/* A request that the rule of counter `slot` ended took so long. */
static __always_inline void hd_latency_of(hd_u32 slot, hd_u64 latency_ns) {
  struct hd_latency* latency = bpf_map_lookup_elem(&hd_latency, &slot);
  if (!latency) return;
  hd_u64 us = latency_ns / 1000, bucket = 0;
  if (us >> 32) us = 0xffffffff;
  /* The number of bits of it. */
  if (us >> 16) bucket += 16, us >>= 16;
  if (us >> 8) bucket += 8, us >>= 8;
  if (us >> 4) bucket += 4, us >>= 4;
  if (us >> 2) bucket += 2, us >>= 2;
  if (us >> 1) bucket += 1, us >>= 1;
  bucket += us;
  if (bucket >= HD_LATENCY_BUCKETS) bucket = HD_LATENCY_BUCKETS - 1;
  HD_OPAQUE(bucket);
  __sync_fetch_and_add(&latency->buckets[bucket & (HD_LATENCY_BUCKETS - 1)], 1);
}

#endif
