/* At a server's socket: the response to the request that was put into its queue goes straight to the client, as far as its
 * end can be told and the client may have so much of it unread. */
#ifndef HEDDLE_HOOKS_SERVER_H
#define HEDDLE_HOOKS_SERVER_H

#include "bpf_templates/hooks/bells.h"
#include "bpf_templates/hooks/pressure.h"
#include "bpf_templates/hooks/response.h"
#include "bpf_templates/lib/ended.h"
#include "bpf_templates/lib/message.h"

#define HD_SHORT_RESPONSE 1024

static __always_inline struct hd_response* hd_take_response(void) {
  hd_u32 place = bpf_get_smp_processor_id() * HD_PLACES_PER_CPU;
  for (int i = 0; i < HD_PLACES_PER_CPU; i++, place++) {
    struct hd_response* response = bpf_map_lookup_elem(&hd_responses, &place);
    if (response && HD_SWAP(&response->busy, 0, 1) == 0) return response;
  }
  return 0;
}

static __always_inline int hd_read_message(struct sk_msg_md* msg, struct hd_response* response, hd_u64 most, int to_head) {
  hd_u64 length = hd_message_visible(msg);
  if (length > most) length = most;
  HD_OPAQUE(length);
  if (length == 0 || length > HD_FAST_HEAD_MAX) return 0;
  if (bpf_probe_read_kernel(response->bytes, (hd_u32)length, (void*)(long)msg->data)) return -1;
  response->length = (hd_u32)length;
  return hd_read_response(response, to_head);
}

/* The beginning of a response: its whole length, and its status; 0: the handler has to read it. */
static __always_inline hd_u64 hd_begin_response(struct sk_msg_md* msg, int to_head, hd_u32* status) {
  struct hd_response* response = hd_take_response();
  hd_u64 size = hd_message_size(msg), whole = 0;
  if (!response) return 0;
  int found = hd_read_message(msg, response, HD_SHORT_RESPONSE, to_head);
  if (found == 0) {
    hd_u64 window = size < HD_FAST_HEAD_MAX ? size : HD_FAST_HEAD_MAX;
    if (hd_message_visible(msg) >= window || !bpf_msg_pull_data(msg, 0, (hd_u32)window, 0))
      found = hd_read_message(msg, response, HD_FAST_HEAD_MAX, to_head);
  }
  if (found > 0) {
    *status = response->status;
    whole = response->end + response->body;
  }
  response->busy = 0;
  return whole;
}

static __always_inline void hd_emit_of_flow(struct hd_flow* flow, hd_u8 flags, hd_u64 now, hd_u64 latency_ns) {
  struct hd_event* event = bpf_ringbuf_reserve(&hd_events, sizeof(*event), 0);
  if (!event) return hd_lose_event();
  *event = (struct hd_event){.time_ns = now,
                             .latency_ns = latency_ns,
                             .bytes_in = flow->bytes_in,
                             .bytes_out = flow->bytes_out,
                             .cgroup = flow->cgroup,
                             .netns_cookie = flow->netns_cookie,
                             .source_port = (hd_u16)flow->source_port,
                             .tier = HD_TIER_KERNEL,
                             .flags = flags,
                             .status = flow->status,
                             .decision = flow->decision};
  hd_copy_address(event->source, flow->source);
  bpf_ringbuf_submit(event, 0);
}

/* The response has ended: what is known of the request becomes an event and a place in the histogram. */
static __always_inline void hd_finish_flow(struct hd_flow* flow, hd_u8 flags) {
  hd_u64 now = bpf_ktime_get_ns(), latency_ns = now - flow->begin_ns;
  if (hd_wants_events()) hd_emit_of_flow(flow, flags, now, latency_ns);
  hd_ended(&flow->decision, flow->status, flags, now);
  hd_latency_of(flow->decision.counter, latency_ns);
}

/* A first message of a response: from here on the flow is ours until the response has ended. */
static __always_inline int hd_claim(struct sk_msg_md* msg, struct hd_flow* flow, hd_u64 base) {
  hd_u32 status = 0;
  hd_u64 whole = hd_begin_response(msg, flow->flags & HD_FLOW_HEAD, &status);
  if (!whole) {
    if (hd_flow_step(flow, base, HD_FLOW_SENT, HD_FLOW_FRAMED)) hd_note(HD_FAST_FRAMED);
    return 0;
  }
  if (!hd_flow_step(flow, base, HD_FLOW_SENT, HD_FLOW_ANSWERING)) return 0;
  flow->left = flow->bytes_out = whole;
  flow->status = (hd_u16)status;
  return 1;
}

