/* The decision: destination, form, access, route, target, in this order. The same for every entry of a generation;
 * an entry only says how the bytes of a head are read. */
#ifndef HEDDLE_LIB_DECIDE_H
#define HEDDLE_LIB_DECIDE_H

#include "bpf_templates/lib/tables.h"
#include "bpf_templates/lib/work.h"

static __always_inline hd_u64 hd_mix(hd_u64 z) {
  z ^= z >> 30;
  z *= 0xbf58476d1ce4e5b9ull;
  z ^= z >> 27;
  z *= 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

static __always_inline void hd_count(hd_u32 slot) {
  struct hd_counter* counter = bpf_map_lookup_elem(&hd_counters, &slot);
  /* Per CPU, but a program can be preempted by another on the same CPU. */
  if (counter) __sync_fetch_and_add(&counter->decisions, 1);
}

/* The decision stands: whoever carries it out counts it, once. Until then nothing but `hd_undo` has to be said of it. */
__attribute__((noinline)) int hd_commit(struct hd_work* work) {
  if (!work) return 0;
  hd_u32 number = work->decision.access, slot = work->decision.endpoint_state;
  if (work->decision.rule != HD_NONE) hd_count(work->decision.counter);
  if (number != work->decision.rule) {
    struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
    if (rule) hd_count(rule->counter);
  }
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (state) __sync_fetch_and_add(&state->in_flight, 1);
  return 0;
}

/* Somebody else will decide: this decision leaves nothing behind. */
static __always_inline void hd_undo(struct hd_work* work) {
  hd_u32 slot = work->balance;
  hd_u64* number = bpf_map_lookup_elem(&hd_balance, &slot);
  if (number) __sync_fetch_and_add(number, -1);
}

static __always_inline int hd_end(struct hd_work* work, hd_u16 verdict, hd_u16 status, hd_u32 rule) {
  work->decision.verdict = verdict;
  work->decision.status = status;
  work->decision.rule = rule;
  struct hd_rule* entry = bpf_map_lookup_elem(&hd_rules, &rule);
  if (entry) work->decision.counter = entry->counter;
  return 0;
}

static __always_inline void hd_begin(struct hd_work* work) {
  hd_u32 zero = 0;
  hd_u64* self = bpf_map_lookup_elem(&hd_self, &zero);
  struct hd_decision none = {.generation = self ? *self : 0,
                             .rule = HD_NONE,
                             .access = HD_NONE,
                             .service = HD_NONE,
                             .pool = HD_NONE,
                             .endpoint = HD_NONE,
                             .caller = HD_NONE,
                             .counter = HD_NONE,
                             .endpoint_state = HD_NONE};
  work->decision = none;
  work->facts.service = HD_NONE;
  work->facts.has_peer = 0;
  work->field_count = 0;
  work->fixed_endpoint = HD_NONE;
  work->balance = HD_NONE;
  if (work->request.flags & HD_REQUEST_DRAW) {
    work->decision.draw = work->request.draw;
  } else {
    work->decision.draw = (hd_u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
  }
}

/* Step 1: whose address was dialled, and who dialled it. */
__attribute__((noinline)) int hd_resolve(struct hd_work* work) {
  if (!work) return 0;
  hd_begin(work);
  struct hd_cgroup* cgroup = 0;
  hd_u64 id = work->request.cgroup;
  if (id) cgroup = bpf_map_lookup_elem(&hd_cgroups, &id);
  __builtin_memset(work->facts.identities, 0, sizeof(work->facts.identities));
  if (cgroup && cgroup->kind == HD_CGROUP_WORKLOAD) {
    hd_u32 number = cgroup->workload;
    struct hd_workload* workload = bpf_map_lookup_elem(&hd_workloads, &number);
    if (workload) {
      work->facts.has_peer = 1;
      work->decision.caller = number;
      __builtin_memcpy(work->facts.identities, workload->identities, sizeof(workload->identities));
    }
  }
  struct hd_address_key key = {.port = work->request.destination_port};
  __builtin_memcpy(key.address, work->request.destination, sizeof(key.address));
  struct hd_address* address = bpf_map_lookup_elem(&hd_addresses, &key);
  if (!address) return 0;
  hd_u32 number = address->service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) return 0;
  work->decision.service = number;
  work->facts.service = number;
  work->fixed_endpoint = address->endpoint;
  work->first_field = service->first_field;
  work->field_count = service->field_count;
  return 0;
}

static __always_inline int hd_to_endpoint(struct hd_work* work, hd_u32 number, hd_u32 rule) {
  struct hd_endpoint* endpoint = bpf_map_lookup_elem(&hd_endpoints, &number);
  if (!endpoint) return -1;
  if (work->v4_only && !hd_is_v4(endpoint->address)) return -1;
  __builtin_memcpy(work->decision.address, endpoint->address, sizeof(endpoint->address));
  work->decision.port = endpoint->port;
  work->decision.endpoint = number;
  work->decision.endpoint_state = endpoint->state;
  hd_end(work, HD_VERDICT_FORWARD, 0, rule);
  return 0;
}

struct hd_choice {
  struct hd_work* work;
  hd_u32 first;
  hd_u32 count;
  hd_u32 from; /* the member that is tried first */
  hd_u32 chosen;
};

static long hd_try_member(hd_u32 index, struct hd_choice* choice) {
  hd_u32 at = choice->from + index;
  if (at >= choice->count) at -= choice->count;
  at += choice->first;
  hd_u32* member = bpf_map_lookup_elem(&hd_members, &at);
  if (!member) return 1;
  hd_u32 number = *member;
  struct hd_endpoint* endpoint = bpf_map_lookup_elem(&hd_endpoints, &number);
  if (!endpoint) return 1;
  hd_u32 slot = endpoint->state;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (!state || state->unhealthy) return 0;
  choice->chosen = number;
  return 1;
}

/* Step 6, second half: the endpoint of a pool, by its balance, among the healthy ones. */
__attribute__((noinline)) int hd_pick(struct hd_work* work, hd_u32 pool_number, hd_u32 rule) {
  if (!work) return 0;
  hd_u32 place = 2 * pool_number + (work->v4_only ? 1 : 0);
  struct hd_choice choice = {.work = work, .chosen = HD_NONE};
  work->decision.pool = pool_number;
  struct hd_pool* pool = bpf_map_lookup_elem(&hd_pools, &place);
  if (pool && pool->count) {
    choice.first = pool->first;
    choice.count = pool->count;
    if (pool->balance == HD_BALANCE_RANDOM) {
      choice.from = (hd_u32)((hd_mix(work->decision.draw ^ pool->digest) >> 32) * pool->count >> 32);
    } else {
      hd_u32 slot = pool->number;
      hd_u64* number = bpf_map_lookup_elem(&hd_balance, &slot);
      if (number) choice.from = (hd_u32)(__sync_fetch_and_add(number, 1) % pool->count);
      work->balance = slot;
    }
    bpf_loop(choice.count, hd_try_member, &choice, 0);
  }
  if (choice.chosen != HD_NONE && hd_to_endpoint(work, choice.chosen, rule) == 0) return 0;
  hd_u32 number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  hd_end(work, HD_VERDICT_UNHEALTHY, 503, service ? service->unhealthy_rule : HD_RULE_MALFORMED);
  return 0;
}

struct hd_drawn {
  hd_u32 first;
  hd_u32 value;
  hd_u32 upto; /* the weights so far */
  hd_u32 pool;
};

static long hd_try_part(hd_u32 index, struct hd_drawn* drawn) {
  hd_u32 at = drawn->first + index;
  struct hd_part* part = bpf_map_lookup_elem(&hd_parts, &at);
  if (!part) return 1;
  hd_u32 slot = part->slot;
  hd_u32* weight = bpf_map_lookup_elem(&hd_weights, &slot);
  if (!weight) return 1;
  drawn->upto += *weight;
  if (drawn->value >= drawn->upto) return 0;
  drawn->pool = part->pool;
  return 1;
}

/* Step 6, first half: what the route's rule says. */
__attribute__((noinline)) int hd_follow(struct hd_work* work, hd_u32 number) {
  if (!work) return 0;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (!rule) return hd_end(work, HD_VERDICT_DENY, 403, HD_RULE_MALFORMED);
  if (rule->action == HD_ACTION_RESPOND) return hd_end(work, HD_VERDICT_RESPOND, (hd_u16)rule->status, number);
  hd_u32 pool = rule->target;
  if (rule->action == HD_ACTION_SPLIT) {
    hd_u64 u = hd_mix(work->decision.draw ^ rule->digest) >> 32;
    struct hd_drawn drawn = {.first = rule->target, .value = (hd_u32)(u * 1000000 >> 32), .pool = HD_NONE};
    bpf_loop(rule->parts, hd_try_part, &drawn, 0);
    pool = drawn.pool;
  }
  return hd_pick(work, pool, number);
}

/* Steps 3 to 6, once the facts are there. */
static __always_inline int hd_decide_facts(struct hd_work* work) {
  hd_u32 number = hd_access(&work->facts);
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  work->decision.access = number;
  if (!rule || rule->action != HD_ACTION_ALLOW) return hd_end(work, HD_VERDICT_DENY, 403, number);
  hd_u32 fixed = work->fixed_endpoint;
  if (fixed != HD_NONE) {
    if (hd_to_endpoint(work, fixed, number) < 0) hd_end(work, HD_VERDICT_DENY, 403, number);
    return 0;
  }
  return hd_follow(work, hd_route(&work->facts));
}

/* A destination of no service. */
static __always_inline int hd_decide_outside(struct hd_work* work) {
  hd_u32 number = HD_RULE_OUTSIDE;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (rule && rule->action == HD_ACTION_ALLOW) return hd_end(work, HD_VERDICT_OUTSIDE, 0, number);
  return hd_end(work, HD_VERDICT_DENY, 403, number);
}

#endif
