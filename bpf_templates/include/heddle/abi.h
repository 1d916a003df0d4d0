/* The one contract between the compiler, the programs in the kernel, the agent and its workers: the layout of
 * every map value and of every record that one of them writes and another reads. C11, fixed widths; a change of
 * a size is a change of HD_ABI_VERSION.
 *
 * Addresses are always 16 bytes, IPv4 in its v4-mapped form. Ports are in host byte order. */
#ifndef HEDDLE_ABI_H
#define HEDDLE_ABI_H

#ifdef __bpf__
/* vmlinux-free BPF C: linux/types.h comes with linux/bpf.h, which every template includes first. */
typedef __u8 hd_u8;
typedef __u16 hd_u16;
typedef __u32 hd_u32;
typedef __u64 hd_u64;
#else
#include <stdint.h>
typedef uint8_t hd_u8;
typedef uint16_t hd_u16;
typedef uint32_t hd_u32;
typedef uint64_t hd_u64;
#endif

#ifdef __cplusplus
#define HD_STATIC_ASSERT(what, text) static_assert(what, text)
#else
#define HD_STATIC_ASSERT(what, text) _Static_assert(what, text)
#endif

#define HD_ABI_VERSION 11

#include "bpf_templates/include/heddle/request.h"
#include "bpf_templates/include/heddle/targets.h"

enum hd_limit {
  HD_ROUND_MAX = 64,          /* requests that one call of the syscall entry takes */
  HD_WORKERS_MAX = 16,        /* handler processes of one node */
  HD_PAGE_SIZE = 4096,        /* unit of hd_arena */
  HD_PAGES_PER_WORKER = 128,  /* heads of one round together */
  HD_HEAD_MAX = 65536,        /* a longer head is 431 */
  HD_TARGET_MAX = 16384,      /* a longer target is 414 */
  HD_SERVER_NAME_MAX = 253,   /* bytes of the name that a client of TLS asks for */
  HD_IDENTITY_WORDS = 16,     /* 1024 declared identities */
  HD_ATOM_WORDS = 64,         /* 4096 distinct tests of strings in the generated code of one service */
  HD_FIELDS_MAX = 40,         /* strings of a request that one service tests */
  HD_LEVELS_MAX = 16,         /* depth of the cgroup tree below the cgroup root that is looked at */
  HD_FLOWS_MAX = 16384,       /* clients on the fast path of one node; a further one is served by the handler */
  HD_LINKS_MAX = 32768,       /* connections to endpoints that the fast path uses */
  HD_SPARE_LINKS = 3,         /* that a client keeps beside the one that it used last, */
  HD_SPARE_CONNECTIONS = 512, /* to endpoints that have no more connections than this, and no bound */
  HD_FAST_HEAD_MAX = 8192,    /* a longer head of a request or response is the handler's */
  HD_FAST_REQUEST_MAX = 65536,    /* head and body together */
  HD_FAST_RESPONSE_MAX = 262144,  /* of one response that are redirected, overhead included */
  HD_MESSAGE_OVERHEAD = 1024,     /* kernel memory that one message takes beside its bytes */
  HD_FAST_QUEUED_NODE = 134217728,    /* redirected bytes of one node that are not known to be read */
  HD_FAST_UNCOUNTED = 4096,           /* of each client that are not counted in these two */
  HD_FAST_QUEUED_WORKLOAD = 67108864, /* and of one workload's clients */
  HD_LISTENERS_MAX = 1024,    /* network namespaces in which the handler listens */
  HD_PLACES_PER_CPU = 4,      /* programs of one CPU that can interrupt each other, each with memory of its own */
  HD_LIMITS_MAX = 16,         /* of one service */
  HD_FILTERS_MAX = 32,        /* of one policy */
  HD_ACCOUNTS_MAX = 262144,   /* keys of limits that one node remembers; an account that is full need not be */
  HD_LATENCY_BUCKETS = 32,    /* bucket b: below 2^b microseconds; the last: everything else */
};

#define HD_NONE 0xffffffffu

#include "bpf_templates/include/heddle/peers.h"

/* ---- state: one of each per node, outlives every generation ---------------------------------------------- */

/* hd_word[0], memory-mapped: the generation that decides now; 0 before the first. A generation owns one place in
 * each of the program arrays hd_to_connect4, hd_to_connect6 and hd_to_sk_msg: HD_PROGRAM_PLACE(g). One array
 * per hook, because the kernel takes programs of one type only in an array. */
#define HD_PROGRAM_PLACE(generation) ((hd_u32)((generation) & 1))
#define HD_PROGRAM_PLACES 2

struct hd_word {
  hd_u64 generation;
};

/* hd_config[0]: what the hooks need to know of the agent. */
struct hd_config {
  hd_u32 abi_version;
  hd_u32 fast_path;      /* enum hd_fast_path */
  hd_u32 own_references; /* by references: how many an enrolled socket has of its own, timers aside */
  hd_u32 events;         /* 1: somebody reads hd_events; else none is written there */
  hd_u64 secret[2];      /* of this node, for as long as its state lives: keys of limits are digested with it */
};

/* hd_listeners, hash, cookie of a network namespace (u64) -> where the handler listens in it. In a namespace that is not
 * there the services that it decides are refused. */
