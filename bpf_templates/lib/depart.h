/* The step that cannot be taken back: a request that was decided leaves its client for a server. */
#ifndef HEDDLE_LIB_DEPART_H
#define HEDDLE_LIB_DEPART_H

#include "bpf_templates/lib/flow.h"
#include "bpf_templates/lib/message.h"

/* A link to the chosen endpoint: the one that the flow has kept, or one that waits. */
static __always_inline hd_u64 hd_find_link(struct hd_flow* flow, hd_u64 id, hd_u32 endpoint_state) {
  hd_u64 kept = flow->link;
  struct hd_link* link = kept ? hd_link_of(kept) : 0;
  int alive = link && HD_READ(link->state) == hd_state_word(kept, HD_LINK_HELD);
  if (alive && link->endpoint_state == endpoint_state) return kept;
  if (kept && !alive) {
    flow->link = 0;
    hd_give_back(kept, HD_LINK_HELD);
    kept = 0;
  }
  hd_u64 found = hd_take_link(endpoint_state, flow->worker, id);
  if (!found) return 0;
  flow->link = found;
  if (kept) hd_give_back(kept, HD_LINK_HELD);
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
  if (link) {
    bpf_msg_apply_bytes(msg, length);
    if (bpf_msg_redirect_hash(msg, &hd_servers, &link, BPF_F_INGRESS) == SK_PASS) return HD_FAST_REQUESTS;
    hd_kill_link(link);
  }
  hd_flow_step(flow, sent, HD_FLOW_SENT, HD_FLOW_ARMED);
  return link ? HD_FAST_FAILED : HD_FAST_NO_LINK;
}

#endif
