/* The entry at a client's socket: a whole request that lies in the message in hand is decided and put into the receive
 * queue of a server. What the program that leads here has made sure of: the flow is armed, and the client has read
 * everything that came before. */
#ifndef HEDDLE_LIB_CLIENT_H
#define HEDDLE_LIB_CLIENT_H

#include "bpf_templates/lib/decide.h"
#include "bpf_templates/lib/depart.h"
#include "bpf_templates/lib/flow.h"
#include "bpf_templates/lib/message.h"
#include "bpf_templates/lib/place.h"
#include "bpf_templates/lib/scan.h"

#define HD_PLACE_PAGES (HD_FAST_HEAD_MAX / HD_PAGE_SIZE)
#define HD_SHORT_HEAD 1024 /* what is copied at first */

/* Copies the beginning of the message to the place's pages. Returns how many bytes. */
static __always_inline hd_u32 hd_copy_head(struct sk_msg_md* msg, hd_u32 place, hd_u64 most) {
  char* data = (char*)(long)msg->data;
  char* end = (char*)(long)msg->data_end;
  hd_u64 length = (hd_u64)(end - data);
  hd_u32 first = place * HD_PLACE_PAGES, second = first + 1;
  if (length > most) length = most;
  HD_OPAQUE(length);
  struct hd_page* page = bpf_map_lookup_elem(&hd_fast_pages, &first);
  hd_u64 here = length > HD_PAGE_SIZE ? HD_PAGE_SIZE : length;
  HD_OPAQUE(here);
  if (!page || here == 0 || here > HD_PAGE_SIZE) return 0;
  if (bpf_probe_read_kernel(page->bytes, (hd_u32)here, data)) return 0;
  if (length <= HD_PAGE_SIZE) return (hd_u32)here;
  page = bpf_map_lookup_elem(&hd_fast_pages, &second);
  hd_u64 rest = length - HD_PAGE_SIZE;
  HD_OPAQUE(rest);
  if (!page || rest == 0 || rest > HD_PAGE_SIZE) return (hd_u32)here;
  if (bpf_probe_read_kernel(page->bytes, (hd_u32)rest, data + HD_PAGE_SIZE)) return (hd_u32)here;
  return (hd_u32)length;
}

/* The value of Content-Length, where it is nothing but up to nine digits. */
static __always_inline int hd_body_length(struct hd_work* work, hd_u32* length) {
  hd_u32 at = work->length_at, value = 0, digits = 0;
  *length = 0;
  if (!at) return 0;
  for (int i = 0; i < 12; i++, at++) {
    struct hd_page* page = hd_page_at(work->request.page + at / HD_PAGE_SIZE);
    if (!page) return -1;
    hd_u8 byte = page->bytes[at & (HD_PAGE_SIZE - 1)];
    if (byte == ' ' && !digits) continue;
    if (byte == '\r' && digits) {
      *length = value;
      return 0;
    }
    if (byte < '0' || byte > '9' || ++digits > 9) return -1;
    value = value * 10 + (byte - '0');
  }
  return -1;
}

static __always_inline int hd_is_head_request(struct hd_work* work) {
  struct hd_page* page = hd_page_at(work->request.page);
  return page && *(hd_u32*)page->bytes == ('H' | 'E' << 8 | 'A' << 16 | (hd_u32)'D' << 24) && page->bytes[4] == ' ';
}

/* Step 1, from what it said the last time. */
static __always_inline void hd_resolve_again(struct hd_work* work) {
  hd_u32 zero = 0, caller = work->decision.caller, service = work->decision.service, endpoint = work->fixed_endpoint;
  hd_u64* self = bpf_map_lookup_elem(&hd_self, &zero);
  if (!self || !work->resolved || work->resolved != *self) {
    hd_resolve(work);
    work->resolved = work->facts.has_peer && work->facts.service != HD_NONE ? work->decision.generation : 0;
    return;
  }
  hd_begin(work);
  hd_set_caller(work, caller);
  hd_set_service(work, service, endpoint);
  if (!work->facts.has_peer || work->facts.service == HD_NONE) hd_resolve(work);
}

/* Whoever is answered by the handler has it draw anew. So that every part gets its share, the handler draws for all requests
 * of a split that answers some. */
static __always_inline int hd_handler_draws(struct hd_work* work) {
  hd_u32 number = work->decision.rule;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  return !rule || rule->answers;
}

/* Decides on the head that was copied. 0: it is to be forwarded; else why not (enum hd_fast_counter). Nothing is counted yet. */
__attribute__((noinline)) int hd_fast_decide(struct hd_work* work) {
  if (!work) return HD_FAST_FAILED;
  hd_resolve_again(work);
  hd_u32 number = work->facts.service, caller = work->decision.caller;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  struct hd_workload* workload = bpf_map_lookup_elem(&hd_workloads, &caller);
  if (!service || service->protocol != HD_PROTOCOL_HTTP) return HD_FAST_SWITCHED_OFF;
  if (!(service->flags & HD_SERVICE_FAST)) return HD_FAST_SWITCHED_OFF;
  if (!workload || workload->flags & HD_WORKLOAD_NOT_FAST) return HD_FAST_SWITCHED_OFF;
  hd_scan_head(work);
  if (work->scan_status) return work->incomplete ? HD_FAST_NOT_WHOLE : HD_FAST_NOT_CANONICAL;
  if (work->framing != HD_FRAMING_PLAIN) return HD_FAST_NOT_CANONICAL;
  hd_match_fields(work);
  hd_decide_facts(work);
  if (work->decision.verdict == HD_VERDICT_FORWARD && !hd_handler_draws(work)) return 0;
  hd_undo(work);
  return HD_FAST_ANSWERED;
}