/* How much of the message may be redirected now; it is counted. The request counts until the client has read the response. */
static __always_inline hd_u64 hd_share(struct hd_flow* flow, hd_u64 size) {
  hd_u64 most = flow->room > HD_MESSAGE_OVERHEAD ? flow->room - HD_MESSAGE_OVERHEAD : 0;
  hd_u64 now = flow->left < size ? flow->left : size;
  if (now > most) now = most;
  if (!now || hd_is_short_of_memory()) return 0;
  hd_u64 room = flow->room - now - HD_MESSAGE_OVERHEAD;
  if (!hd_charge(flow, HD_FAST_RESPONSE_MAX - room + flow->bytes_in)) return 0;
  flow->room = (hd_u32)room;
  return now;
}

/* The last piece. Traced, the flow is armed, and who waits is told, when it has landed. */
static __always_inline int hd_complete(struct hd_flow* flow, hd_u64 id, hd_u64 base) {
  hd_u32 zero = 0;
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  int traced = config && config->fast_path == HD_FAST_BY_TRACE;
  int moved = traced ? hd_flow_step(flow, base, HD_FLOW_ANSWERING, HD_FLOW_DONE)
                     : hd_flow_move(flow, base, HD_FLOW_ANSWERING, HD_FLOW_DONE);
  if (!moved) return 0;
  hd_finish_flow(flow, 0); /* nobody takes a flow before its last piece has landed, and that is after this run */
  hd_note(HD_FAST_RESPONSES);
  if (moved == 2) hd_ring_flow(flow, id);
  return 1;
}

/* A message of S that is not, or no more, to be redirected. */
static __always_inline int hd_unasked(hd_u64 word, hd_u64 id, hd_u64 link, hd_u64 used) {
  hd_u32 state = HD_FLOW_STATE(word);
  /* The rest of a response, or all of it, on its way over U. */
  if (hd_is_of(word, id) && used == link && (state == HD_FLOW_SPILL || state == HD_FLOW_FRAMED)) return 0;
  hd_note(HD_FAST_UNASKED);
  if (hd_kill_link(link)) hd_ring_link(link);
  return 0;
}

/* Takes what belongs to the response in hand out of the message: 1: it is redirected; 0: the message goes to U. */
static __always_inline int hd_answer(struct sk_msg_md* msg, struct hd_flow* flow, hd_u64 id, hd_u64 link) {
  hd_u64 size = hd_message_size(msg), word = HD_READ(flow->state), base = HD_FLOW_BASE(word), used = HD_READ(flow->link);
  hd_u32 state = HD_FLOW_STATE(word);
  if (!hd_is_of(word, id) || used != link || (state != HD_FLOW_SENT && state != HD_FLOW_ANSWERING))
    return hd_unasked(word, id, link, used);
  if (state == HD_FLOW_SENT && !hd_claim(msg, flow, base)) return 0;
  hd_u64 now = hd_share(flow, size);
  HD_OPAQUE(now);
  if (!now) {
    if (hd_flow_step(flow, base, HD_FLOW_ANSWERING, HD_FLOW_SPILL)) hd_note(HD_FAST_SPILLED);
    return 0;
  }
  flow->left -= now;
  flow->expect = (hd_u32)(size - now);
  if (!flow->left && !hd_complete(flow, id, base)) return 0;
  bpf_msg_apply_bytes(msg, (hd_u32)now);
  if (bpf_msg_redirect_hash(msg, &hd_clients, &id, BPF_F_INGRESS) == SK_PASS) return 1;
  hd_note(HD_FAST_BROKEN); /* the client has gone */
  hd_break_flow(flow, id);
  return 0;
}

SEC("sk_msg")
int hd_server_message(struct sk_msg_md* msg) {
  struct bpf_sock* sk = msg->sk;
  if (!sk) return SK_DROP;
  struct hd_link_end* end = bpf_sk_storage_get(&hd_link_ends, sk, 0, 0);
  struct hd_link* link = end ? hd_link_of(end->link) : 0;
  if (!end || !link) return SK_DROP; /* enrolled sockets have both for as long as they live */
  hd_u64 id = HD_READ(link->flow);
  struct hd_flow* flow = id ? hd_flow_of(id) : 0;
  if (flow && hd_answer(msg, flow, id, end->link)) return SK_PASS;
  if (!flow) {
    hd_note(HD_FAST_UNASKED);
    if (hd_kill_link(end->link)) hd_ring_link(end->link);
  }
  return hd_pass(msg, &hd_servers, &end->enrolled);
}

#endif
