/* The programs of one generation. `heddle` carries this file as bitcode, links the policy's own hd_access and
 * hd_route to it, and writes the tables. */
#include "bpf_templates/lib/client.h"
#include "bpf_templates/lib/connect.h"
#include "bpf_templates/lib/decide.h"
#include "bpf_templates/lib/scan.h"
#include "bpf_templates/lib/state.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_slot);
} hd_slots SEC(".maps");

/* One for each slot. */
HD_TABLE(hd_work, struct hd_work);

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr* ctx) {
  struct hd_dialling dialling = {};
  enum hd_standing standing = hd_standing_of(&dialling.cgroup);
  if (standing == HD_STANDING_UNTOUCHED || !hd_is_tcp(ctx)) return 1;
  if (standing == HD_STANDING_UNRESOLVED) return hd_refused();
  struct bpf_sock* sk = ctx->sk;
  if (!sk) return hd_refused();
  hd_forget(sk);
  dialling.netns_cookie = bpf_get_netns_cookie(ctx);
  hd_mapped_address(dialling.destination, HD_CONTEXT(ctx->user_ip4));
  dialling.port = (hd_u16)bpf_ntohs((hd_u16)HD_CONTEXT(ctx->user_port));
  dialling.v4_only = 1;
  hd_u32 index;
  struct hd_place* place = hd_take_place(&index);
  if (!place) return hd_refused();
  struct hd_work* work = &place->work;
  hd_dialled(work, &dialling);
  enum hd_way way = hd_decide_connect(sk, work);
  hd_u32 address = ((hd_u32*)work->decision.address)[3];
  hd_u16 port = work->decision.port, port6 = 0;
  hd_leave_place(place);
  if (way == HD_WAY_AS_DIALLED) return 1;
  if (way == HD_WAY_REFUSED) return hd_refused();
  if (way != HD_WAY_ENDPOINT) {
    address = bpf_htonl(0x7f000001);
    if (!hd_handler_port(&dialling, way, &port, &port6) || !port) return hd_refused();
  }
  ctx->user_ip4 = address;
  ctx->user_port = bpf_htons(port);
  return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr* ctx) {
  struct hd_dialling dialling = {};
  enum hd_standing standing = hd_standing_of(&dialling.cgroup);
  if (standing == HD_STANDING_UNTOUCHED || !hd_is_tcp(ctx)) return 1;
  if (standing == HD_STANDING_UNRESOLVED) return hd_refused();
  struct bpf_sock* sk = ctx->sk;
  if (!sk) return hd_refused();
  hd_forget(sk);
  dialling.netns_cookie = bpf_get_netns_cookie(ctx);
  hd_u32* words = (hd_u32*)dialling.destination;
  words[0] = HD_CONTEXT(ctx->user_ip6[0]);
  words[1] = HD_CONTEXT(ctx->user_ip6[1]);
  words[2] = HD_CONTEXT(ctx->user_ip6[2]);
  words[3] = HD_CONTEXT(ctx->user_ip6[3]);
  dialling.port = (hd_u16)bpf_ntohs((hd_u16)HD_CONTEXT(ctx->user_port));
  int dialled_v4 = hd_is_v4(dialling.destination);
  hd_u32 index;
  struct hd_place* place = hd_take_place(&index);
  if (!place) return hd_refused();
  struct hd_work* work = &place->work;
  hd_dialled(work, &dialling);
  enum hd_way way = hd_decide_connect(sk, work);
  hd_u8 to[16] __attribute__((aligned(8)));
  hd_copy_address(to, work->decision.address);
  hd_u16 port = work->decision.port, port4 = 0, port6 = 0;
  hd_leave_place(place);
  if (way == HD_WAY_AS_DIALLED) return 1;
  if (way == HD_WAY_REFUSED) return hd_refused();
  words = (hd_u32*)to;
  if (way != HD_WAY_ENDPOINT) {
    if (!hd_handler_port(&dialling, way, &port4, &port6)) return hd_refused();
    /* A socket that dials a v4-mapped address gets a v4 connection, and shows its own address so. */
    hd_mapped_address(to, bpf_htonl(0x7f000001));
    port = port4;
    if (!dialled_v4) {
      words[0] = words[1] = words[2] = 0;
      words[3] = bpf_htonl(1);
      port = port6;
    }
    if (!port) return hd_refused();
  }
  ctx->user_ip6[0] = words[0];
  ctx->user_ip6[1] = words[1];
  ctx->user_ip6[2] = words[2];
  ctx->user_ip6[3] = words[3];
  ctx->user_port = bpf_htons(port);
  return 1;
}

