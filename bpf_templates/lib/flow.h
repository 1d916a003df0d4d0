/* Flows and links: giving them, changing their state, and the lists of links that wait. User space changes the same
 * words, so everything here is compare-and-swap. */
#ifndef HEDDLE_LIB_FLOW_H
#define HEDDLE_LIB_FLOW_H

#include "bpf_templates/lib/state.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, HD_FLOWS_MAX);
  __type(key, hd_u32);
  __type(value, struct hd_flow);
} hd_flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, HD_LINKS_MAX);
  __type(key, hd_u32);
  __type(value, struct hd_link);
} hd_links SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct hd_idle_key);
  __type(value, hd_u64);
} hd_idle_links SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hd_link_end);
} hd_link_ends SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SOCKHASH);
  __uint(max_entries, HD_FLOWS_MAX);
  __type(key, hd_u64);
  __type(value, hd_u64);
} hd_clients SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SOCKHASH);
  __uint(max_entries, HD_LINKS_MAX);
  __type(key, hd_u64);
  __type(value, hd_u64);
} hd_servers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, HD_FAST_COUNTERS);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_fast SEC(".maps");

#define HD_SWAP(word, from, to) __sync_val_compare_and_swap(word, from, to)

static __always_inline void hd_note(hd_u32 what) {
  hd_u64* counter = bpf_map_lookup_elem(&hd_fast, &what);
  if (counter) __sync_fetch_and_add(counter, 1);
}

static __always_inline struct hd_flow* hd_flow_of(hd_u64 id) {
  hd_u32 index = HD_ID_INDEX(id);
  return bpf_map_lookup_elem(&hd_flows, &index);
}

static __always_inline struct hd_link* hd_link_of(hd_u64 id) {
  hd_u32 index = HD_ID_INDEX(id);
  return bpf_map_lookup_elem(&hd_links, &index);
}

static __always_inline int hd_is_of(hd_u64 word, hd_u64 id) { return HD_FLOW_GENERATION(word) == HD_ID_GENERATION(id); }

static __always_inline hd_u64 hd_state_word(hd_u64 id, hd_u32 state) { return id >> 32 << 32 | state; }

/* Changes the state of a flow, and takes HD_FLOW_WAIT from it. `base`: HD_FLOW_BASE of the word that was read before
 * anything was concluded. 0: somebody else has changed it; 1: changed; 2: changed, and there was somebody waiting. */
static __always_inline int hd_flow_move(struct hd_flow* flow, hd_u64 base, hd_u32 from, hd_u32 to) {
  hd_u64 word = base | from, next = base | to;
  hd_u64 seen = HD_SWAP(&flow->state, word, next);
  if (seen == word) return 1;
  if (seen != (word | HD_FLOW_WAIT)) return 0;
  return HD_SWAP(&flow->state, seen, next) == seen ? 2 : 0;
}

/* The same, but who waits goes on waiting. */
static __always_inline int hd_flow_step(struct hd_flow* flow, hd_u64 base, hd_u32 from, hd_u32 to) {
  hd_u64 word = base | from, next = base | to;
  hd_u64 seen = HD_SWAP(&flow->state, word, next);
  if (seen == word) return 1;
  if (seen != (word | HD_FLOW_WAIT)) return 0;
  return HD_SWAP(&flow->state, seen, next | HD_FLOW_WAIT) == seen;
}

/* The base of an armed flow's word; 0: it is not armed, or not this one. */
static __always_inline hd_u64 hd_armed(hd_u64 word, hd_u64 id) {
  return hd_is_of(word, id) && (word & 31) == HD_FLOW_ARMED ? HD_FLOW_BASE(word) : 0;
}

/* ---- links */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_free_lists SEC(".maps");

enum { HD_FREE_FLOWS = 0, HD_FREE_LINKS = 1 };

#define HD_LIST_TRIES 8

/* A list's head: index + 1 of the first, and a number that grows, so that a head which came back is another one. */
static __always_inline hd_u64 hd_list_head(hd_u64 old, hd_u32 first) {
  return ((old >> 32) + 1) << 32 | first;
}