struct hd_listener {
  hd_u16 port4;  /* on 127.0.0.1; 0: nowhere */
  hd_u16 port6;  /* on ::1 */
  hd_u16 early4; /* the same, where a connection is accepted before its client has sent anything */
  hd_u16 early6;
};

/* hd_unserved: ring buffer: a client was refused because the handler does not listen in its namespace. */
struct hd_unserved {
  hd_u64 netns_cookie;
  hd_u32 process;
  hd_u32 thread;
};

/* Whether sockets are enrolled, and how it is known that redirected bytes lie in their receiver's queue. */
enum hd_fast_path {
  HD_FAST_OFF = 0,
  HD_FAST_BY_REFERENCES = 1, /* a redirect on its way holds a reference on the receiver */
  HD_FAST_BY_TRACE = 2,      /* a program runs when the kernel's redirect function returns */
};

enum hd_verdict {
  HD_VERDICT_NONE = 0,
  HD_VERDICT_FORWARD = 1,   /* to `address`, `port` */
  HD_VERDICT_RESPOND = 2,   /* `status`, and the rule's answer number `port` */
  HD_VERDICT_DENY = 3,      /* 403; a connect is refused */
  HD_VERDICT_REFUSE = 4,    /* `status` (400, 405, 414, 431), and the connection ends */
  HD_VERDICT_UNHEALTHY = 5, /* 503 */
  HD_VERDICT_OUTSIDE = 6,   /* destination belongs to no service: `outside allow` */
  HD_VERDICT_HANDLER = 7,   /* not canonical: to be put into canonical form first */
  HD_VERDICT_FULL = 8,      /* 503: `at_most` is reached */
  HD_VERDICT_LIMITED = 9,   /* 429: a limit has no room; `port` is the seconds until it has */
};

/* What differs from one request to the next comes first: one cache line. */
struct hd_decision {
  hd_u64 draw;
  hd_u8 address[16];
  hd_u32 rule;      /* that ended the decision; index into hd_rules of that generation */
  hd_u32 access;    /* that allowed or denied; HD_NONE before step 3 */
  hd_u32 service;   /* HD_NONE: outside */
  hd_u32 pool;      /* HD_NONE: none was asked */
  hd_u32 endpoint;  /* index into hd_endpoints of that generation; HD_NONE: none */
  hd_u32 caller;    /* index of the workload in that generation; HD_NONE: no peer, or none of this node */
  hd_u16 verdict;   /* enum hd_verdict */
  hd_u16 status;    /* HTTP status for all but FORWARD */
  hd_u16 port;
  hd_u16 counted;   /* 1: it is one of its endpoint's in_flight, until its end is told */
  hd_u32 counter;        /* slot of `rule` in hd_counters and hd_latency: holds in every generation */
  hd_u32 endpoint_state; /* slot of `endpoint` in hd_endpoint_state: holds in every generation; HD_NONE: none */
  hd_u64 generation;
};
HD_STATIC_ASSERT(sizeof(struct hd_decision) == 72, "hd_decision");

/* hd_connections, socket storage of the client's socket (C) and of the handler's accepted socket (H): who connected, and
 * where to. The workload is remembered by its cgroup, never by a number of one generation. What a request on the fast path
 * needs comes first: one cache line. */
struct hd_connection {
  hd_u64 flow;          /* id of its hd_flow; 0: it has none, or has it no more */
  hd_u32 first_sent;    /* C: snd_nxt and rcv_nxt when the connection was established */
  hd_u32 first_received;
  /* C: what the tables of its generation say of it; they need not be asked for each request. */
  hd_u64 resolved;      /* the generation; 0: none */
  hd_u32 service;
  hd_u32 caller;
  hd_u32 endpoint;
  hd_u32 flags;         /* enum hd_connection_flag */
  hd_u64 cgroup;        /* the cgroup that made it a workload's */
  hd_u64 netns_cookie;  /* of the client */
  hd_u16 source_port;
  hd_u16 destination_port;
  hd_u32 pad;
  hd_u8 source[16];     /* filled when the connection is established */
  hd_u8 destination[16];/* what the client dialled */
  hd_u64 start_ns;      /* CLOCK_MONOTONIC at connect */
  hd_u64 enrolled;      /* C: its key in hd_clients, which outlives the flow; 0: it is not there */
  hd_u64 last_server;   /* C: the flow's server_socket, when C was closed */
  struct hd_decision decision; /* tcp services: made at connect */
};
HD_STATIC_ASSERT(sizeof(struct hd_connection) == 192, "hd_connection");

enum hd_connection_flag {
  HD_CONNECTION_TO_HANDLER = 1, /* the hook sent it to the listener; the handler decides */
  HD_CONNECTION_REWRITTEN = 2,  /* getpeername shows `destination` */
  HD_CONNECTION_TCP = 4,        /* decided at connect; leaves an event when it ends */
  HD_CONNECTION_FAST = 8,       /* its requests may be decided in the kernel */
  HD_CONNECTION_ACCEPTED = 16,  /* this is the handler's end */
  HD_CONNECTION_TLS = 32,       /* with TO_HANDLER: the service that was dialled is one of TLS */
  HD_CONNECTION_BYTES = 64,     /* with TO_HANDLER: it is one of tcp, and asks for its client's address; no byte is read */
};

