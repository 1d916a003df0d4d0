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

#define HD_ABI_VERSION 1

enum hd_limit {
  HD_ROUND_MAX = 64,          /* requests that one call of the syscall entry takes */
  HD_WORKERS_MAX = 16,        /* handler processes of one node */
  HD_PAGE_SIZE = 4096,        /* unit of hd_arena */
  HD_PAGES_PER_WORKER = 128,  /* heads of one round together */
  HD_HEAD_MAX = 65536,        /* a longer head is 431 */
  HD_TARGET_MAX = 16384,      /* a longer target is 414 */
  HD_IDENTITY_WORDS = 16,     /* 1024 declared identities */
  HD_ATOM_WORDS = 64,         /* 4096 distinct tests of strings in one service */
  HD_FIELDS_MAX = 40,         /* strings of a request that one service tests */
  HD_LEVELS_MAX = 16,         /* depth of the cgroup tree below the cgroup root that is looked at */
};

#define HD_NONE 0xffffffffu

/* ---- state: one of each per node, outlives every generation ---------------------------------------------- */

/* hd_word[0], memory-mapped: the generation that decides now; 0 before the first. A generation owns one place in
 * each of the program arrays hd_to_connect4, hd_to_connect6 (and later hd_to_sk_msg): HD_PROGRAM_PLACE(g). One array
 * per hook, because the kernel takes programs of one type only in an array. */
#define HD_PROGRAM_PLACE(generation) ((hd_u32)((generation) & 1))
#define HD_PROGRAM_PLACES 2

struct hd_word {
  hd_u64 generation;
};

/* hd_config[0]: what the hooks need to know of the agent. */
struct hd_config {
  hd_u32 abi_version;
  hd_u16 listener4_port; /* on 127.0.0.1; 0: there is no handler, http services are refused */
  hd_u16 listener6_port; /* on ::1 */
  hd_u64 netns_cookie;   /* namespace of the listeners */
};

enum hd_verdict {
  HD_VERDICT_NONE = 0,
  HD_VERDICT_FORWARD = 1,   /* to `address`, `port` */
  HD_VERDICT_RESPOND = 2,   /* `status` with the rule's body */
  HD_VERDICT_DENY = 3,      /* 403; a connect is refused */
  HD_VERDICT_REFUSE = 4,    /* `status` (400, 405, 414, 431), and the connection ends */
  HD_VERDICT_UNHEALTHY = 5, /* 503 */
  HD_VERDICT_OUTSIDE = 6,   /* destination belongs to no service: `outside allow` */
  HD_VERDICT_HANDLER = 7,   /* not canonical: to be put into canonical form first (never seen by the handler) */
};

struct hd_decision {
  hd_u64 generation;
  hd_u64 draw;
  hd_u32 rule;      /* that ended the decision; index into hd_rules of that generation */
  hd_u32 access;    /* that allowed or denied; HD_NONE before step 3 */
  hd_u32 service;   /* HD_NONE: outside */
  hd_u32 pool;      /* HD_NONE: none was asked */
  hd_u32 endpoint;  /* index into hd_endpoints of that generation; HD_NONE: none */
  hd_u32 caller;    /* index of the workload in that generation; HD_NONE: no peer */
  hd_u16 verdict;   /* enum hd_verdict */
  hd_u16 status;    /* HTTP status for all but FORWARD */
  hd_u16 port;
  hd_u16 pad;
  hd_u8 address[16];
};
HD_STATIC_ASSERT(sizeof(struct hd_decision) == 64, "hd_decision");

/* hd_connections, socket storage of the client's socket and of the handler's accepted socket: who connected, and
 * where to. The workload is remembered by its cgroup, never by a number of one generation. */
struct hd_connection {
  hd_u64 cgroup;        /* the cgroup that made it a workload's */
  hd_u64 netns_cookie;  /* of the client */
  hd_u8 source[16];     /* filled when the connection is established */
  hd_u8 destination[16];/* what the client dialled */
  hd_u16 source_port;
  hd_u16 destination_port;
  hd_u32 flags;         /* enum hd_connection_flag */
  hd_u64 start_ns;      /* CLOCK_MONOTONIC at connect */
  struct hd_decision decision; /* tcp services: made at connect */
};
HD_STATIC_ASSERT(sizeof(struct hd_connection) == 128, "hd_connection");

enum hd_connection_flag {
  HD_CONNECTION_TO_HANDLER = 1, /* the hook sent it to the listener; the handler decides */
  HD_CONNECTION_REWRITTEN = 2,  /* getpeername shows `destination` */
  HD_CONNECTION_TCP = 4,        /* decided at connect; leaves an event when it ends */
};

