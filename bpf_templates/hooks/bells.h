/* Telling a worker that something waits for it, or went wrong. */
#ifndef HEDDLE_HOOKS_BELLS_H
#define HEDDLE_HOOKS_BELLS_H

#include "bpf_templates/lib/flow.h"

struct hd_ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, HD_WORKERS_MAX);
  __type(key, hd_u32);
  __array(values, struct hd_ring);
} hd_bells SEC(".maps");

/* A full ring needs no further record: the worker looks at everything it has when it wakes. */
static __always_inline void hd_ring_bell(hd_u32 worker, hd_u64 id, hd_u32 kind) {
  struct hd_bell bell = {.id = id, .kind = kind};
  void* ring = bpf_map_lookup_elem(&hd_bells, &worker);
  if (ring) bpf_ringbuf_output(ring, &bell, sizeof(bell), BPF_RB_FORCE_WAKEUP);
}

static __always_inline void hd_ring_flow(struct hd_flow* flow, hd_u64 id) { hd_ring_bell(flow->worker, id, HD_BELL_FLOW); }

static __always_inline void hd_ring_link(hd_u64 id) {
  struct hd_link* link = hd_link_of(id);
  if (link) hd_ring_bell(link->worker, id, HD_BELL_LINK);
}

/* Bytes of this flow are lost, in whatever state it is. */
static __always_inline void hd_break_flow(struct hd_flow* flow, hd_u64 id) {
  for (int i = 0; i < 4; i++) {
    hd_u64 word = HD_READ(flow->state);
    if (HD_FLOW_GENERATION(word) != HD_ID_GENERATION(id) || HD_FLOW_STATE(word) == HD_FLOW_TAKEN) return;
    if (HD_SWAP(&flow->state, word, hd_state_word(id, HD_FLOW_BROKEN)) == word) break;
  }
  hd_ring_flow(flow, id);
}

#endif