/* hd_pending, LRU hash: from the SYN of a client until the kernel has a socket for the handler to accept. That can be a second
 * after, for a client that sends nothing. */
struct hd_pending_key {
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u16 source_port;
  hd_u16 listener_port;
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_pending_key) == 32, "hd_pending_key");

/* What of an hd_connection the key does not say. */
struct hd_pending {
  hd_u64 flow;
  hd_u64 cgroup;
  hd_u8 destination[16];
  hd_u32 flags;
  hd_u16 destination_port;
  hd_u16 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_pending) == 40, "hd_pending");

/* hd_counters, per CPU, index is a slot that the loader keeps for a rule across generations. */
struct hd_counter {
  hd_u64 decisions;
};

/* hd_latency, hash, the rule's slot in hd_counters -> this: requests by the time from the complete head to the end of
 * the response, both tiers. The loader makes the entries. */
struct hd_latency {
  hd_u64 buckets[HD_LATENCY_BUCKETS];
};

/* hd_endpoint_state, memory-mapped, index is a slot that the loader keeps for an endpoint of a service. */
struct hd_endpoint_state {
  hd_u16 unhealthy;
  hd_u16 local;          /* written by the agent. 1: its address is one of this node */
  hd_u32 in_flight;      /* requests decided for it whose response has not ended, where the policy asks for it */
  hd_u32 connections;    /* of the handler and of the fast path */
  hd_u32 failures;       /* in a row */
  hd_u64 ejected_until;  /* CLOCK_MONOTONIC; 0: not */
  /* What the policy says of it; written by the loader when a generation begins to decide. */
  hd_u32 eject_after;    /* failures in a row; 0: never */
  hd_u32 eject_ms;
  hd_u32 eject_group;    /* index into hd_eject_groups */
  hd_u32 connections_max; /* 0: no bound */
  hd_u32 eject_next;     /* slot of the next endpoint of the group: a ring through all of them */
  hd_u32 eject_count;    /* endpoints in the ring */
  hd_u64 slow_until;     /* CLOCK_MONOTONIC; until then no request goes to it past the handler: it left one unread */
  hd_u64 evictions;      /* of connections that the fast path closed: idle for long, or to make room for others */
};
HD_STATIC_ASSERT(sizeof(struct hd_endpoint_state) == 64, "hd_endpoint_state");

/* hd_eject_groups, index is a slot that the loader keeps for a service: the endpoints of which only a part may be
 * ejected at a time. */
struct hd_eject_group {
  hd_u32 ejected; /* at the last look; HD_EJECT_LOCK: somebody is looking */
  hd_u32 allowed; /* written by the loader: never all */
};

#define HD_EJECT_LOCK 0x80000000u

/* hd_balance: a running number per pool (u64), index is a slot that the loader keeps for the pool.
 * hd_weights: of 1,000,000, what a part of a split gets (u32), index is a slot that the loader keeps for the part.
 * hd_events: ring buffer of struct hd_event. hd_lost[0] (u64): events that found it full. */

/* hd_interned, hash: which slot a thing has, kept by the loader under a digest of the thing. */
enum hd_interned_kind {
  HD_INTERNED_COUNTER = 1,
  HD_INTERNED_ENDPOINT = 2,
  HD_INTERNED_POOL = 3,
  HD_INTERNED_WEIGHT = 4,
  HD_INTERNED_SERVICE = 5, /* hd_eject_groups */
};

struct hd_interned_key {
  hd_u32 kind;
  hd_u8 digest[16];
};
HD_STATIC_ASSERT(sizeof(struct hd_interned_key) == 20, "hd_interned_key");

/* ---- the request slots of the handler ---------------------------------------------------------------------- */

enum hd_op {
  HD_OP_NONE = 0,
  HD_OP_DECIDE = 1, /* in: request; out: decision */
  HD_OP_FINISH = 2, /* in: finish; the response ended: writes the event */
};

/* What the handler's parser says of a head. 405, 414 and 431 are the answer; 400 is unless the scan finds that the
 * path came first (`mesh/path`). All of them are counted like any decision. */
enum hd_form {
  HD_FORM_OK = 0,
  HD_FORM_MALFORMED = 400,
  HD_FORM_TARGET_TOO_LONG = 414,
  HD_FORM_HEAD_TOO_LARGE = 431,
  HD_FORM_CONNECT = 405,
};

struct hd_request {
  hd_u64 cgroup;       /* from hd_connection; 0: no peer of this node */
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u8 destination[16];
  hd_u16 source_port;
  hd_u16 destination_port;
  hd_u16 form;         /* enum hd_form */
  hd_u16 flags;        /* enum hd_request_flag */
  hd_u32 page;         /* first page of the head in hd_arena; the head is contiguous */
  hd_u32 head_length;  /* with the empty line; at most HD_HEAD_MAX. HD_REQUEST_TLS: the head is the name that the client asks
                        * for, and 0: it asks for none */
  hd_u64 draw;         /* with HD_REQUEST_DRAW: the draw to use (a try after the first, `--draw`) */
  hd_u64 now;          /* what the clock of limits says, in nanoseconds; 0: it is CLOCK_MONOTONIC */
};
HD_STATIC_ASSERT(sizeof(struct hd_request) == 80, "hd_request");