static __always_inline void hd_request_of(struct hd_work* work, struct hd_connection* connection, hd_u32 place) {
  struct hd_request request = {.cgroup = connection->cgroup,
                               .netns_cookie = connection->netns_cookie,
                               .source_port = connection->source_port,
                               .destination_port = connection->destination_port,
                               .page = HD_FAST_PAGE | place * HD_PLACE_PAGES};
  hd_copy_address(request.source, connection->source);
  hd_copy_address(request.destination, connection->destination);
  work->request = request;
  work->resolved = connection->resolved;
  work->decision.caller = connection->caller;
  work->decision.service = connection->service;
  work->fixed_endpoint = connection->endpoint;
  work->v4_only = 0;
  work->open_end = 1;
}

/* We hold the client's lock: nobody else writes there. */
static __always_inline void hd_keep_resolved(struct hd_work* work, struct hd_connection* connection) {
  if (connection->resolved == work->resolved) return;
  connection->resolved = work->resolved;
  connection->caller = work->decision.caller;
  connection->service = work->facts.service; /* not that of the target, which the decision has */
  connection->endpoint = work->fixed_endpoint;
}

/* Its servers read what they get, as far as the watchdog knows. */
static __always_inline int hd_endpoint_reads(hd_u32 endpoint_state) {
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &endpoint_state);
  hd_u64 slow_until = state ? HD_READ(state->slow_until) : 0;
  return !slow_until || bpf_ktime_get_ns() >= slow_until;
}

/* The generation, which lies in a cache line that nobody else writes, only when it is another one. */
static __always_inline void hd_keep_decision(struct hd_flow* flow, const struct hd_decision* decision) {
  hd_u64 generation = decision->generation;
  __builtin_memcpy(&flow->decision, decision, __builtin_offsetof(struct hd_decision, generation));
  if (flow->decision.generation != generation) flow->decision.generation = generation;
}

/* The request leaves with what was decided: `length` bytes of the message, wholly or not at all. */
static __always_inline hd_u32 hd_send(struct sk_msg_md* msg, struct hd_work* work, struct hd_flow* flow, hd_u64 id,
                                      hd_u32 length) {
  hd_u64 word = HD_READ(flow->state);
  hd_u32 number = work->decision.rule;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (!rule) return HD_FAST_FAILED;
  if (!hd_armed(word, id)) return HD_FAST_NOT_ARMED;
  if (!hd_endpoint_reads(work->decision.endpoint_state)) return HD_FAST_STALLED;
  hd_keep_decision(flow, &work->decision); /* armed, all this is ours to write: we hold the client's lock */
  flow->flags = hd_is_head_request(work) ? HD_FLOW_HEAD : 0;
  hd_u32 sent = hd_depart(msg, flow, id, word, length, rule->timeout_ms);
  if (sent != HD_FAST_REQUESTS) return sent;
  flow->requests += 1;
  hd_commit(work);
  return sent;
}

/* What becomes of the message in hand: enum hd_fast_counter. */
static __always_inline hd_u32 hd_try_request(struct sk_msg_md* msg, struct hd_work* work, struct hd_flow* flow, hd_u64 id,
                                             hd_u32 place) {
  hd_u64 size = hd_message_size(msg);
  hd_u32 copied = hd_copy_head(msg, place, HD_SHORT_HEAD), body = 0;
  work->request.head_length = copied;
  int why = copied ? hd_fast_decide(work) : HD_FAST_NOT_WHOLE;
  if (why == HD_FAST_NOT_WHOLE && copied < size && copied < HD_FAST_HEAD_MAX) {
    hd_u64 window = size < HD_FAST_HEAD_MAX ? size : HD_FAST_HEAD_MAX;
    if (hd_message_visible(msg) < window && bpf_msg_pull_data(msg, 0, (hd_u32)window, 0)) return HD_FAST_FAILED;
    work->request.head_length = hd_copy_head(msg, place, HD_FAST_HEAD_MAX);
    why = hd_fast_decide(work);
  }
  if (why) return (hd_u32)why;
  hd_u64 length = work->head_end;
  if (hd_body_length(work, &body) < 0) {
    hd_undo(work);
    return HD_FAST_NOT_CANONICAL;
  }
  length += body;
  HD_OPAQUE(length);
  hd_u32 sent = HD_FAST_NOT_WHOLE;
  if (length && length <= size && length <= HD_FAST_REQUEST_MAX) {
    sent = HD_FAST_FAILED;
    /* One element moves wholly or not at all. */
    if (hd_message_visible(msg) >= length || !bpf_msg_pull_data(msg, 0, (hd_u32)length, 0))
      sent = hd_send(msg, work, flow, id, (hd_u32)length);
  }
  if (sent != HD_FAST_REQUESTS) hd_undo(work);
  return sent;
}

SEC("sk_msg")
int client(struct sk_msg_md* msg) {
  struct bpf_sock* sk = msg->sk;
  if (!sk) return SK_DROP;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (!connection) return SK_DROP; /* whoever has a flow has this */
  hd_u64 id = connection->flow;
  struct hd_flow* flow = hd_flow_of(id);
  hd_u32 place = 0, what = HD_FAST_FAILED;
  struct hd_place* own = flow ? hd_take_place(&place) : 0;
  if (own && flow) {
    hd_request_of(&own->work, connection, place);
    what = hd_try_request(msg, &own->work, flow, id, place);
    hd_keep_resolved(&own->work, connection);
    hd_leave_place(own);
  }
  hd_note(what);
  return what == HD_FAST_REQUESTS ? SK_PASS : hd_pass(msg, &hd_clients, &id);
}

#endif
