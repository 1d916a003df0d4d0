/* Births and deaths of the sockets of the fast path. Clients and servers are enrolled here, in the kernel, before a byte can
 * have passed; flows and links are given when the first of their sockets comes, and taken back when the last has gone. */
#ifndef HEDDLE_HOOKS_BIRTH_H
#define HEDDLE_HOOKS_BIRTH_H

#include "bpf_templates/hooks/bells.h"
#include "bpf_templates/hooks/landed.h"
#include "bpf_templates/hooks/multipath.h"
#include "bpf_templates/hooks/server.h"
#include "bpf_templates/lib/message.h"

/* hd_unused[0], [1]: flows and links from this index on were never given. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_unused SEC(".maps");

/* A connection of the handler to a server, from its own birth to the server socket's. First sequence numbers are known to
 * both ends and to nobody else; so this holds across network namespaces, whatever addresses they see. */
struct hd_birth_key {
  hd_u32 first_of_client;
  hd_u32 first_of_server;
  hd_u16 client_port;
  hd_u16 server_port;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct hd_birth_key);
  __type(value, hd_u64);
} hd_births SEC(".maps");

static __always_inline hd_u32 hd_never_given(hd_u32 which, hd_u32 most) {
  hd_u64* unused = bpf_map_lookup_elem(&hd_unused, &which);
  if (!unused || HD_READ(*unused) >= most) return 0;
  hd_u64 index = __sync_fetch_and_add(unused, 1);
  return index < most ? (hd_u32)index + 1 : 0;
}

static __always_inline hd_u64 hd_next_id(hd_u64 word, hd_u32 index) {
  hd_u32 generation = (hd_u32)(word >> 32) + 1;
  if (!generation) generation = 1;
  return (hd_u64)generation << 32 | index;
}

static __always_inline hd_u32 hd_pop_flow(hd_u64* head) {
  for (int i = 0; i < HD_LIST_TRIES; i++) {
    hd_u64 old = HD_READ(*head);
    hd_u32 first = (hd_u32)old, index = first - 1;
    if (!first) return 0;
    struct hd_flow* flow = bpf_map_lookup_elem(&hd_flows, &index);
    if (!flow) return 0;
    if (HD_SWAP(head, old, hd_list_head(old, HD_READ(flow->next_free))) == old) return first;
  }
  return 0;
}

static __always_inline void hd_push_flow(hd_u64* head, struct hd_flow* flow, hd_u32 index) {
  for (int i = 0; i < HD_LIST_TRIES; i++) {
    hd_u64 old = HD_READ(*head);
    flow->next_free = (hd_u32)old;
    if (HD_SWAP(head, old, hd_list_head(old, index + 1)) == old) return;
  }
}

/* A flow for a client that dials an http service. 0: all are in use. */
static __always_inline hd_u64 hd_new_flow(struct hd_connection* connection) {
  hd_u32 which = HD_FREE_FLOWS;
  hd_u64* head = bpf_map_lookup_elem(&hd_free_lists, &which);
  hd_u32 first = head ? hd_pop_flow(head) : 0;
  if (!first) first = hd_never_given(HD_FREE_FLOWS, HD_FLOWS_MAX);
  hd_u32 index = first - 1;
  struct hd_flow* flow = first ? bpf_map_lookup_elem(&hd_flows, &index) : 0;
  if (!flow) {
    hd_note(HD_FAST_NOT_ENROLLED);
    return 0;
  }
  hd_u64 id = hd_next_id(flow->state, index);
  flow->counts = flow->link = flow->left = flow->room = flow->queued = 0;
  flow->client_socket = flow->server_socket = 0;
  flow->begin_ns = flow->deadline_ns = 0;
  flow->spare[0] = flow->spare[1] = flow->spare[2] = 0;
  flow->flags = 0;
  flow->worker = HD_NONE;
  flow->ends = HD_FLOW_CLIENT;
  flow->cgroup = connection->cgroup;
  flow->netns_cookie = connection->netns_cookie;
  hd_copy_address(flow->source, connection->source);
  flow->source_port = connection->source_port;
  flow->requests = 0;
  (void)hd_use_of(connection->cgroup);
  HD_READ(flow->state) = hd_state_word(id, HD_FLOW_TAKEN);
  return id;
}

