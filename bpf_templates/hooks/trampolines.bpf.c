/* The programs that are attached to sockets' hooks, for as long as the node is governed: they find the generation
 * that decides now and jump into it. What they do themselves depends on no policy: remembering who dialled what.
 * Sockets keep the program they met first, so these never change while a policy does. */
#include "bpf_templates/hooks/birth.h"
#include "bpf_templates/hooks/gate.h"
#include "bpf_templates/hooks/server.h"
#include "bpf_templates/hooks/settle.h"
#include "bpf_templates/hooks/trace.h"
#include "bpf_templates/lib/ended.h"
#include "bpf_templates/lib/state.h"

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, HD_PROGRAM_PLACES);
  __type(key, hd_u32);
  __type(value, hd_u32);
} hd_to_connect4 SEC(".maps"), hd_to_connect6 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct hd_pending_key);
  __type(value, struct hd_pending);
} hd_pending SEC(".maps");

/* Slots that the loader has given to rules, endpoints and pools; the programs never look here. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 32768);
  __type(key, struct hd_interned_key);
  __type(value, hd_u32);
} hd_interned SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 32768);
  __type(key, hd_u32);
  __type(value, struct hd_counter);
} hd_counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16384);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_balance SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 16384);
  __type(key, hd_u32);
  __type(value, hd_u32);
} hd_weights SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, HD_ROUND_MAX * HD_WORKERS_MAX);
  __type(key, hd_u32);
  __type(value, struct hd_slot);
} hd_slots SEC(".maps");

struct hd_page {
  hd_u8 bytes[HD_PAGE_SIZE];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, HD_PAGES_PER_WORKER * HD_WORKERS_MAX);
  __type(key, hd_u32);
  __type(value, struct hd_page);
} hd_arena SEC(".maps");

static __always_inline int refused(void) {
  bpf_set_retval(-HD_ECONNREFUSED);
  return 0;
}

/* A generation decides, or none has been loaded yet (then nothing is governed), or something took the programs away:
 * then no TCP connection is made below the cgroup root. */
#define HD_JUMP(ctx, array)                                            \
  {                                                                    \
    hd_u32 zero = 0;                                                   \
    struct hd_word* word = bpf_map_lookup_elem(&hd_word, &zero);       \
    struct bpf_sock* sk = ctx->sk;                                     \
    if (sk && !hd_is_over(sk)) return refused();                       \
    if (!word || word->generation == 0) return 1;                      \
    bpf_tail_call(ctx, &array, HD_PROGRAM_PLACE(word->generation));    \
    return HD_CONTEXT(ctx->protocol) == HD_IPPROTO_TCP ? refused() : 1;\
  }

SEC("cgroup/connect4")
int hd_connect4(struct bpf_sock_addr* ctx) HD_JUMP(ctx, hd_to_connect4)

SEC("cgroup/connect6")
int hd_connect6(struct bpf_sock_addr* ctx) HD_JUMP(ctx, hd_to_connect6)

/* getpeername shows the client what it dialled, not where its connection was sent. */
static __always_inline struct hd_connection* dialled(struct bpf_sock_addr* ctx) {
  struct bpf_sock* sk = ctx->sk;
  if (!sk) return 0;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (!connection || !(connection->flags & HD_CONNECTION_REWRITTEN)) return 0;
  return connection;
}

SEC("cgroup/getpeername4")
int hd_getpeername4(struct bpf_sock_addr* ctx) {
  struct hd_connection* connection = dialled(ctx);
  if (!connection) return 1;
  ctx->user_ip4 = ((hd_u32*)connection->destination)[3];
  ctx->user_port = bpf_htons(connection->destination_port);
  return 1;
}

SEC("cgroup/getpeername6")
int hd_getpeername6(struct bpf_sock_addr* ctx) {
  struct hd_connection* connection = dialled(ctx);
  if (!connection) return 1;
  hd_u32* words = (hd_u32*)connection->destination;
  ctx->user_ip6[0] = words[0];
  ctx->user_ip6[1] = words[1];
  ctx->user_ip6[2] = words[2];
  ctx->user_ip6[3] = words[3];
  ctx->user_port = bpf_htons(connection->destination_port);
  return 1;
}

/* Everything is read before anything is chosen: LLVM merges reads of two branches into one through a computed context
 * pointer, which the verifier refuses. */
static __always_inline void addresses(struct bpf_sock_ops* ops, hd_u8* local, hd_u8* remote) {
  hd_u32 family = HD_CONTEXT(ops->family);
  hd_u32 local4 = HD_CONTEXT(ops->local_ip4);
  hd_u32 remote4 = HD_CONTEXT(ops->remote_ip4);
  hd_u32* to = (hd_u32*)local;
  to[0] = HD_CONTEXT(ops->local_ip6[0]);
  to[1] = HD_CONTEXT(ops->local_ip6[1]);
  to[2] = HD_CONTEXT(ops->local_ip6[2]);
  to[3] = HD_CONTEXT(ops->local_ip6[3]);
  to = (hd_u32*)remote;
  to[0] = HD_CONTEXT(ops->remote_ip6[0]);
  to[1] = HD_CONTEXT(ops->remote_ip6[1]);
  to[2] = HD_CONTEXT(ops->remote_ip6[2]);
  to[3] = HD_CONTEXT(ops->remote_ip6[3]);
  if (family != HD_AF_INET) return;
  hd_mapped_address(local, local4);
  hd_mapped_address(remote, remote4);
}

