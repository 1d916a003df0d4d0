/* One decision on its way: the request, what was found out about it, and the answer. It lies in a map value, because
 * the stack is too small for it and per-CPU memory is unsafe where a program can be preempted. */
#ifndef HEDDLE_LIB_WORK_H
#define HEDDLE_LIB_WORK_H

#include "bpf_templates/lib/bpf.h"

/* What the fast path cannot pass on as it is. */
enum hd_framing {
  HD_FRAMING_PLAIN = 0,
  HD_FRAMING_HANDLER = 1,
};

/* In hd_work.scan_status: legal, but not canonical; to be rewritten by the handler first. */
#define HD_SCAN_TO_HANDLER 1
/* The same, in its path alone. */
#define HD_SCAN_TO_NORMALISE 2

/* A value while its bytes go into digests (digest.h). */
struct hd_reader {
  hd_u64 sip[4];
  hd_u64 pinned;
  hd_u64 word;    /* of which `count` % 8 bytes are filled */
  hd_u32 count;
  hd_u32 at;
  hd_u32 until;
  hd_u32 reading; /* enum hd_reading */
  hd_u32 digits;  /* of an escape, that follow */
  hd_u32 is_keyed; /* 1: into `sip`; else into `pinned` */
};

/* One more line of a header whose lines are one list. */
struct hd_line {
  hd_u32 field;
  hd_u32 begin;
  hd_u32 end;
};

/* What a limit is charged for the request in hand. */
struct hd_charge {
  struct hd_account_key key;
  hd_u32 limit;
  hd_u32 made; /* 1: it was */
};

/* Where a walk through a chooser is. */
struct hd_choosing {
  hd_u32 key;       /* the next one, */
  hd_u32 keys;      /* and how many there are still */
  hd_u32 at;        /* in hd_candidates: the rest of a list */
  hd_u32 left;
  hd_u32 candidate; /* that is being asked */
  hd_u32 test;      /* its next test, or how it came out */
  hd_u32 best;      /* the first so far that holds; HD_NONE */
  hd_u32 done;
};

struct hd_work {
  struct hd_request request;
  struct hd_peer peer; /* with HD_REQUEST_PEER */
  struct hd_decision decision;
  hd_u64 resolved;       /* the generation that said who calls and what was dialled, when that was asked before; else 0 */
  hd_u32 fixed_endpoint; /* HD_NONE: the service was dialled */
  hd_u32 v4_only;        /* the socket cannot reach IPv6 */
  hd_u32 scan_status;    /* 0: the head is in form; else how it is refused */
  hd_u32 scan_rule;
  hd_u32 first_field;
  hd_u32 field_count;
  hd_u32 next_field;     /* to be matched */
  hd_u32 atom_words;
  hd_u32 address_field;
  hd_u32 port_field;
  hd_u32 field;          /* whose value is being read; HD_NONE: nobody's */
  hd_u32 value_begin;
  hd_u32 value_end;
  hd_u32 target_begin;
  hd_u32 repeated;       /* a query parameter whose value counts occurs twice */
  hd_u32 old_version;
  hd_u32 open_end;       /* bytes behind the head are no part of it (else they make it malformed) */
  hd_u32 head_end;       /* where the head ends; 0: not within its bytes */
  hd_u32 incomplete;     /* the bytes ended before the head did, and nothing was wrong until then */
  hd_u32 length_at;      /* where the value of Content-Length begins; 0: there is none */
  hd_u32 framing;        /* enum hd_framing */
  hd_u32 balance;        /* slot in hd_balance of which a number was taken; HD_NONE */
  hd_u32 first_limit;
  hd_u32 limit_count;
  hd_u32 charges_count;
  hd_u32 line_count;
  hd_u32 first_audit;
  hd_u32 audit_count;
  hd_u32 through; /* of another service whose endpoints were chosen: hd_rule.through */
  hd_u32 access_chooser;
  hd_u32 route_chooser;
  hd_u32 filters;     /* as of the service */
  hd_u32 filters_end;
  hd_u64 wait; /* until there is room, where a limit has none */
  hd_u64 caller_digest; /* of the peer's SPIFFE ID, if there is a peer */
  hd_u64 value_draw; /* by the value that says the endpoint */
  struct hd_charge charges[HD_LIMITS_MAX];
  struct hd_reader reader;
  hd_u64 seen; /* one bit per slot that has a value */
  hd_u32 begin[HD_FIELDS_MAX];
  hd_u32 end[HD_FIELDS_MAX];
  struct hd_line lines[HD_LINES_MAX];
  hd_u32 rows[HD_SLOTS]; /* in hd_sets: of those that are seen */
  struct hd_choosing choosing;
  struct hd_facts facts;
};

/* What is generated for a policy: the number of the rule that decides, of services that have few (else: choose.h). */
hd_u32 hd_access(struct hd_facts* facts);
hd_u32 hd_route(struct hd_facts* facts);
/* HD_NONE unless the condition of limit number `facts->service` holds. */
hd_u32 hd_limited(struct hd_facts* facts);
/* The rule of audit number `facts->service` that holds; HD_NONE: none does. */
hd_u32 hd_audited(struct hd_facts* facts);
/* Whether filter number `facts->service` holds; 0: it does not. */
hd_u32 hd_filter(struct hd_facts* facts);

static __always_inline void hd_field_span(struct hd_work* work, hd_u32 field, hd_u32 begin, hd_u32 end) {
  hd_u64 index = field;
  HD_OPAQUE(index);
  if (index >= HD_FIELDS_MAX) return;
  work->begin[index] = begin;
  work->end[index] = end;
  work->seen |= 1ull << index;
}

#endif
