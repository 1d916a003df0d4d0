/* At a client's socket, before any byte of a message is looked at: may this message go fast at all? */
#ifndef HEDDLE_HOOKS_GATE_H
#define HEDDLE_HOOKS_GATE_H

#include "bpf_templates/hooks/landed.h"
#include "bpf_templates/hooks/pressure.h"
#include "bpf_templates/lib/message.h"

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, HD_PROGRAM_PLACES);
  __type(key, hd_u32);
  __type(value, hd_u32);
} hd_to_sk_msg SEC(".maps");

/* How often is looked again at a response whose last piece is on its way: some microseconds. */
#define HD_LOOKS 128

struct hd_look {
  hd_u64 server;
  struct tcp_sock* client;
  hd_u32 landed;
  hd_u32 own_references;
};

static long hd_look_again(hd_u32 index, struct hd_look* look) {
  look->landed = hd_has_landed(look->server, look->client, look->own_references);
  return look->landed;
}

static long hd_look_for_trace(hd_u32 index, struct hd_flow** flow) {
  return HD_FLOW_STATE(HD_READ((*flow)->state)) != HD_FLOW_DONE;
}

/* A response that is decided to its end has landed: the flow is armed again. 0: it has not, or somebody else has the flow. */
static __always_inline int hd_rearm(struct hd_flow* flow, hd_u64 base, struct tcp_sock* client, struct hd_config* config) {
  if (config->fast_path == HD_FAST_BY_TRACE) {
    bpf_loop(HD_LOOKS, hd_look_for_trace, &flow, 0);
    return HD_READ(flow->state) == (base | HD_FLOW_ARMED);
  }
  struct hd_look look = {
      .server = HD_READ(flow->server_socket), .client = client, .own_references = config->own_references};
  if (!hd_has_landed(look.server, client, look.own_references)) {
    bpf_loop(HD_LOOKS, hd_look_again, &look, 0);
    if (!look.landed) return 0;
  }
  return HD_SWAP(&flow->state, base | HD_FLOW_DONE, base | HD_FLOW_ARMED) == (base | HD_FLOW_DONE);
}

/* 0: it may; else why not (enum hd_fast_counter). Redirected bytes overtake TCP's: so nothing of this client may be on its way
 * over TCP in either direction, and it must have read everything that it was sent. */
static __always_inline hd_u32 hd_gate(struct bpf_sock* sk, struct hd_connection* connection, struct hd_flow* flow) {
  hd_u32 zero = 0;
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  if (!config || config->fast_path == HD_FAST_OFF) return HD_FAST_SWITCHED_OFF;
  /* Two things that the server's processor wrote last: asked for together, they come in the time of one. */
  if (config->fast_path == HD_FAST_BY_REFERENCES) (void)hd_is_owned(HD_READ(flow->server_socket));
  hd_u64 id = connection->flow, word = HD_READ(flow->state), base = HD_FLOW_BASE(word);
  int done = hd_is_of(word, id) && word == (base | HD_FLOW_DONE);
  if (!done && !hd_armed(word, id)) return HD_FAST_NOT_ARMED;
  struct tcp_sock* client = bpf_skc_to_tcp_sock(sk);
  if (!client) return HD_FAST_FAILED;
  hd_u64 counts = HD_READ(flow->counts);
  if (client->write_seq - connection->first_sent != (hd_u32)counts) return HD_FAST_UNREAD;
  if (client->copied_seq - connection->first_received != (hd_u32)(counts >> 32)) return HD_FAST_UNREAD;
  if (done && !hd_rearm(flow, base, client, config)) return HD_FAST_NOT_LANDED;
  /* After that: what has landed is counted here. */
  if (*(volatile int*)&client->inet_conn.icsk_inet.sk.sk_backlog.rmem_alloc.counter) return HD_FAST_UNREAD;
  hd_uncharge(flow);
  return hd_is_short_of_memory() ? HD_FAST_NO_MEMORY : 0;
}

SEC("sk_msg")
int hd_client_message(struct sk_msg_md* msg) {
  struct bpf_sock* sk = msg->sk;
  if (!sk) return SK_DROP;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  struct hd_flow* flow = connection ? hd_flow_of(connection->flow) : 0;
  if (!connection || !flow) return SK_DROP; /* enrolled sockets have one, and their number is one of a flow or 0 */
  hd_u32 why = hd_gate(sk, connection, flow), zero = 0;
  if (!why) {
    struct hd_word* word = bpf_map_lookup_elem(&hd_word, &zero);
    if (word && word->generation) bpf_tail_call(msg, &hd_to_sk_msg, HD_PROGRAM_PLACE(word->generation));
    why = HD_FAST_SWITCHED_OFF;
  }
  hd_note(why);
  return hd_pass(msg, &hd_clients, &connection->enrolled);
}

#endif