enum hd_request_flag {
  HD_REQUEST_DRAW = 1,
  HD_REQUEST_NORMALISED = 2, /* its path was put into canonical form: one that is not is refused */
  HD_REQUEST_TLS = 4,        /* a connection that begins with TLS, and no request: any service but one of TLS refuses it */
  HD_REQUEST_TCP = 8,        /* a connection of which nothing is read: any service but one of tcp refuses it */
  HD_REQUEST_PEER = 16,      /* the peer is who hd_slot.peer says, whatever `cgroup` is */
  HD_REQUEST_TUNNEL = 32,    /* another node has let it go: `destination` is an endpoint, and limits were charged there */
};

enum hd_tier {
  HD_TIER_CONNECT = 0,
  HD_TIER_KERNEL = 1,
  HD_TIER_HANDLER = 2,
};

/* One request or tcp connection, when its response ended: access log and `heddle top` are views of these. */
struct hd_event {
  hd_u64 time_ns;    /* CLOCK_MONOTONIC, at the end */
  hd_u64 latency_ns; /* from the complete request head to the last byte of the response */
  hd_u64 bytes_in;   /* of the request, head included */
  hd_u64 bytes_out;  /* of the response, head included */
  hd_u64 cgroup;
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u16 source_port;
  hd_u8 tier;        /* enum hd_tier */
  hd_u8 flags;       /* enum hd_event_flag */
  hd_u16 status;     /* that the client saw; 0: none */
  hd_u16 pad;
  struct hd_decision decision;
};
HD_STATIC_ASSERT(sizeof(struct hd_event) == 144, "hd_event");

enum hd_event_flag {
  HD_EVENT_CLIENT_ABORTED = 1,
  HD_EVENT_SERVER_ABORTED = 2,  /* reset, or an end before the response's */
  HD_EVENT_CONNECT_FAILED = 4,  /* no connection to the endpoint */
  HD_EVENT_TIMEOUT = 8,         /* the route's `timeout` */
};

/* hd_slots, memory-mapped: worker w owns [w * HD_ROUND_MAX, (w + 1) * HD_ROUND_MAX).
 * hd_arena, memory-mapped, values of HD_PAGE_SIZE bytes: worker w owns HD_PAGES_PER_WORKER pages from
 * w * HD_PAGES_PER_WORKER. */
struct hd_slot {
  hd_u32 op;
  hd_u32 pad;
  struct hd_request request;   /* HD_OP_DECIDE */
  struct hd_peer peer;         /* with HD_REQUEST_PEER */
  struct hd_decision decision; /* HD_OP_DECIDE: out */
  struct hd_event finish;      /* HD_OP_FINISH: all but time_ns */
};
HD_STATIC_ASSERT(sizeof(struct hd_slot) == 440, "hd_slot");

/* Context of the syscall entry `decide` (BPF_PROG_TEST_RUN, ctx_in). */
struct hd_round {
  hd_u32 first;
  hd_u32 count;
};

/* ---- the fast path ------------------------------------------------------------------------------------------ */

/* A client C is connected to the handler's socket H; the handler's socket U is connected to a server's socket S. On the
 * fast path a request goes from C's send call straight into S's receive queue, and the response from S's send call into
 * C's. What C or S sends otherwise goes over TCP to H or U.
 *
 * hd_flows, memory-mapped: one hd_flow for each C. hd_links, memory-mapped: one hd_link for each pair of S and U. Both are
 * given and taken back by the programs as sockets come and go. The id of one is index | generation << 32; the generation
 * grows each time it is given, and is never 0. hd_clients and hd_servers: sockhashes of C and S by id. */
#define HD_ID_INDEX(id) ((hd_u32)(id))
#define HD_ID_GENERATION(id) ((hd_u32)((id) >> 32))

/* hd_flow.state = generation << 32 | number of the request << 8 | HD_FLOW_WAIT | enum hd_flow_state; changed by compare-and-swap
 * only, so that a change also proves whose flow and which request it is. The number grows with each request that goes
 * fast; who changes the state keeps it. */
#define HD_FLOW_STATE(word) ((hd_u32)(word) & 15u)
#define HD_FLOW_WAIT 16u /* the handler has a request that waits for the end of the response: ring its bell then */
#define HD_FLOW_GENERATION(word) ((hd_u32)((word) >> 32))
#define HD_FLOW_BASE(word) ((word) & ~(hd_u64)31) /* without state and HD_FLOW_WAIT */
#define HD_FLOW_NEXT(base) (((base) & 0xffffffff00000000ull) | (((base) + 256) & 0xffffff00ull))

enum hd_flow_state {
  HD_FLOW_FREE = 0,
  HD_FLOW_TAKEN = 1,     /* the handler's: it may write to the client */
  HD_FLOW_ARMED = 2,     /* the next request may go fast, if C has written and read what `counts` says */
  HD_FLOW_SENT = 3,      /* a request lies in S's queue, no byte of its response has come */
  HD_FLOW_ANSWERING = 4, /* the response has begun; `left` of it are to come */
  HD_FLOW_DONE = 5,      /* its last piece is decided, and not known to have landed in C's queue */
  HD_FLOW_SPILL = 6,     /* the last `left` bytes of the response come over U */
  HD_FLOW_FRAMED = 7,    /* the whole response comes over U, from its first byte */
  HD_FLOW_BROKEN = 8,    /* bytes are lost: both connections are to be closed */
};

