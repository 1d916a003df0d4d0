/* Where tracing programs load: what the kernel's redirect function did is seen when it returns. Bytes that did not move, or
 * not all of them, end the flow; a response whose last piece lies in the client's queue arms it again. */
#ifndef HEDDLE_HOOKS_TRACE_H
#define HEDDLE_HOOKS_TRACE_H

#include "bpf_templates/hooks/bells.h"
#include "bpf_templates/hooks/kernel.h"

#include <bpf/bpf_tracing.h>

static __always_inline void hd_moved_to_client(struct hd_flow* flow, hd_u64 id, hd_u32 left, int result) {
  hd_u64 word = HD_READ(flow->state), base = HD_FLOW_BASE(word);
  hd_u32 state = HD_FLOW_STATE(word);
  if (!hd_is_of(word, id) || (state != HD_FLOW_DONE && state != HD_FLOW_ANSWERING)) return;
  if (result < 0 || left != flow->expect) {
    hd_note(HD_FAST_BROKEN);
    return hd_break_flow(flow, id);
  }
  if (state == HD_FLOW_DONE && hd_flow_move(flow, base, HD_FLOW_DONE, HD_FLOW_ARMED) == 2) hd_ring_flow(flow, id);
}

static __always_inline void hd_moved_to_server(hd_u64 link_id, int result) {
  struct hd_link* link = hd_link_of(link_id);
  hd_u64 id = link ? HD_READ(link->flow) : 0;
  struct hd_flow* flow = id ? hd_flow_of(id) : 0;
  if (!flow || result >= 0) return;
  hd_u64 word = HD_READ(flow->state);
  if (!hd_is_of(word, id) || HD_FLOW_STATE(word) != HD_FLOW_SENT || flow->link != link_id) return;
  hd_note(HD_FAST_BROKEN);
  hd_break_flow(flow, id);
}

SEC("fexit/tcp_bpf_sendmsg_redir")
int BPF_PROG(hd_moved, struct sock* sk, _Bool ingress, struct sk_msg* msg, unsigned int bytes, int flags, int result) {
  if (!ingress) return 0;
  struct hd_connection* client = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (client) {
    struct hd_flow* flow = hd_flow_of(client->flow);
    if (flow && client->flow) hd_moved_to_client(flow, client->flow, msg->sg.size, result);
    return 0;
  }
  struct hd_link_end* server = bpf_sk_storage_get(&hd_link_ends, sk, 0, 0);
  if (server && server->link) hd_moved_to_server(server->link, result);
  return 0;
}

#endif