/* The handler's end is there too. 0: the client has gone meanwhile, and the flow with it. */
static __always_inline int hd_join_flow(struct hd_flow* flow, hd_u64 id) {
  return hd_is_of(HD_READ(flow->state), id) && HD_SWAP(&flow->ends, HD_FLOW_CLIENT, HD_FLOW_CLIENT | HD_FLOW_HANDLER) == HD_FLOW_CLIENT;
}

/* Both ends have gone. */
static __always_inline void hd_free_flow(struct hd_flow* flow, hd_u64 id) {
  hd_u32 which = HD_FREE_FLOWS, state = HD_FLOW_STATE(HD_READ(flow->state));
  hd_u64 link = __sync_lock_test_and_set(&flow->link, 0); /* or the handler has given it back */
  flow->state = hd_state_word(id, HD_FLOW_FREE);
  /* The handler takes what it ends itself; what it has not taken when it dies ends here. */
  int open = state == HD_FLOW_SENT || state == HD_FLOW_ANSWERING || state == HD_FLOW_SPILL || state == HD_FLOW_FRAMED;
  if (open) hd_finish_flow(flow, HD_EVENT_CLIENT_ABORTED);
  hd_uncharge(flow);
  struct hd_use* use = bpf_map_lookup_elem(&hd_use, &flow->cgroup);
  if (use) __sync_fetch_and_add(&use->kernel, flow->requests);
  flow->requests = 0;
  if (link) {
    /* A link goes back only if nothing of this client can be on it any more. */
    if (state != HD_FLOW_ARMED && hd_kill_link(link)) hd_ring_link(link);
    hd_give_back(link, HD_LINK_HELD);
  }
  for (int i = 0; i < HD_SPARE_LINKS; i++) {
    link = __sync_lock_test_and_set(&flow->spare[i], 0);
    if (link) hd_give_back(link, HD_LINK_HELD);
  }
  hd_u64* head = bpf_map_lookup_elem(&hd_free_lists, &which);
  if (head) hd_push_flow(head, flow, HD_ID_INDEX(id));
}

static __always_inline void hd_end_of_flow(struct bpf_sock* sk) {
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  struct hd_flow* flow = connection && connection->flow ? hd_flow_of(connection->flow) : 0;
  if (!connection || !flow) return;
  hd_u64 id = connection->flow;
  hd_u32 gone = connection->flags & HD_CONNECTION_ACCEPTED ? HD_FLOW_HANDLER : HD_FLOW_CLIENT;
  connection->flow = 0;
  connection->last_server = HD_READ(flow->server_socket);
  if (__sync_fetch_and_and(&flow->ends, ~gone) == gone) hd_free_flow(flow, id);
}

static __always_inline void hd_end_of_link(struct bpf_sock* sk) {
  struct hd_link_end* end = bpf_sk_storage_get(&hd_link_ends, sk, 0, 0);
  struct hd_link* link = end && end->link ? hd_link_of(end->link) : 0;
  if (!end || !link) return;
  hd_u64 id = end->link;
  end->link = 0;
  if (hd_kill_link(id) && end->is_server) hd_ring_link(id);
  hd_put_link(link, HD_ID_INDEX(id));
}