/* Who may write: in TAKEN the handler; in ARMED the program at C, which makes it SENT; from then on the program at S, up to DONE.
 * The processors of C and S take these cache lines from each other with every request, so that what only one of them writes has
 * lines of its own. */
struct hd_flow {
  /* Both write. */
  hd_u64 state;
  hd_u64 link;      /* id of the link in use, or kept from the last request; 0: none */
  hd_u64 begin_ns;  /* when the request was decided */
  hd_u64 deadline_ns; /* 0: none */
  hd_u64 left;
  hd_u64 bytes_out; /* of the response, redirected and to be spilled */
  hd_u32 room;      /* bytes that may still be redirected of this response, overhead included */
  hd_u32 expect;    /* what is left of the message in hand when the redirect on its way has ended */
  hd_u32 bytes_in;  /* of the request */
  hd_u16 status;    /* of the response */
  hd_u8 flags;      /* enum hd_flow_flag */
  hd_u8 pad;
  /* The program at C writes. */
  struct hd_decision decision; /* its generation is in the next line */
  /* Seldom written. Who the client is: as in hd_connection. */
  hd_u64 cgroup;
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u32 source_port;
  hd_u32 worker;    /* whose client it is; HD_NONE: not accepted yet */
  hd_u32 ends;      /* sockets that are not closed: enum hd_flow_end */
  hd_u32 next_free;
  hd_u64 copy;      /* place of a kept request, for retries: not used yet */
  /* The program at C and the handler write. */
  hd_u64 counts;    /* what the handler has read from H, and << 32 written to H (modulo 2^32), when it armed the flow */
  hd_u64 queued;    /* bytes counted in hd_queued for this flow */
  hd_u64 client_socket; /* address of C in the kernel, for the programs */
  hd_u64 server_socket; /* and of the S that the last request went to; 0: none has */
  hd_u64 spare[HD_SPARE_LINKS]; /* ids of further links, to other endpoints; changed as `link` is */
  hd_u64 requests;  /* decided in the kernel, and redirected */
};
HD_STATIC_ASSERT(sizeof(struct hd_flow) == 256, "hd_flow");

enum hd_flow_flag {
  HD_FLOW_HEAD = 1, /* the request is a HEAD: its response has no body */
};

enum hd_flow_end {
  HD_FLOW_CLIENT = 1,  /* C is open */
  HD_FLOW_HANDLER = 2, /* H is open */
};

enum hd_link_state {
  HD_LINK_FREE = 0,
  HD_LINK_OPENING = 1, /* U is connected, S is not enrolled (and never will be, if it is no socket of this node's mesh) */
  HD_LINK_IDLE = 2,    /* on the list of its endpoint and worker */
  HD_LINK_HELD = 3,    /* by `flow` */
  HD_LINK_DEAD = 4,    /* an end is closed, or S sent what nobody asked for: no request may go there */
};

/* hd_link.state = generation << 32 | enum hd_link_state; compare-and-swap only. */
struct hd_link {
  hd_u64 state;
  hd_u64 flow;       /* id of the flow that holds it; 0: none */
  hd_u64 idle_since; /* CLOCK_MONOTONIC, when it came to the list */
  hd_u32 endpoint_state; /* slot in hd_endpoint_state: whose connection it is */
  hd_u32 worker;
  hd_u32 next;       /* on the list, or of the free ones: index + 1; 0: the last */
  hd_u32 references; /* U, S, and the list or the flow that holds it */
  hd_u64 server_socket; /* address of S in the kernel, for the programs; 0: not enrolled */
  hd_u64 reserved[2];   /* each has a cache line for itself */
};
HD_STATIC_ASSERT(sizeof(struct hd_link) == 64, "hd_link");

/* hd_idle_links, hash: (endpoint's slot, worker) -> the list of idle links, the last used first. The head is
 * index + 1 of the first | a number << 32 that grows with each change; compare-and-swap only. */
struct hd_idle_key {
  hd_u32 endpoint_state;
  hd_u32 worker;
};

/* hd_link_ends, socket storage of U and S. The handler writes it for U, with link = 0, before it connects: only then does
 * the program at S's birth know S again (by addresses, ports and both first sequence numbers), and enrols it. */
struct hd_link_end {
  hd_u64 link;     /* 0: it has none any more */
  hd_u64 enrolled; /* S: its key in hd_servers, which outlives the link */
  hd_u32 endpoint_state;
  hd_u32 worker;
  hd_u32 is_server; /* 1: S */
  hd_u32 pad;
};

/* hd_bells, array of ring buffers, one for each worker: a record means that a flow or a link of this worker needs it. */
struct hd_bell {
  hd_u64 id;
  hd_u32 kind; /* enum hd_bell_kind */
  hd_u32 pad;
};

enum hd_bell_kind {
  HD_BELL_FLOW = 1, /* a flow that had HD_FLOW_WAIT has come to its end, or a flow is BROKEN */
  HD_BELL_LINK = 2, /* a link is DEAD */
};