/* Step 2: the facts of a head, or its refusal. */
static __always_inline int hd_refuses_form(struct hd_work* work) {
  hd_u32 form = work->request.form;
  if (form > HD_FORM_MALFORMED) {
    hd_end(work, HD_VERDICT_REFUSE, (hd_u16)form, HD_RULE_MALFORMED);
    return 1;
  }
  hd_scan_head(work);
  if (work->scan_status == HD_SCAN_TO_NORMALISE || (work->scan_status == HD_SCAN_TO_HANDLER && !form)) {
    hd_end(work, HD_VERDICT_HANDLER, 0, HD_RULE_MALFORMED);
    return 1;
  }
  if (work->scan_status && work->scan_status != HD_SCAN_TO_HANDLER) {
    hd_end(work, HD_VERDICT_REFUSE, (hd_u16)work->scan_status, work->scan_rule);
    return 1;
  }
  if (form) {
    hd_end(work, HD_VERDICT_REFUSE, (hd_u16)form, HD_RULE_MALFORMED);
    return 1;
  }
  hd_match_fields(work);
  return 0;
}

/* Step 2 of a connection that begins with TLS: all there is of it is a name, or none. */
static __always_inline int hd_refuses_name(struct hd_work* work) {
  hd_u32 length = work->request.head_length;
  if (work->request.form || length > HD_SERVER_NAME_MAX) {
    hd_end(work, HD_VERDICT_REFUSE, HD_FORM_MALFORMED, HD_RULE_MALFORMED);
    return 1;
  }
  work->seen = 0;
  work->line_count = 0;
  if (length) hd_field_span(work, HD_FIELD_SNI, 0, length);
  hd_match_fields(work);
  return 0;
}

/* A connection was dialled when its service spoke another protocol: whoever reads it now reads something else. */
static __always_inline int hd_is_other_protocol(struct hd_work* work, struct hd_service* service) {
  int is_tls = (work->request.flags & HD_REQUEST_TLS) != 0;
  int is_tcp = (work->request.flags & HD_REQUEST_TCP) != 0;
  return is_tls != (service->protocol == HD_PROTOCOL_TLS) || is_tcp != (service->protocol == HD_PROTOCOL_TCP);
}

/* Steps 1 to 6 for a request whose head lies in the arena, for a connection that begins with TLS, or a tcp connection. */
static __always_inline int decide_head(struct hd_work* work) {
  hd_resolve(work);
  hd_u32 number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) return hd_decide_outside(work);
  if (hd_is_other_protocol(work, service)) return hd_end(work, HD_VERDICT_REFUSE, HD_FORM_MALFORMED, HD_RULE_MALFORMED);
  if (service->protocol == HD_PROTOCOL_HTTP && hd_refuses_form(work)) return 0;
  if (service->protocol == HD_PROTOCOL_TLS && hd_refuses_name(work)) return 0;
  return hd_decide_facts(work);
}

/* The response of a request has ended. What was decided for an endpoint and then answered without it (no room came up
 * in time) has another verdict by now. */
static __always_inline void hd_finished(struct hd_event* event) {
  hd_u32 status = event->status;
  if (event->decision.verdict != HD_VERDICT_FORWARD && !(event->flags & HD_EVENT_TIMEOUT))
    status = HD_STATUS_NOT_ASKED;
  hd_ended(&event->decision, status, event->flags, event->time_ns);
  hd_latency_of(event->decision.counter, event->latency_ns);
}

static long one_slot(hd_u32 index, struct hd_round* round) {
  hd_u32 number = round->first + index;
  struct hd_slot* slot = bpf_map_lookup_elem(&hd_slots, &number);
  if (!slot) return 1;
  if (slot->op == HD_OP_FINISH) {
    slot->finish.time_ns = bpf_ktime_get_ns();
    hd_finished(&slot->finish);
    struct hd_use* use = slot->finish.cgroup ? hd_use_of(slot->finish.cgroup) : 0;
    if (use) __sync_fetch_and_add(&use->handler, 1);
    hd_emit(&slot->finish);
    return 0;
  }
  struct hd_work* work = bpf_map_lookup_elem(&hd_work, &number);
  if (slot->op != HD_OP_DECIDE || !work) return 0;
  work->request = slot->request; /* what is decided is this copy, whatever the owner of the slot does meanwhile */
  if (work->request.flags & HD_REQUEST_PEER) work->peer = slot->peer;
  work->v4_only = 0;
  work->open_end = 0;
  decide_head(work);
  if (work->decision.verdict != HD_VERDICT_HANDLER) hd_commit(work);
  slot->decision = work->decision;
  return 0;
}

SEC("syscall")
int decide(struct hd_round* ctx) {
  struct hd_round round = {.first = ctx->first, .count = ctx->count};
  if (round.count > HD_ROUND_MAX) round.count = HD_ROUND_MAX;
  bpf_loop(round.count, one_slot, &round, 0);
  return 0;
}

char hd_license[] SEC("license") = "GPL";