/* hd_pending, LRU hash: from the SYN of a client to the accept of the handler. */
struct hd_pending_key {
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u16 source_port;
  hd_u16 listener_port;
  hd_u32 pad;
};
HD_STATIC_ASSERT(sizeof(struct hd_pending_key) == 32, "hd_pending_key");

/* hd_counters, per CPU, index is a slot that the loader keeps for a rule across generations. */
struct hd_counter {
  hd_u64 decisions;
};

/* hd_endpoint_state, memory-mapped, index is a slot that the loader keeps for an endpoint of a service. */
struct hd_endpoint_state {
  hd_u32 unhealthy;
  hd_u32 in_flight;
  hd_u64 reserved;
};
HD_STATIC_ASSERT(sizeof(struct hd_endpoint_state) == 16, "hd_endpoint_state");

/* hd_balance: a running number per pool (u64), index is a slot that the loader keeps for the pool.
 * hd_weights: of 1,000,000, what a part of a split gets (u32), index is a slot that the loader keeps for the part.
 * hd_events: ring buffer of struct hd_event. hd_lost[0] (u64): events that found it full. */

/* hd_interned, hash: which slot a thing has, kept by the loader under a digest of the thing. */
enum hd_interned_kind {
  HD_INTERNED_COUNTER = 1,
  HD_INTERNED_ENDPOINT = 2,
  HD_INTERNED_POOL = 3,
  HD_INTERNED_WEIGHT = 4,
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
  hd_u64 cgroup;       /* from hd_connection; 0: no peer */
  hd_u64 netns_cookie;
  hd_u8 source[16];
  hd_u8 destination[16];
  hd_u16 source_port;
  hd_u16 destination_port;
  hd_u16 form;         /* enum hd_form */
  hd_u16 flags;        /* enum hd_request_flag */
  hd_u32 page;         /* first page of the head in hd_arena; the head is contiguous */
  hd_u32 head_length;  /* with the empty line; at most HD_HEAD_MAX */
  hd_u64 draw;         /* with HD_REQUEST_DRAW: the draw to use (a try after the first, `--draw`) */
};
HD_STATIC_ASSERT(sizeof(struct hd_request) == 72, "hd_request");

