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

#endif