static __always_inline void hd_push_link(hd_u64* head, struct hd_link* link, hd_u32 index) {
  for (int i = 0; i < HD_LIST_TRIES; i++) {
    hd_u64 old = HD_READ(*head);
    link->next = (hd_u32)old;
    if (HD_SWAP(head, old, hd_list_head(old, index + 1)) == old) return;
  }
  /* Lost in this race, and with it one link: nothing wrong is done, and its connection is closed by its age. */
}

static __always_inline hd_u32 hd_pop_link(hd_u64* head) {
  for (int i = 0; i < HD_LIST_TRIES; i++) {
    hd_u64 old = HD_READ(*head);
    hd_u32 first = (hd_u32)old, index = first - 1;
    if (!first) return 0;
    struct hd_link* link = bpf_map_lookup_elem(&hd_links, &index);
    if (!link) return 0;
    if (HD_SWAP(head, old, hd_list_head(old, HD_READ(link->next))) == old) return first;
  }
  return 0;
}

/* One of those who refer to a link lets go of it. */
static __always_inline void hd_put_link(struct hd_link* link, hd_u32 index) {
  hd_u32 which = HD_FREE_LINKS;
  if (__sync_fetch_and_add(&link->references, -1) != 1) return;
  hd_u64* head = bpf_map_lookup_elem(&hd_free_lists, &which);
  link->state = link->state >> 32 << 32 | HD_LINK_FREE;
  if (head) hd_push_link(head, link, index);
}

static __always_inline hd_u64* hd_idle_list(hd_u32 endpoint_state, hd_u32 worker, int make) {
  struct hd_idle_key key = {.endpoint_state = endpoint_state, .worker = worker};
  hd_u64 empty = 0;
  hd_u64* head = bpf_map_lookup_elem(&hd_idle_links, &key);
  if (head || !make) return head;
  bpf_map_update_elem(&hd_idle_links, &key, &empty, BPF_NOEXIST);
  return bpf_map_lookup_elem(&hd_idle_links, &key);
}

/* A held link, or a new one, waits on its list from here on; whoever held it has forgotten it before. */
__attribute__((noinline)) int hd_give_back(hd_u64 id, hd_u32 from) {
  struct hd_link* link = hd_link_of(id);
  if (!link) return 0;
  hd_u64* head = hd_idle_list(link->endpoint_state, link->worker, 1);
  link->flow = 0;
  link->idle_since = bpf_ktime_get_ns();
  if (head && HD_SWAP(&link->state, hd_state_word(id, from), hd_state_word(id, HD_LINK_IDLE)) == hd_state_word(id, from)) {
    hd_push_link(head, link, HD_ID_INDEX(id));
    return 1;
  }
  hd_put_link(link, HD_ID_INDEX(id));
  return 0;
}

/* An idle link to an endpoint, now held by the flow; 0: there is none. */
__attribute__((noinline)) hd_u64 hd_take_link(hd_u32 endpoint_state, hd_u32 worker, hd_u64 flow) {
  hd_u64* head = hd_idle_list(endpoint_state, worker, 0);
  for (int i = 0; head && i < 4; i++) {
    hd_u32 first = hd_pop_link(head), index = first - 1;
    if (!first) return 0;
    struct hd_link* link = bpf_map_lookup_elem(&hd_links, &index);
    if (!link) return 0;
    hd_u64 word = HD_READ(link->state);
    if ((hd_u32)word == HD_LINK_IDLE && HD_SWAP(&link->state, word, word + (HD_LINK_HELD - HD_LINK_IDLE)) == word) {
      link->flow = flow;
      return word >> 32 << 32 | index;
    }
    hd_put_link(link, index); /* it died while it waited */
  }
  return 0;
}

/* No request goes over this link any more. Whoever holds it, and U's owner, let go of it in their time. */
__attribute__((noinline)) int hd_kill_link(hd_u64 id) {
  struct hd_link* link = hd_link_of(id);
  if (!link) return 0;
  for (hd_u32 state = HD_LINK_OPENING; state < HD_LINK_DEAD; state++) {
    if (HD_SWAP(&link->state, hd_state_word(id, state), hd_state_word(id, HD_LINK_DEAD)) == hd_state_word(id, state)) return 1;
  }
  return 0;
}

#endif