enum hd_request_flag {
  HD_REQUEST_DRAW = 1,
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
HD_STATIC_ASSERT(sizeof(struct hd_event) == 136, "hd_event");

enum hd_event_flag {
  HD_EVENT_CLIENT_ABORTED = 1,
  HD_EVENT_SERVER_ABORTED = 2,
};

/* hd_slots, memory-mapped: worker w owns [w * HD_ROUND_MAX, (w + 1) * HD_ROUND_MAX).
 * hd_arena, memory-mapped, values of HD_PAGE_SIZE bytes: worker w owns HD_PAGES_PER_WORKER pages from
 * w * HD_PAGES_PER_WORKER. */
struct hd_slot {
  hd_u32 op;
  hd_u32 pad;
  struct hd_request request;   /* HD_OP_DECIDE */
  struct hd_decision decision; /* HD_OP_DECIDE: out */
  struct hd_event finish;      /* HD_OP_FINISH: all but time_ns */
};
HD_STATIC_ASSERT(sizeof(struct hd_slot) == 280, "hd_slot");

/* Context of the syscall entry `decide` (BPF_PROG_TEST_RUN, ctx_in). */
struct hd_round {
  hd_u32 first;
  hd_u32 count;
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
};

enum hd_protocol {
  HD_PROTOCOL_TCP = 0,
  HD_PROTOCOL_HTTP = 1,
};

struct hd_service {
  hd_u32 protocol;       /* enum hd_protocol */
  hd_u32 pool;           /* all endpoints; index into hd_pools */
  hd_u32 first_field;    /* into hd_fields */
  hd_u32 field_count;
  hd_u32 scan;           /* start state of the scan of a head */
  hd_u32 unhealthy_rule; /* `service s/unhealthy` */
  hd_u32 name_offset;    /* into hd_blob */
  hd_u32 name_length;
};
HD_STATIC_ASSERT(sizeof(struct hd_service) == 32, "hd_service");

enum hd_action {
  HD_ACTION_ALLOW = 1,
  HD_ACTION_DENY = 2,
  HD_ACTION_POOL = 3,
  HD_ACTION_SPLIT = 4,
  HD_ACTION_RESPOND = 5,
  HD_ACTION_BUILTIN = 6,
};

/* hd_rules: rule ids are indexes into it. The built-in ones come first. */
struct hd_rule {
  hd_u32 action;      /* enum hd_action */
  hd_u32 target;      /* POOL: into hd_pools; SPLIT: first of hd_parts */
  hd_u32 parts;       /* SPLIT: how many */
  hd_u32 status;      /* RESPOND */
  hd_u32 body_offset; /* RESPOND: into hd_blob */
  hd_u32 body_length;
  hd_u32 name_offset; /* the id's text, into hd_blob */
  hd_u32 name_length;
  hd_u64 digest;      /* of the id: the draw's second half */
  hd_u32 counter;     /* written by the loader: into hd_counters */
  hd_u32 service;     /* HD_NONE for the mesh's */
};
HD_STATIC_ASSERT(sizeof(struct hd_rule) == 48, "hd_rule");

enum hd_builtin_rule {
  HD_RULE_MALFORMED = 0, /* mesh/malformed */
  HD_RULE_PATH = 1,      /* mesh/path */
  HD_RULE_OUTSIDE = 2,   /* mesh/outside */
  HD_RULES_BUILTIN = 3,
};

/* hd_parts: parts of splits, in page order. What decides is the weight in hd_weights, which starts as the policy's. */
struct hd_part {
  hd_u32 weight; /* of 1,000,000, as the policy says */
  hd_u32 pool;
  hd_u32 slot; /* written by the loader: into hd_weights */
};
HD_STATIC_ASSERT(sizeof(struct hd_part) == 12, "hd_part");

enum hd_balance_kind {
  HD_BALANCE_ROUND_ROBIN = 0,
  HD_BALANCE_RANDOM = 1,
};

/* hd_pools: pool p is at 2p with all members and at 2p + 1 with the IPv4 ones only (for AF_INET sockets). An index of a
 * pool in any table is p, not 2p. */
struct hd_pool {
  hd_u32 first; /* into hd_members (u32, an index into hd_endpoints) */
  hd_u32 count;
  hd_u32 balance; /* enum hd_balance_kind */
  hd_u32 number;  /* written by the loader: into hd_balance */
  hd_u64 digest;
};
HD_STATIC_ASSERT(sizeof(struct hd_pool) == 24, "hd_pool");

struct hd_endpoint {
  hd_u8 address[16];
  hd_u16 port;
  hd_u16 pad;
  hd_u32 state;   /* written by the loader: into hd_endpoint_state */
  hd_u32 service;
  hd_u32 pad2;
};
HD_STATIC_ASSERT(sizeof(struct hd_endpoint) == 32, "hd_endpoint");

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
  HD_SCAN_NAME,        /* `:` after a name that some policy tests: the state before it accepts the name's number */
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
};

/* Numbers of names in a scan. Tested headers count from HD_NAME_FIRST. */
enum hd_name {
  HD_NAME_HOST = 0,
  HD_NAME_FIRST = 1,
};

/* hd_names, hash: which field of a service a tested name is. */
struct hd_name_key {
  hd_u32 service;
  hd_u32 name;
};

/* hd_fields. The first three of every http service are method, path and host, in this order. */
enum hd_field_index {
  HD_FIELD_METHOD = 0,
  HD_FIELD_PATH = 1,
  HD_FIELD_HOST = 2,
  HD_FIELD_FIRST_HEADER = 3,
};

enum hd_field_flag {
  HD_FIELD_MAY_REPEAT = 1, /* only `present` and `absent` are asked of it */
};

struct hd_field {
  hd_u32 start;     /* first state of its automaton in hd_steps */
  hd_u32 sets;      /* into hd_sets: row r is the words [sets + r * words, + words); row 0 is the absent value */
  hd_u16 atom_word; /* where its words lie in hd_facts.atoms */
  hd_u16 words;
  hd_u32 flags;
};
HD_STATIC_ASSERT(sizeof(struct hd_field) == 16, "hd_field");

/* hd_sets: u64 words. hd_blob[0]: all texts of the generation, one value, memory-mapped, read-only. */

/* What the compiled policy sees: flat, no pointer. Atom i is bit i % 64 of atoms[i / 64]: one test of one string. */
struct hd_facts {
  hd_u32 service;
  hd_u32 has_peer;
  hd_u64 identities[HD_IDENTITY_WORDS];
  hd_u64 atoms[HD_ATOM_WORDS];
};
HD_STATIC_ASSERT(sizeof(struct hd_facts) == 8 + 128 + 512, "hd_facts");

#endif
