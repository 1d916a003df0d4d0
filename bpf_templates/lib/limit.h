/* Limits: how many requests a service takes. Each key of a limit has an account, which says when it would be full again if
 * nothing else came (the virtual scheduling of GCRA): a request puts that off by one interval, and one instant has room for
 * `burst` of them. One 64-bit compare-and-swap charges it, so that kernel, handler and all workers share one account exactly.
 *
 * Accounts lie in a map of bounded size that forgets whoever was longest not asked for. An account that is full is as good as
 * forgotten; who is forgotten before begins with a full one. */
#ifndef HEDDLE_LIB_LIMIT_H
#define HEDDLE_LIB_LIMIT_H

#include "bpf_templates/lib/digest.h"
#include "bpf_templates/lib/ended.h"
#include "bpf_templates/lib/state.h"

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1);
  __type(key, struct hd_account_key);
  __type(value, hd_u64);
} hd_accounts SEC(".maps");

HD_TABLE(hd_limits, struct hd_rate_limit);
HD_TABLE(hd_limit_keys, struct hd_limit_key);

#define HD_CHARGE_TRIES 64

static __always_inline hd_u64 hd_limit_now(struct hd_work* work) {
  hd_u64 now = work->request.now ? work->request.now : bpf_ktime_get_ns();
  return now * HD_TICKS;
}

struct hd_keying {
  struct hd_work* work;
  hd_u32 first;
};

enum hd_key_tag {
  HD_KEY_IS_ABSENT = 0,
  HD_KEY_IS_STRING = 1, /* with its length */
  HD_KEY_IS_WORDS = 2,
};

/* One part of the key goes into the digest; that it is not there is a value of its own. */
static long hd_key_part(hd_u32 index, struct hd_keying* keying) {
  struct hd_work* work = keying->work;
  hd_u32 at = keying->first + index;
  struct hd_limit_key* part = bpf_map_lookup_elem(&hd_limit_keys, &at);
  if (!part) return 1;
  hd_u64* halves = (hd_u64*)work->request.source;
  if (part->kind == HD_KEY_ADDRESS && (halves[0] | halves[1])) {
    hd_sip_word(work, HD_KEY_IS_WORDS);
    hd_sip_word(work, halves[0]);
    hd_sip_word(work, halves[1]);
    return 0;
  }
  if (part->kind == HD_KEY_IDENTITY && work->facts.has_peer) {
    hd_sip_word(work, HD_KEY_IS_WORDS);
    hd_sip_word(work, work->caller_digest);
    return 0;
  }
  if (part->kind == HD_KEY_FIELD && hd_reader_at(work, part->field)) {
    hd_u64 length = work->reader.until - work->reader.at;
    hd_sip_word(work, HD_KEY_IS_STRING | length << 8);
    hd_read_value(work);
    return 0;
  }
  hd_sip_word(work, HD_KEY_IS_ABSENT);
  return 0;
}

/* The digest of what the request has of the limit's key. */
__attribute__((noinline)) hd_u64 hd_key_of(struct hd_work* work, hd_u32 number) {
  hd_u32 zero = 0;
  if (!work) return 0;
  struct hd_rate_limit* limit = bpf_map_lookup_elem(&hd_limits, &number);
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  if (!limit || !config) return 0;
  struct hd_keying keying = {.work = work, .first = limit->first_key};
  hd_sip_begin(&work->reader, config->secret);
  bpf_loop(limit->key_count, hd_key_part, &keying, 0);
  return hd_sip_end(work);
}

/* How far behind `now` an account has been pushed, beyond what one instant has room for. 0: one more has room. */
static __always_inline hd_u64 hd_overdrawn(struct hd_rate_limit* limit, hd_u64 full_at, hd_u64 now) {
  hd_u64 ahead = full_at > now ? full_at - now : 0;
  return ahead > limit->tolerance ? ahead - limit->tolerance : 0;
}

struct hd_charging {
  hd_u64* account;
  hd_u64 now;
  hd_u64 tolerance;
  hd_u64 interval;
  hd_u32 done; /* 1: charged */
};

static long hd_try_charge(hd_u32 index, struct hd_charging* charging) {
  hd_u64* account = charging->account;
  hd_u64 old = HD_READ(*account), from = old > charging->now ? old : charging->now;
  if (from - charging->now > charging->tolerance) return 1;
  if (__sync_val_compare_and_swap(account, old, from + charging->interval) != old) return 0;
  charging->done = 1;
  return 1;
}

