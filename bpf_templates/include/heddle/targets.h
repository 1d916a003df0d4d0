/* Part of abi.h, which includes it: where requests go, and what the mesh answers itself.
 *
 * A route may send to another service. Behind the services of the policy, hd_services has one entry for each such pair: its access
 * is the target's, looked at through the fields of the route's own service, and so are its audits and its outcomes. */
#ifndef HEDDLE_TARGETS_H
#define HEDDLE_TARGETS_H

/* hd_parts: parts of splits, in page order. What decides is the weight in hd_weights, which starts as the policy's. */
struct hd_part {
  hd_u32 weight; /* of 1,000,000, as the policy says */
  hd_u32 target; /* into hd_pools; where there is a status, which of its rule's answers */
  hd_u32 slot;   /* written by the loader: into hd_weights */
  hd_u32 status; /* that the mesh answers with; 0: it does not */
  hd_u32 through; /* as of a rule */
};
HD_STATIC_ASSERT(sizeof(struct hd_part) == 20, "hd_part");

/* A text of hd_blob. */
struct hd_text {
  hd_u32 offset;
  hd_u32 length;
};

#define HD_ANSWERS_MAX 65536

enum hd_answer_flag {
  HD_ANSWER_REDIRECT = 1, /* there is a `location`, and no body */
  HD_ANSWER_HTTPS = 2,    /* REDIRECT: its scheme; else it is http */
};

/* hd_answers: what the mesh answers itself, of each rule in page order. Of the location a redirect says what is not empty;
 * the rest is the request's. */
struct hd_answer {
  struct hd_text body;
  struct hd_text type;   /* of the body; empty: plain text */
  struct hd_text host;
  struct hd_text path;   /* the whole path, or what stands for `prefix` */
  struct hd_text prefix; /* which the path is under */
  hd_u32 port;           /* 0: none is said */
  hd_u32 flags;          /* enum hd_answer_flag */
};
HD_STATIC_ASSERT(sizeof(struct hd_answer) == 48, "hd_answer");

enum hd_balance_kind {
  HD_BALANCE_ROUND_ROBIN = 0,
  HD_BALANCE_RANDOM = 1,
  HD_BALANCE_LEAST_REQUEST = 2,
  HD_BALANCE_MAGLEV = 3,
};

/* LEAST_REQUEST compares so many members, from a place that the draw chooses: all of nearly every pool. */
#define HD_COMPARED_MAX 64

/* hd_pools: pool p is at 2p with all members and at 2p + 1 with the IPv4 ones only (for AF_INET sockets). An index of a
 * pool in any table is p, not 2p. */
struct hd_pool {
  hd_u32 first; /* into hd_members (u32, an index into hd_endpoints) */
  hd_u32 count;
  hd_u32 balance; /* enum hd_balance_kind */
  hd_u32 number;  /* written by the loader: into hd_balance */
  hd_u64 digest;
  hd_u32 weight;  /* of all members together */
  hd_u32 stride;  /* ROUND_ROBIN: coprime to `weight`; number n is the turn of place n * stride % weight */
  hd_u32 first_slot; /* MAGLEV: into hd_maglev (u32, an index into hd_endpoints): whom the slot belongs to */
  hd_u32 slots;      /* every member has some; 0: there is no member */
  hd_u32 sticky;     /* whose value says the slot: a tested name's number, or HD_STICKY_ADDRESS; HD_NONE: the draw says it */
  hd_u32 prefers;    /* 1: members that are near come first, as long as they have room */
};
HD_STATIC_ASSERT(sizeof(struct hd_pool) == 48, "hd_pool");

#define HD_MAGLEV_DIGEST 0xfaa7ecc750dd9033ull /* of `maglev`: a value's draw is mixed with it, so that no split by it chooses alike */

struct hd_endpoint {
  hd_u8 address[16];
  hd_u16 port;
  hd_u8 counted;  /* 1: somebody asks how many requests are on their way to it */
  hd_u8 near;     /* written by the loader. 1: its service prefers it, on this node */
  hd_u32 state;   /* written by the loader: into hd_endpoint_state */
  hd_u32 service;
  hd_u32 weight;  /* at least 1 */
};
HD_STATIC_ASSERT(sizeof(struct hd_endpoint) == 32, "hd_endpoint");

#endif