/* hd_use, hash, cgroup id -> what its clients have and had. Of open connections, requests decided in the kernel are counted in
 * their flows. */
struct hd_use {
  hd_u64 queued;  /* redirected bytes that are not known to be read */
  hd_u64 kernel;  /* requests */
  hd_u64 handler;
};

/* hd_fast, per CPU: what the fast path did; index is enum hd_fast_counter. hd_queued[0] (u64): redirected bytes of this node that are not known
 * to be read. */
enum hd_fast_counter {
  HD_FAST_REQUESTS = 0,      /* decided and redirected */
  HD_FAST_RESPONSES,         /* wholly redirected */
  HD_FAST_SPILLED,           /* responses that went on over U */
  HD_FAST_FRAMED,            /* responses that went over U from the beginning */
  HD_FAST_NOT_ARMED,         /* requests passed to the handler: not armed (first of a client, or behind another) */
  HD_FAST_UNREAD,            /* : the client has not read everything, or has sent what the handler has not read */
  HD_FAST_NOT_LANDED,        /* : the last response was still on its way */
  HD_FAST_NOT_WHOLE,         /* : head and body do not lie in one message */
  HD_FAST_NOT_CANONICAL,     /* : the handler has to look at its form, or refuses it */
  HD_FAST_ANSWERED,          /* : respond, 403, 503 */
  HD_FAST_NO_LINK,           /* : no idle link to the chosen endpoint */
  HD_FAST_NO_MEMORY,         /* : the bound on queued bytes, or memory pressure */
  HD_FAST_SWITCHED_OFF,      /* : policy or option */
  HD_FAST_FAILED,            /* : a helper failed */
  HD_FAST_UNASKED,           /* messages of servers that nobody asked for */
  HD_FAST_NOT_ENROLLED,      /* clients or servers for which a map was full */
  HD_FAST_BROKEN,
  HD_FAST_STALLED,           /* requests passed to the handler: hd_endpoint_state.slow_until */
  HD_FAST_COUNTERS = 32,
};

/* Context of the syscall entry `hd_settle`: flows of one worker, to be asked whether everything that was redirected to the
 * client has landed. Out: one bit each. */
#define HD_SETTLE_MAX 16
struct hd_settle_round {
  hd_u64 flows[HD_SETTLE_MAX]; /* ids */
  hd_u32 count;
  hd_u32 landed;  /* bit i: of flow i nothing is on its way to C */
  hd_u32 read;    /* bit i: landed, and C's redirect queue is empty; what was counted in hd_queued is given back */
  hd_u32 waiting; /* bit i: bytes that were redirected to S lie there unread */
};

/* ---- tables of one generation ------------------------------------------------------------------------------ */

/* hd_self[0] (u64): the number of this generation, written by the loader.
 * hd_cgroups, hash, u64 cgroup id -> this; filled by the agent, not by the bundle. */
enum hd_cgroup_kind {
  HD_CGROUP_OUTSIDE = 0,  /* known, and no workload: untouched, with all below it */
  HD_CGROUP_WORKLOAD = 1, /* a workload, with all below it */
  HD_CGROUP_PARENT = 2,   /* workloads may appear below it: itself untouched, an unknown child is refused until resolved */
};

struct hd_cgroup {
  hd_u32 kind;
  hd_u32 workload; /* index into hd_workloads */
};

/* hd_workloads: the identities that a workload holds, one bit each. */
struct hd_workload {
  hd_u64 identities[HD_IDENTITY_WORDS];
  hd_u64 digest; /* of its SPIFFE id: equal in every generation */
  hd_u64 flags; /* enum hd_workload_flag */
  struct hd_text spiffe; /* that ID, for the handler: whose certificate its tunnels show */
};

enum hd_workload_flag {
  HD_WORKLOAD_NOT_FAST = 1, /* `fast_path off` */
};

/* hd_addresses, hash. */
struct hd_address_key {
  hd_u8 address[16];
  hd_u16 port;
  hd_u16 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_address_key) == 20, "hd_address_key");

struct hd_address {
  hd_u32 service;
  hd_u32 endpoint; /* HD_NONE: an address of the service; else that endpoint, dialled directly */
  hd_u32 server;   /* the endpoint that listens there, also where that is an address of the service; HD_NONE: none does */
};

enum hd_protocol {
  HD_PROTOCOL_TCP = 0,
  HD_PROTOCOL_HTTP = 1,
  HD_PROTOCOL_TLS = 2,
};

/* States of the scan of a head: where it starts, and where it is after what nearly every head has. Who finds these bytes
 * there need not walk over them. */
struct hd_scan {
  hd_u32 start;
  hd_u32 target;  /* after `GET ` */
  hd_u32 version; /* before `HTTP/1.1` */
  hd_u32 line;    /* after that and CR LF */
  hd_u32 host;    /* after that and `Host: ` */
};

