/* Which rule decides, of a service that has many: a walk through the short lists of those that may. */
#ifndef HEDDLE_LIB_CHOOSE_H
#define HEDDLE_LIB_CHOOSE_H

#include "bpf_templates/lib/tables.h"
#include "bpf_templates/lib/work.h"

#define HD_KEYS_PER_TURN 6

/* Word number `word` of the row of a value; 0: there is no value, and nothing holds of it. */
static __always_inline hd_u64 hd_word_of_row(struct hd_work* work, hd_u32 slot, hd_u32 word) {
  hd_u64 place = slot;
  HD_OPAQUE(place);
  if (place >= HD_SLOTS || !(work->seen >> (place & 63) & 1)) return 0;
  hd_u32 at = work->rows[place] + word;
  hd_u64* found = bpf_map_lookup_elem(&hd_sets, &at);
  return found ? *found : 0;
}

static __always_inline int hd_is_identity(struct hd_work* work, hd_u32 bit) {
  hd_u64 word = bit / 64;
  HD_OPAQUE(word);
  return word < HD_IDENTITY_WORDS && (work->facts.identities[word] >> (bit & 63) & 1);
}

static __always_inline hd_u64 hd_list_of_key(struct hd_work* work, struct hd_key* key) {
  hd_u32 slot = key->slot, at = key->word;
  if (slot < HD_SLOTS) return hd_word_of_row(work, slot, at);
  if (slot == HD_SLOT_CALLER) {
    if (work->decision.caller == HD_NONE) return 0;
    at += work->decision.caller;
  }
  if (slot >= HD_SLOT_IDENTITY && !hd_is_identity(work, slot - HD_SLOT_IDENTITY)) return 0;
  hd_u64* found = bpf_map_lookup_elem(&hd_sets, &at);
  return found ? *found : 0;
}

static __always_inline int hd_test_holds(struct hd_work* work, struct hd_test* test) {
  hd_u32 slot = test->slot, bit = test->bit;
  if (slot < HD_SLOTS) return (int)(hd_word_of_row(work, slot, bit / 64) >> (bit & 63) & 1);
  if (slot == HD_SLOT_PEER) return work->facts.has_peer != 0;
  if (slot == HD_SLOT_FILTER) return work->facts.filters >> (bit & 31) & 1;
  hd_u64 word = bit / 64;
  HD_OPAQUE(word);
  if (slot == HD_SLOT_ATOM) return word < HD_ATOM_WORDS && (work->facts.atoms[word] >> (bit & 63) & 1);
  return hd_is_identity(work, bit);
}

/* The next candidate of the list in hand. Behind the best one so far nobody counts any more. */
static __always_inline void hd_next_candidate(struct hd_work* work) {
  struct hd_choosing* choosing = &work->choosing;
  hd_u32 at = choosing->at;
  hd_u32* number = bpf_map_lookup_elem(&hd_candidates, &at);
  hd_u32 candidate = number ? *number : HD_NONE;
  choosing->at = at + 1;
  choosing->left--;
  if (candidate >= choosing->best) {
    choosing->left = 0;
    return;
  }
  struct hd_alternative* alternative = bpf_map_lookup_elem(&hd_alternatives, &candidate);
  if (!alternative) return;
  choosing->candidate = candidate;
  choosing->test = alternative->test;
}

/* The list of the next key that has one: most ask for values that a request has not. A few keys at a time, for a turn of the loop
 * takes longer than to see that. */
static __always_inline void hd_next_list(struct hd_work* work) {
  struct hd_choosing* choosing = &work->choosing;
  for (int i = 0; i < HD_KEYS_PER_TURN; i++) {
    hd_u32 number = choosing->key;
    struct hd_key* key = choosing->keys ? bpf_map_lookup_elem(&hd_keys, &number) : 0;
    if (!key) {
      choosing->done = 1;
      return;
    }
    hd_u64 list = hd_list_of_key(work, key);
    choosing->key = number + 1;
    choosing->keys--;
    choosing->at = (hd_u32)list;
    choosing->left = (hd_u32)(list >> 32);
    if (choosing->left) return;
  }
}

/* All that changes from turn to turn lies in `work`: what lies on the stack the verifier follows through every turn. */
static long hd_choose_step(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  struct hd_choosing* choosing = &work->choosing;
  if (choosing->test == HD_TEST_FAILS && !choosing->left) {
    hd_next_list(work);
    if (choosing->done) return 1;
    if (!choosing->left) return 0;
  }
  if (choosing->test == HD_TEST_FAILS) hd_next_candidate(work);
  hd_u32 number = choosing->test;
  if (number < HD_TEST_HOLDS) {
    struct hd_test* test = bpf_map_lookup_elem(&hd_tests, &number);
    if (!test) return 1;
    choosing->test = hd_test_holds(work, test) ? test->yes : test->no;
  }
  if (choosing->test == HD_TEST_HOLDS) {
    choosing->best = choosing->candidate;
    choosing->test = HD_TEST_FAILS;
    choosing->left = 0;
  }
  return 0;
}

/* HD_NONE, which denies: only tables that no compiler wrote do not lead to a rule. */
__attribute__((noinline)) hd_u32 hd_choose(struct hd_work* work, hd_u32 number) {
  if (!work) return HD_NONE;
  struct hd_chooser* chooser = bpf_map_lookup_elem(&hd_choosers, &number);
  if (!chooser) return HD_NONE;
  struct hd_choosing begin = {
      .key = chooser->first_key, .keys = chooser->key_count, .test = HD_TEST_FAILS, .best = HD_NONE};
  if (work->facts.has_peer && work->decision.caller == HD_NONE) {
    begin.key = chooser->first_peer_key;
    begin.keys = chooser->peer_key_count;
  }
  work->choosing = begin;
  bpf_loop(HD_CHOICE_MAX, hd_choose_step, &work, 0);
  hd_u32 best = work->choosing.best;
  struct hd_alternative* alternative = bpf_map_lookup_elem(&hd_alternatives, &best);
  return alternative && work->choosing.done ? alternative->rule : HD_NONE;
}

#endif
