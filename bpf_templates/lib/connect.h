/* Who is connecting, and what becomes of it: the part of a decision that needs no byte of a request. */
#ifndef HEDDLE_LIB_CONNECT_H
#define HEDDLE_LIB_CONNECT_H

#include "bpf_templates/lib/decide.h"
#include "bpf_templates/lib/place.h"
#include "bpf_templates/lib/state.h"

enum hd_standing {
  HD_STANDING_UNTOUCHED,
  HD_STANDING_UNRESOLVED, /* below a folder of workloads, and not looked at yet */
  HD_STANDING_WORKLOAD,
};

/* The deepest cgroup that is known decides. */
static __always_inline enum hd_standing hd_standing_of(hd_u64* cgroup) {
  for (int level = HD_LEVELS_MAX - 1; level >= 0; level--) {
    hd_u64 id = bpf_get_current_ancestor_cgroup_id(level);
    if (!id) continue;
    struct hd_cgroup* known = bpf_map_lookup_elem(&hd_cgroups, &id);
    if (!known) continue;
    *cgroup = id;
    if (known->kind == HD_CGROUP_WORKLOAD) return HD_STANDING_WORKLOAD;
    if (known->kind == HD_CGROUP_PARENT && id != bpf_get_current_cgroup_id()) return HD_STANDING_UNRESOLVED;
    return HD_STANDING_UNTOUCHED;
  }
  return HD_STANDING_UNTOUCHED;
}

struct hd_dialling {
  hd_u64 cgroup;
  hd_u64 netns_cookie;
  hd_u8 destination[16];
  hd_u16 port;
  hd_u16 v4_only;
  hd_u32 pad;
};

enum hd_way {
  HD_WAY_REFUSED,
  HD_WAY_AS_DIALLED,
  HD_WAY_ENDPOINT, /* to work->decision.address */
  HD_WAY_HANDLER,
  HD_WAY_EARLY, /* to the handler, and the client may wait for the server's first word */
};

static __always_inline void hd_dialled(struct hd_work* work, struct hd_dialling* dialling) {
  struct hd_request request = {.cgroup = dialling->cgroup,
                               .netns_cookie = dialling->netns_cookie,
                               .destination_port = dialling->port};
  hd_copy_address(request.destination, dialling->destination);
  work->request = request;
  work->v4_only = dialling->v4_only;
  work->scan_status = 0;
}

static __always_inline void hd_remember(struct bpf_sock* sk, struct hd_work* work, hd_u32 flags) {
  struct hd_connection* connection =
      bpf_sk_storage_get(&hd_connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!connection) return;
  connection->cgroup = work->request.cgroup;
  connection->netns_cookie = work->request.netns_cookie;
  connection->destination_port = work->request.destination_port;
  hd_copy_address(connection->destination, work->request.destination);
  connection->flags = flags;
  connection->start_ns = bpf_ktime_get_ns();
  connection->decision = work->decision;
}

/* A refused connection leaves its event here: no socket will ever end. A function of its own, because the event would lie on the
 * stack below everything that a decision calls. */
__attribute__((noinline)) int hd_emit_refused(struct hd_work* work) {
  if (!work) return 0;
  struct hd_event event = {.time_ns = bpf_ktime_get_ns(),
                           .cgroup = work->request.cgroup,
                           .netns_cookie = work->request.netns_cookie,
                           .tier = HD_TIER_CONNECT,
                           .decision = work->decision};
  hd_emit(&event);
  return 0;
}

/* The agent may not know of this namespace yet. A full ring needs no further record: it looks around when it wakes. */
static __always_inline void hd_tell_unserved(struct hd_dialling* dialling) {
  hd_u64 current = bpf_get_current_pid_tgid();
  struct hd_unserved unserved = {.netns_cookie = dialling->netns_cookie,
                                 .process = (hd_u32)(current >> 32),
                                 .thread = (hd_u32)current};
  bpf_ringbuf_output(&hd_unserved, &unserved, sizeof(unserved), BPF_RB_FORCE_WAKEUP);
}

/* The handler listens in this network namespace; where it does not, a service that it decides is refused, never passed by. */
static __always_inline int hd_handler_port(struct hd_dialling* dialling, enum hd_way way, hd_u16* port4, hd_u16* port6) {
  struct hd_listener* listener = bpf_map_lookup_elem(&hd_listeners, &dialling->netns_cookie);
  if (!listener) {
    hd_tell_unserved(dialling);
    return 0;
  }
  *port4 = way == HD_WAY_EARLY ? listener->early4 : listener->port4;
  *port6 = way == HD_WAY_EARLY ? listener->early6 : listener->port6;
  return 1;
}

/* Whether requests of this connection may be decided at its own socket: only then it is enrolled. */
static __always_inline int hd_may_go_fast(struct hd_work* work, struct hd_service* service) {
  hd_u32 zero = 0, caller = work->decision.caller;
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  struct hd_workload* workload = bpf_map_lookup_elem(&hd_workloads, &caller);
  return config && config->fast_path != HD_FAST_OFF && service->flags & HD_SERVICE_FAST && workload &&
         !(workload->flags & HD_WORKLOAD_NOT_FAST);
}

static __always_inline enum hd_way hd_decide_connect(struct bpf_sock* sk, struct hd_work* work) {
  hd_resolve(work);
  hd_u32 number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) {
    hd_decide_outside(work);
    hd_commit(work);
    if (work->decision.verdict == HD_VERDICT_OUTSIDE) return HD_WAY_AS_DIALLED;
  } else if (service->protocol != HD_PROTOCOL_TCP || service->flags & HD_SERVICE_ACCEPTED) {
    hd_u32 flags = HD_CONNECTION_TO_HANDLER | HD_CONNECTION_REWRITTEN;
    if (service->protocol == HD_PROTOCOL_TLS) {
      flags |= HD_CONNECTION_TLS;
    } else if (service->protocol == HD_PROTOCOL_TCP) {
      flags |= HD_CONNECTION_BYTES;
    } else if (hd_may_go_fast(work, service)) {
      flags |= HD_CONNECTION_FAST;
    }
    hd_remember(sk, work, flags);
    return flags & HD_CONNECTION_BYTES ? HD_WAY_EARLY : HD_WAY_HANDLER;
  } else {
    hd_decide_facts(work);
    hd_commit(work);
    if (work->decision.verdict == HD_VERDICT_FORWARD) {
      hd_remember(sk, work, HD_CONNECTION_TCP | HD_CONNECTION_REWRITTEN);
      return HD_WAY_ENDPOINT;
    }
  }
  hd_emit_refused(work);
  return HD_WAY_REFUSED;
}

static __always_inline int hd_refused(void) {
  bpf_set_retval(-HD_ECONNREFUSED);
  return 0;
}

/* Nothing about this socket is remembered from an earlier connect of it, but where it is enrolled. */
static __always_inline void hd_forget(struct bpf_sock* sk) {
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  if (!connection) return;
  hd_u64 enrolled = connection->enrolled;
  __builtin_memset(connection, 0, sizeof(*connection));
  connection->enrolled = enrolled;
}

static __always_inline int hd_is_tcp(struct bpf_sock_addr* ctx) {
  return HD_CONTEXT(ctx->type) == HD_SOCK_STREAM && HD_CONTEXT(ctx->protocol) == HD_IPPROTO_TCP;
}

#endif
