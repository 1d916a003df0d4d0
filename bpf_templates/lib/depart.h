/* The step that cannot be taken back: a request that was decided leaves its client for a server. */
#ifndef HEDDLE_LIB_DEPART_H
#define HEDDLE_LIB_DEPART_H

#include "bpf_templates/lib/ended.h"
#include "bpf_templates/lib/flow.h"
#include "bpf_templates/lib/message.h"

/* Connections to the endpoint are not scarce: who has used one may keep it, and need not look for one on a list that all
 * processors change. */
static __always_inline int hd_is_plentiful(hd_u32 endpoint_state) {
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &endpoint_state);
  return state && !state->connections_max && HD_READ(state->connections) <= HD_SPARE_CONNECTIONS;
}

static __always_inline int hd_is_held(struct hd_link* link, hd_u64 id) {
  return HD_READ(link->state) == hd_state_word(id, HD_LINK_HELD);
}

/* The link to the endpoint that is among the spare ones, and a place among them that is free; HD_SPARE_LINKS: none. */
static __always_inline hd_u64 hd_take_spare(struct hd_flow* flow, hd_u32 endpoint_state, hd_u32* place) {
  hd_u64 found = 0;
  *place = HD_SPARE_LINKS;
  for (hd_u32 i = 0; i < HD_SPARE_LINKS; i++) {
    hd_u64 spare = flow->spare[i];
    struct hd_link* link = spare ? hd_link_of(spare) : 0;
    if (link && (found || (hd_is_held(link, spare) && link->endpoint_state != endpoint_state))) continue;
    *place = i;
    if (!link) continue;
    flow->spare[i] = 0;
    if (hd_is_held(link, spare)) {
      found = spare;
    } else {
      hd_give_back(spare, HD_LINK_HELD);
    }
  }
  return found;
}

static __always_inline void hd_keep_spare(struct hd_flow* flow, hd_u64 id, hd_u32 endpoint_state, hd_u32 place) {
  if (place >= HD_SPARE_LINKS || !hd_is_plentiful(endpoint_state)) {
    hd_give_back(id, HD_LINK_HELD);
  } else if (place == 0) { /* no variable index: the verifier forgets what it knew of it */
    flow->spare[0] = id;
  } else if (place == 1) {
    flow->spare[1] = id;
  } else {
    flow->spare[2] = id;
  }
}

/* A link to the chosen endpoint: the one that the flow used last, one that it has kept, or one that waits. */
static __always_inline hd_u64 hd_find_link(struct hd_flow* flow, hd_u64 id, hd_u32 endpoint_state) {
  hd_u64 kept = flow->link;
  struct hd_link* link = kept ? hd_link_of(kept) : 0;
  int alive = link && hd_is_held(link, kept);
  if (alive && link->endpoint_state == endpoint_state) return kept;
  if (kept && !alive) {
    flow->link = 0;
    hd_give_back(kept, HD_LINK_HELD);
    kept = 0;
  }
  hd_u32 place, other = link ? link->endpoint_state : HD_NONE;
  hd_u64 found = hd_take_spare(flow, endpoint_state, &place);
  if (!found) found = hd_take_link(endpoint_state, flow->worker, id);
  if (!found) return 0;
  flow->link = found;
  if (kept) hd_keep_spare(flow, kept, other, place);
  return found;
}

/* `length` bytes of the message, which lie in one element of it, go to a server of flow->decision. What can fail comes before
 * anything that counts. */
static __always_inline hd_u32 hd_depart(struct sk_msg_md* msg, struct hd_flow* flow, hd_u64 id, hd_u64 armed, hd_u32 length,
                                        hd_u32 timeout_ms) {
  hd_u64 now = bpf_ktime_get_ns(), sent = HD_FLOW_NEXT(HD_FLOW_BASE(armed));
  flow->begin_ns = now;
  flow->deadline_ns = timeout_ms ? now + (hd_u64)timeout_ms * 1000000 : 0;
  flow->bytes_in = length;
  flow->bytes_out = 0;
  flow->status = 0;
  flow->room = HD_FAST_RESPONSE_MAX;
  if (HD_SWAP(&flow->state, armed, sent | HD_FLOW_SENT) != armed) return HD_FAST_NOT_ARMED;
  if (!hd_charge(flow, length + HD_MESSAGE_OVERHEAD)) {
    hd_flow_step(flow, sent, HD_FLOW_SENT, HD_FLOW_ARMED);
    return HD_FAST_NO_MEMORY;
  }
  hd_u64 link = hd_find_link(flow, id, flow->decision.endpoint_state);
  struct hd_link* to = link ? hd_link_of(link) : 0;
  if (to) {
    flow->server_socket = to->server_socket;
    bpf_msg_apply_bytes(msg, length);
    if (bpf_msg_redirect_hash(msg, &hd_servers, &link, BPF_F_INGRESS) == SK_PASS) return HD_FAST_REQUESTS;
    hd_kill_link(link);
  }
  hd_flow_step(flow, sent, HD_FLOW_SENT, HD_FLOW_ARMED);
  return link ? HD_FAST_FAILED : HD_FAST_NO_LINK;
}

#endif