struct hd_service {
  hd_u32 protocol;       /* enum hd_protocol */
  hd_u32 pool;           /* all endpoints; index into hd_pools */
  hd_u32 first_field;    /* into hd_fields */
  hd_u32 field_count;
  hd_u32 unhealthy_rule; /* `service s/unhealthy` */
  hd_u32 name_offset;    /* into hd_blob */
  hd_u32 name_length;
  hd_u32 full_rule;      /* `service s/full` */
  hd_u32 timeout_rule;   /* `service s/timeout` */
  hd_u32 flags;          /* enum hd_service_flag */
  hd_u32 pending_max;    /* requests that wait for a connection of a full endpoint; 0: none waits */
  struct hd_scan scan;
  hd_u32 atom_words;     /* of hd_facts.atoms that its rules look at */
  hd_u32 address_field;  /* of the 16 bytes of the client's address, into hd_fields; HD_NONE: nobody asks for it */
  hd_u32 port_field;     /* of the two bytes of the port dialled */
  hd_u32 first_limit;    /* into hd_limits */
  hd_u32 limit_count;
  hd_u32 first_audit;    /* the number that hd_audited knows it by */
  hd_u32 audit_count;
  hd_u32 access_chooser; /* into hd_choosers; HD_NONE: hd_access has its rules */
  hd_u32 route_chooser;  /* HD_NONE: hd_route has */
  hd_u32 filters;        /* that its rules ask: one bit each */
  hd_u32 filters_end;    /* number of the last of them, plus one; 0: none */
  hd_u32 transport;      /* enum hd_transport */
  hd_u32 identity;       /* that its endpoints must present; HD_NONE: they present nothing */
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_service) == 120, "hd_service");

enum hd_service_flag {
  HD_SERVICE_FAST = 1, /* it has rules that the kernel decides, and no workload of it is opted out */
  HD_SERVICE_MERGE = 2,  /* `paths merge`: the handler resolves `//`, `.` and `..` */
  HD_SERVICE_DECODE = 4, /* `paths decode`: it decodes first */
  HD_SERVICE_ACCEPTED = 8, /* of tcp: decided when the handler has accepted, since it asks for its client's address */
};

enum hd_action {
  HD_ACTION_ALLOW = 1,
  HD_ACTION_DENY = 2,
  HD_ACTION_POOL = 3,
  HD_ACTION_SPLIT = 4,
  HD_ACTION_RESPOND = 5,
  HD_ACTION_BUILTIN = 6,
  HD_ACTION_LIMIT = 7,
  HD_ACTION_AUDIT = 8, /* it is counted, and decides nothing */
};

/* hd_rules: rule ids are indexes into it. The built-in ones come first. */
struct hd_rule {
  hd_u32 action;      /* enum hd_action */
  hd_u32 target;      /* POOL: into hd_pools; SPLIT: first of hd_parts */
  hd_u32 parts;       /* SPLIT: how many */
  hd_u32 status;      /* RESPOND */
  hd_u32 first_answer; /* RESPOND, SPLIT: into hd_answers */
  hd_u32 answers;      /* how many, at most HD_ANSWERS_MAX */
  hd_u32 name_offset; /* the id's text, into hd_blob */
  hd_u32 name_length;
  hd_u64 digest;      /* of the id: the draw's second half */
  hd_u32 counter;     /* written by the loader: into hd_counters */
  hd_u32 service;     /* HD_NONE for the mesh's */
  hd_u32 timeout_ms;  /* from the complete head to the last byte of the response; 0: none */
  hd_u32 sticky;      /* SPLIT: the field whose value draws, or HD_STICKY_ADDRESS; HD_NONE: each request draws */
  hd_u32 through;     /* POOL of another service: the entry of hd_services whose access is judged, too; else HD_NONE */
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_rule) == 64, "hd_rule");

#define HD_STICKY_ADDRESS 0xfffffffeu

enum hd_builtin_rule {
  HD_RULE_MALFORMED = 0, /* mesh/malformed */
  HD_RULE_PATH = 1,      /* mesh/path */
  HD_RULE_OUTSIDE = 2,   /* mesh/outside */
  HD_RULES_BUILTIN = 3,
};

/* Times of limits are in sixteenths of a nanosecond. */
#define HD_TICKS 16

/* hd_limits: of each service by name. */
struct hd_rate_limit {
  hd_u64 interval;  /* between two requests, rounded up */
  hd_u64 tolerance; /* by how much more one instant may put an account off: burst - 1 intervals */
  hd_u32 rule;
  hd_u32 first_key; /* into hd_limit_keys */
  hd_u32 key_count;
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_rate_limit) == 32, "hd_rate_limit");

enum hd_limit_key_kind {
  HD_KEY_FIELD = 0, /* of the service's strings: method, host, a header, query parameter or cookie */
  HD_KEY_ADDRESS = 1,
  HD_KEY_IDENTITY = 2,
};

struct hd_limit_key {
  hd_u32 kind;
  hd_u32 field; /* HD_KEY_FIELD */
};

/* hd_accounts, LRU hash: which account -> the time at which it is full again. */
struct hd_account_key {
  hd_u64 digest; /* of the values that the request has of the limit's key */
  hd_u32 slot;   /* of the limit's rule in hd_counters: the same in every generation that has this limit */
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_account_key) == 16, "hd_account_key");