/* Whether one of the charges was made. */
static __always_inline int hd_charge_account(struct hd_account_key* key, hd_u32 number, hd_u64 now) {
  struct hd_rate_limit* limit = bpf_map_lookup_elem(&hd_limits, &number);
  if (!limit) return 0;
  hd_u64* account = bpf_map_lookup_elem(&hd_accounts, key);
  if (!account) {
    hd_u64 fresh = now;
    bpf_map_update_elem(&hd_accounts, key, &fresh, BPF_NOEXIST); /* somebody may have been faster */
    account = bpf_map_lookup_elem(&hd_accounts, key);
    if (!account) return 0;
  }
  struct hd_charging charging = {
      .account = account, .now = now, .tolerance = limit->tolerance, .interval = limit->interval};
  bpf_loop(HD_CHARGE_TRIES, hd_try_charge, &charging, 0);
  return (int)charging.done;
}

static __always_inline struct hd_charge* hd_charge_at(struct hd_work* work, hd_u32 index) {
  hd_u64 place = index;
  HD_OPAQUE(place);
  return place < HD_LIMITS_MAX ? &work->charges[place] : 0;
}

struct hd_limiting {
  struct hd_work* work;
  hd_u64 now;
  hd_u64 wait; /* the longest */
  hd_u32 rule; /* of the first that has no room; HD_NONE */
};

/* Whether limit `index` of the service applies and has room; it is to be charged then. */
static long hd_look_at_limit(hd_u32 index, struct hd_limiting* limiting) {
  struct hd_work* work = limiting->work;
  hd_u32 service = work->facts.service, number = work->first_limit + index;
  struct hd_rate_limit* limit = bpf_map_lookup_elem(&hd_limits, &number);
  if (!limit) return 1;
  work->facts.service = number;
  hd_u32 applies = hd_limited(&work->facts);
  work->facts.service = service;
  if (applies == HD_NONE) return 0;
  hd_u32 rule_number = limit->rule;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &rule_number);
  struct hd_charge* charge = hd_charge_at(work, work->charges_count);
  if (!charge || !rule) return 1;
  charge->limit = number;
  charge->made = 0;
  charge->key.digest = hd_key_of(work, number);
  charge->key.slot = rule->counter;
  charge->key.pad = 0;
  work->charges_count++;
  struct hd_account_key key = charge->key;
  hd_u64* account = bpf_map_lookup_elem(&hd_accounts, &key);
  hd_u64 wait = account ? hd_overdrawn(limit, HD_READ(*account), limiting->now) : 0;
  if (!wait) return 0;
  if (wait > limiting->wait) limiting->wait = wait;
  if (limiting->rule == HD_NONE) limiting->rule = rule_number;
  return 0;
}

static long hd_charge_one(hd_u32 index, struct hd_limiting* limiting) {
  struct hd_charge* charge = hd_charge_at(limiting->work, index);
  if (!charge) return 1;
  struct hd_account_key key = charge->key;
  hd_u32 number = charge->limit;
  if (hd_charge_account(&key, number, limiting->now)) {
    charge->made = 1;
    return 0;
  }
  /* Somebody else took the room meanwhile. */
  struct hd_rate_limit* limit = bpf_map_lookup_elem(&hd_limits, &number);
  limiting->rule = limit ? limit->rule : HD_RULE_MALFORMED;
  limiting->wait = limit ? limit->interval : 0;
  return 1;
}

/* Step 4. HD_NONE: there is room, and the request is charged; else the rule that refuses it, and work->wait. */
__attribute__((noinline)) hd_u32 hd_refusing_limit(struct hd_work* work) {
  if (!work) return HD_NONE;
  struct hd_limiting limiting = {.work = work, .now = hd_limit_now(work), .rule = HD_NONE};
  work->charges_count = 0;
  bpf_loop(work->limit_count, hd_look_at_limit, &limiting, 0);
  if (limiting.rule == HD_NONE) bpf_loop(work->charges_count, hd_charge_one, &limiting, 0);
  work->wait = limiting.wait;
  return limiting.rule;
}

static long hd_return_charge(hd_u32 index, struct hd_work** in) {
  struct hd_charge* charge = hd_charge_at(*in, index);
  if (!charge) return 1;
  if (!charge->made) return 0;
  charge->made = 0;
  struct hd_account_key key = charge->key;
  hd_u32 number = charge->limit;
  struct hd_rate_limit* limit = bpf_map_lookup_elem(&hd_limits, &number);
  hd_u64* account = bpf_map_lookup_elem(&hd_accounts, &key);
  if (limit && account) __sync_fetch_and_add(account, -limit->interval);
  return 0;
}

/* Somebody else decides on the request, and charges it. */
__attribute__((noinline)) int hd_return_charges(struct hd_work* work) {
  if (!work) return 0;
  bpf_loop(work->charges_count, hd_return_charge, &work, 0);
  work->charges_count = 0;
  return 0;
}

#endif