/* U is connected: it gets a link, and S, which is born next, will find it. */
static __always_inline void hd_birth_of_upstream(struct bpf_sock_ops* ops, struct hd_link_end* end) {
  hd_u32 which = HD_FREE_LINKS;
  hd_u64* head = bpf_map_lookup_elem(&hd_free_lists, &which);
  hd_u32 first = head ? hd_pop_link(head) : 0;
  if (!first) first = hd_never_given(HD_FREE_LINKS, HD_LINKS_MAX);
  hd_u32 index = first - 1;
  struct hd_link* link = first ? bpf_map_lookup_elem(&hd_links, &index) : 0;
  if (!link) {
    hd_note(HD_FAST_NOT_ENROLLED);
    return;
  }
  hd_u64 id = hd_next_id(link->state, index);
  link->flow = 0;
  link->server_socket = 0;
  link->endpoint_state = end->endpoint_state;
  link->worker = end->worker;
  link->references = 1;
  HD_READ(link->state) = hd_state_word(id, HD_LINK_OPENING);
  end->link = id;
  struct hd_birth_key key = {.first_of_client = HD_CONTEXT(ops->snd_nxt),
                             .first_of_server = HD_CONTEXT(ops->rcv_nxt),
                             .client_port = (hd_u16)HD_CONTEXT(ops->local_port),
                             .server_port = (hd_u16)bpf_ntohl(HD_CONTEXT(ops->remote_port))};
  bpf_map_update_elem(&hd_births, &key, &id, BPF_ANY);
  bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* A client's connection to the handler is there. */
static __always_inline void hd_birth_of_client(struct bpf_sock_ops* ops, struct bpf_sock* sk, struct hd_connection* connection) {
  struct hd_flow* flow = hd_flow_of(connection->flow);
  hd_u64 id = connection->flow;
  if (!flow || !id) return;
  connection->first_sent = HD_CONTEXT(ops->snd_nxt);
  connection->first_received = HD_CONTEXT(ops->rcv_nxt);
  flow->client_socket = (hd_u64)sk;
  if (bpf_sock_hash_update(ops, &hd_clients, &id, BPF_NOEXIST)) {
    hd_note(HD_FAST_NOT_ENROLLED);
    return;
  }
  connection->enrolled = id;
}

/* A socket that was a client before connects again: may something of the earlier connection still come? Not when both ends of its
 * flow have gone, so that no program begins to send there, and what had begun has landed. */
static __always_inline int hd_is_over(struct bpf_sock* sk) {
  hd_u32 zero = 0;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  hd_u64 id = connection ? connection->enrolled : 0;
  if (!connection || !id) return 1;
  struct hd_flow* flow = hd_flow_of(id);
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  hd_u64 word = flow ? HD_READ(flow->state) : 0;
  if (hd_is_of(word, id) && HD_FLOW_STATE(word) != HD_FLOW_FREE) return 0;
  asm volatile("" ::: "memory");
  struct tcp_sock* client = bpf_skc_to_tcp_sock(sk);
  return client && config && hd_has_landed(connection->last_server, client, config->own_references);
}

/* What it has not read of the earlier connection goes with its place in the map. */
static __always_inline void hd_leave_clients(struct hd_connection* connection) {
  hd_u64 id = connection->enrolled;
  if (!id) return;
  bpf_map_delete_elem(&hd_clients, &id);
  connection->enrolled = 0;
}

static __always_inline void hd_birth_of_active(struct bpf_sock_ops* ops) {
  struct bpf_sock* sk = ops->sk;
  if (!sk) return;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (connection) return hd_birth_of_client(ops, sk, connection);
  struct hd_link_end* link = bpf_sk_storage_get(&hd_link_ends, sk, 0, 0);
  if (link && !link->link) hd_birth_of_upstream(ops, link);
}

/* A server has got a connection: if the handler announced it, it is enrolled, and its link may be used. */
static __always_inline void hd_birth_of_server(struct bpf_sock_ops* ops) {
  struct hd_birth_key key = {.first_of_client = HD_CONTEXT(ops->rcv_nxt),
                             .first_of_server = HD_CONTEXT(ops->snd_nxt),
                             .client_port = (hd_u16)bpf_ntohl(HD_CONTEXT(ops->remote_port)),
                             .server_port = (hd_u16)HD_CONTEXT(ops->local_port)};
  hd_u64* found = bpf_map_lookup_elem(&hd_births, &key);
  struct bpf_sock* sk = ops->sk;
  if (!found || !sk) return;
  hd_u64 id = *found;
  bpf_map_delete_elem(&hd_births, &key);
  if (!hd_is_plain_tcp(sk)) return;
  struct hd_link* link = hd_link_of(id);
  if (!link || HD_READ(link->state) != hd_state_word(id, HD_LINK_OPENING)) return;
  struct hd_link_end end = {
      .link = id, .enrolled = id, .endpoint_state = link->endpoint_state, .worker = link->worker, .is_server = 1};
  if (!bpf_sk_storage_get(&hd_link_ends, sk, &end, BPF_SK_STORAGE_GET_F_CREATE)) return;
  if (bpf_sock_hash_update(ops, &hd_servers, &id, BPF_NOEXIST)) {
    bpf_sk_storage_delete(&hd_link_ends, sk);
    hd_note(HD_FAST_NOT_ENROLLED);
    return;
  }
  link->server_socket = (hd_u64)sk;
  __sync_fetch_and_add(&link->references, 2);
  bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
  hd_give_back(id, HD_LINK_OPENING);
}

#endif