/* hd_steps: all automata of the generation as one comb. A state is the index of its first entry: the entry for
 * byte b is hd_steps[state + b] if its `check` is the state, else the default. Entry state + 256 holds `check` =
 * what the state accepts and `next` = its default. `next` carries an event in its top 8 bits (scan of a head). A
 * state without exceptions whose default is itself ends a walk early (HD_STEP_FINAL in its entry 256). */
struct hd_step {
  hd_u32 check;
  hd_u32 next;
};

#define HD_STEP_STATE 0x00ffffffu
#define HD_STEP_EVENT_SHIFT 24
#define HD_STEP_ACCEPT 0x3fffffffu
#define HD_STEP_DEFAULT 0x40000000u /* in `check` of every entry 256: it never equals a state */
#define HD_STEP_FINAL 0x80000000u   /* in `check` of entry 256 */

/* What a step of the scan of a head says about its byte. Positions are those of that byte. */
enum hd_scan_event {
  HD_SCAN_NONE = 0,
  HD_SCAN_OLD,         /* the version is HTTP/1.0 */
  HD_SCAN_METHOD_END,  /* the space after the method; the target begins behind it */
  HD_SCAN_PATH_END,    /* `?`, or the space after a target without query */
  HD_SCAN_TARGET_END,  /* the space after a query */
  HD_SCAN_NAME,        /* `:` or `=` after a name that some policy tests: the state before it accepts the name's number */
  HD_SCAN_BARE_NAME,   /* what ends a cookie that is only a name: as for NAME */
  HD_SCAN_QUERY_NAME,  /* `=` after the name of a query parameter: as for NAME */
  HD_SCAN_QUERY_BARE,  /* `&` after one without `=` */
  HD_SCAN_QUERY_BARE_END,  /* or the space that ends the target */
  HD_SCAN_QUERY_VALUE, /* `&` after the value of one */
  HD_SCAN_QUERY_VALUE_END, /* or the space that ends the target */
  HD_SCAN_VALUE,       /* first byte of a value */
  HD_SCAN_SPACE,       /* first blank after a byte of a value */
  HD_SCAN_VALUE_END,   /* CR right after a byte of a value */
  HD_SCAN_LINE_END,    /* CR after blanks, or after no value at all */
  HD_SCAN_CONNECTION,  /* end of a list element of Connection that names a tested header: as for NAME */
  HD_SCAN_END,         /* last byte of the head */
  HD_SCAN_MALFORMED,   /* 400 by mesh/malformed */
  HD_SCAN_BAD_PATH,    /* 400 by mesh/path */
  HD_SCAN_BAD_METHOD,  /* 405 by mesh/malformed: CONNECT */
  HD_SCAN_HANDLER,     /* legal, but not canonical */
  HD_SCAN_LENGTH,      /* `:` after content-length */
  HD_SCAN_SKIP,        /* `:` after a name that nobody asks for: nothing up to the end of the line matters */
  HD_SCAN_NOT_FAST,    /* `:` after a name, or an element of Connection, that only the handler knows what to do with */
  HD_SCAN_NORMALISE,   /* the path is another one in its canonical form, and so is perhaps the query */
};

/* Numbers of names in a scan. Tested headers, query parameters and cookies count from HD_NAME_FIRST. */
enum hd_name {
  HD_NAME_HOST = 0,
  HD_NAME_KEEP_ALIVE = 1, /* an element of Connection that changes nothing */
  HD_NAME_COOKIE = 2,     /* where cookies are tested: the line that has them */
  HD_NAME_FIRST = 3,
};

/* Lines of lists that repeat a header, in one head. */
#define HD_LINES_MAX 16

#define HD_NAME_FRAMING 0x100000u /* set in the number of a tested header that only the handler knows what to do with */

/* hd_names, hash: which field of a service a tested name is. */
struct hd_name_key {
  hd_u32 service;
  hd_u32 name;
};

/* hd_fields. The first three of every http service are method, path and host, in this order. A tls service has the same three,
 * of which nothing is ever asked, and behind them at most its one string. */
enum hd_field_index {
  HD_FIELD_METHOD = 0,
  HD_FIELD_PATH = 1,
  HD_FIELD_HOST = 2,
  HD_FIELD_FIRST_HEADER = 3,
  HD_FIELD_SNI = 3,
};

enum hd_field_flag {
  HD_FIELD_MAY_REPEAT = 1, /* only `present` and `absent` are asked of it */
  HD_FIELD_ESCAPES = 2,    /* the digits of its escapes compare in either case */
  HD_FIELD_LIST = 4,       /* MAY_REPEAT, and what is asked holds if it holds of one line: `has` */
};

struct hd_field {
  hd_u32 start;     /* first state of its automaton in hd_steps */
  hd_u32 sets;      /* into hd_sets: row r is the words [sets + r * stride, + stride) */
  hd_u16 atom_word; /* where the first words of a row go in hd_facts.atoms */
  hd_u16 words;     /* so many of them */
  hd_u16 stride;    /* behind them: bits that only hd_tests look at, then the lists of candidates (hd_key); 0: nobody asks */
  hd_u16 flags;
};
HD_STATIC_ASSERT(sizeof(struct hd_field) == 16, "hd_field");

/* hd_sets: u64 words. hd_blob[0]: all texts of the generation, one value, memory-mapped, read-only. */

#include "bpf_templates/include/heddle/choosers.h"

#endif