/* A client is about to send its SYN to the listener: its port is known now, and nothing has arrived there yet. */
static __always_inline void announce(struct bpf_sock_ops* ops) {
  struct bpf_sock* sk = ops->sk;
  if (!sk) return;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (!connection) return;
  hd_leave_clients(connection);
  hd_u8 remote[16] __attribute__((aligned(8)));
  hd_u8 local[16] __attribute__((aligned(8)));
  addresses(ops, local, remote);
  hd_copy_address(connection->source, local);
  connection->source_port = (hd_u16)HD_CONTEXT(ops->local_port);
  if (connection->flags & HD_CONNECTION_TCP) {
    hd_began(&connection->decision);
    bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
    return;
  }
  if (!(connection->flags & HD_CONNECTION_TO_HANDLER)) return;
  connection->flow = 0;
  if (connection->flags & HD_CONNECTION_FAST && !hd_is_multipath(sk)) {
    connection->flow = hd_new_flow(connection);
    bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
  }
  struct hd_pending_key key = {.netns_cookie = bpf_get_netns_cookie(ops),
                               .source_port = connection->source_port,
                               .listener_port = (hd_u16)bpf_ntohl(HD_CONTEXT(ops->remote_port))};
  hd_copy_address(key.source, local);
  struct hd_pending pending = {.flow = connection->flow,
                               .cgroup = connection->cgroup,
                               .flags = connection->flags,
                               .destination_port = connection->destination_port};
  hd_copy_address(pending.destination, connection->destination);
  bpf_map_update_elem(&hd_pending, &key, &pending, BPF_ANY);
}

static __always_inline int is_listener(struct hd_listener* listener, hd_u16 port) {
  return port != 0 && (port == listener->port4 || port == listener->port6 || port == listener->early4 || port == listener->early6);
}

/* The handler's listener has got a connection: what was announced becomes the accepted socket's own. */
static __always_inline void adopt(struct bpf_sock_ops* ops) {
  hd_u64 netns_cookie = bpf_get_netns_cookie(ops);
  struct hd_listener* listener = bpf_map_lookup_elem(&hd_listeners, &netns_cookie);
  hd_u16 port = (hd_u16)HD_CONTEXT(ops->local_port);
  if (!listener || !is_listener(listener, port)) return;
  hd_u8 remote[16] __attribute__((aligned(8)));
  hd_u8 local[16] __attribute__((aligned(8)));
  addresses(ops, local, remote);
  struct hd_pending_key key = {.netns_cookie = netns_cookie,
                               .source_port = (hd_u16)bpf_ntohl(HD_CONTEXT(ops->remote_port)),
                               .listener_port = port};
  hd_copy_address(key.source, remote);
  struct hd_pending* pending = bpf_map_lookup_elem(&hd_pending, &key);
  struct bpf_sock* sk = ops->sk;
  if (!pending || !sk) return;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (connection) {
    hd_u64 id = pending->flow;
    struct hd_flow* flow = id ? hd_flow_of(id) : 0;
    connection->flags = pending->flags | HD_CONNECTION_ACCEPTED;
    connection->cgroup = pending->cgroup;
    connection->netns_cookie = netns_cookie;
    hd_copy_address(connection->source, remote);
    connection->source_port = key.source_port;
    hd_copy_address(connection->destination, pending->destination);
    connection->destination_port = pending->destination_port;
    if (flow && hd_join_flow(flow, id)) {
      connection->flow = id;
      bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
    }
  }
  bpf_map_delete_elem(&hd_pending, &key);
}

/* A connection has ended. */
static __always_inline void finish(struct bpf_sock_ops* ops) {
  if (HD_CONTEXT(ops->args[1]) != BPF_TCP_CLOSE) return;
  struct bpf_sock* sk = ops->sk;
  if (!sk) return;
  hd_end_of_flow(sk);
  hd_end_of_link(sk);
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (!connection || !(connection->flags & HD_CONNECTION_TCP)) return;
  hd_u64 now = bpf_ktime_get_ns();
  struct hd_event event = {.time_ns = now,
                           .latency_ns = now - connection->start_ns,
                           .bytes_in = HD_CONTEXT(ops->bytes_acked),
                           .bytes_out = HD_CONTEXT(ops->bytes_received),
                           .cgroup = connection->cgroup,
                           .netns_cookie = connection->netns_cookie,
                           .source_port = connection->source_port,
                           .tier = HD_TIER_CONNECT,
                           .decision = connection->decision};
  hd_copy_address(event.source, connection->source);
  if (HD_CONTEXT(ops->args[0]) == BPF_TCP_SYN_SENT) event.flags = HD_EVENT_CONNECT_FAILED;
  hd_ended(&connection->decision, 0, event.flags, now);
  connection->flags &= ~(hd_u32)HD_CONNECTION_TCP;
  hd_emit(&event);
}

SEC("sockops")
int hd_sockops(struct bpf_sock_ops* ops) {
  switch (HD_CONTEXT(ops->op)) {
    case BPF_SOCK_OPS_TCP_CONNECT_CB:
      announce(ops);
      break;
    case BPF_SOCK_OPS_TCP_LISTEN_CB:
      hd_mark_listener(ops);
      break;
    case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
      hd_birth_of_active(ops);
      break;
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
      adopt(ops);
      hd_birth_of_server(ops);
      break;
    case BPF_SOCK_OPS_STATE_CB:
      finish(ops);
      break;
  }
  return 1;
}

char hd_license[] SEC("license") = "GPL";
