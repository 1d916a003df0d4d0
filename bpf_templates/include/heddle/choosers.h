/* A part of abi.h, which includes it: what rules look at, and rules as tables instead of code, where a service has many. */
#ifndef HEDDLE_CHOOSERS_H
#define HEDDLE_CHOOSERS_H

/* What rules that are code see: flat, no pointer. Atom i is bit i % 64 of atoms[i / 64]: one test of one string. */
struct hd_facts {
  hd_u32 service;
  hd_u32 has_peer;
  hd_u64 identities[HD_IDENTITY_WORDS];
  hd_u64 atoms[HD_ATOM_WORDS];
  hd_u32 filters; /* that hold: one bit each */
  hd_u32 pad;
  struct heddle_request request; /* what filters see; filled where some are asked */
};
HD_STATIC_ASSERT(sizeof(struct hd_facts) == 8 + 128 + 512 + 8 + 864, "hd_facts");

/* What a decision knows of a value, and who asks. Numbers below HD_FIELDS_MAX are those of the service's fields. */
enum hd_slot_number {
  HD_SLOT_ADDRESS = HD_FIELDS_MAX, /* the client's */
  HD_SLOT_PORT,                    /* that was dialled */
  HD_SLOTS,                        /* so many have a row in hd_sets: the class in which their automaton ended */
  HD_SLOT_CALLER = HD_SLOTS,       /* bits of hd_facts.identities */
  HD_SLOT_PEER,                    /* hd_facts.has_peer */
  HD_SLOT_FILTER,                  /* bits of hd_facts.filters */
  HD_SLOT_ATOM,                    /* of a test: bits of hd_facts.atoms, for a value on several lines */
  HD_SLOT_ALL,                     /* of a key: whatever the request is */
  HD_SLOT_IDENTITY = 64,           /* of a key: this, and from here on one for each identity */
};

/* hd_choosers: the rules of one service, one entry for its access or its route. A rule is one or several alternatives; those that
 * may hold are on one of the lists of its keys, and the one with the lowest number that holds decides. A workload is one class of
 * callers; who is none of this node is asked for each identity that a key names. */
struct hd_chooser {
  hd_u32 first_key; /* into hd_keys */
  hd_u32 key_count;
  hd_u32 first_peer_key; /* for peers that are no workload */
  hd_u32 peer_key_count;
};

/* hd_keys: one value, and where its list of candidates is: the first in hd_candidates, and << 32 how many. */
struct hd_key {
  hd_u32 slot;
  hd_u32 word; /* of the slot's row; CALLER: into hd_sets, behind it one for each workload; ALL, IDENTITY: into hd_sets */
};

/* hd_candidates: u32, indexes into hd_alternatives; each list ascends. */

/* hd_alternatives: in the order in which they are tried. */
struct hd_alternative {
  hd_u32 rule;
  hd_u32 test; /* its first one, into hd_tests; HD_TEST_HOLDS: what put it on the list is all it asks */
};

#define HD_TEST_HOLDS 0xfffffffeu
#define HD_TEST_FAILS 0xffffffffu

/* hd_tests: one bit, and where to go on from there: an earlier entry, HD_TEST_HOLDS or HD_TEST_FAILS. */
struct hd_test {
  hd_u32 slot;
  hd_u32 bit; /* of the slot's row */
  hd_u32 yes;
  hd_u32 no;
};

/* Tests that one decision may come to; candidates and keys count as one each. */
#define HD_CHOICE_MAX (1u << 20)

#endif
