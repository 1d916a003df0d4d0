/* The decision: destination, form, access, route, target, in this order. The same for every entry of a generation;
 * an entry only says how the bytes of a head are read. */
#ifndef HEDDLE_LIB_DECIDE_H
#define HEDDLE_LIB_DECIDE_H

#include "bpf_templates/lib/choose.h"
#include "bpf_templates/lib/ended.h"
#include "bpf_templates/lib/filter.h"
#include "bpf_templates/lib/limit.h"
#include "bpf_templates/lib/sticky.h"
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

static long hd_audit_one(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  hd_u32 service = work->facts.service;
  work->facts.service = work->first_audit + index;
  hd_u32 number = hd_audited(&work->facts);
  work->facts.service = service;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (rule && rule->action == HD_ACTION_AUDIT) hd_count(rule->counter);
  return 0;
}

/* Those of the service, and of another one whose endpoints the route asked for. */
static __always_inline void hd_count_audits(struct hd_work* work) {
  hd_u32 number = work->through;
  if (work->audit_count) bpf_loop(work->audit_count, hd_audit_one, &work, 0);
  struct hd_service* target = number == HD_NONE ? 0 : bpf_map_lookup_elem(&hd_services, &number);
  if (!target || !target->audit_count) return;
  work->first_audit = target->first_audit;
  bpf_loop(target->audit_count, hd_audit_one, &work, 0);
}

/* The decision stands: whoever carries it out counts it, once. Until then nothing but `hd_undo` has to be said of it. */
__attribute__((noinline)) int hd_commit(struct hd_work* work) {
  if (!work) return 0;
  hd_u32 number = work->decision.access;
  if (work->decision.rule != HD_NONE) hd_count(work->decision.counter);
  if (number != work->decision.rule) {
    struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
    if (rule) hd_count(rule->counter);
  }
  if (number != HD_NONE) hd_count_audits(work);
  /* A tcp connection that is decided at connect is on its way when its socket says so: until then nobody would tell of its end. */
  hd_u32 service_number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &service_number);
  if (service && (service->protocol != HD_PROTOCOL_TCP || work->request.flags & HD_REQUEST_TCP)) hd_began(&work->decision);
  return 0;
}

/* Somebody else will decide: this decision leaves nothing behind. */
static __always_inline void hd_undo(struct hd_work* work) {
  hd_u32 slot = work->balance;
  hd_u64* number = bpf_map_lookup_elem(&hd_balance, &slot);
  if (number) __sync_fetch_and_add(number, -1);
  if (work->charges_count) hd_return_charges(work);
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
  work->address_field = HD_NONE;
  work->port_field = HD_NONE;
  work->limit_count = 0;
  work->audit_count = 0;
  work->through = HD_NONE;
  work->access_chooser = HD_NONE;
  work->route_chooser = HD_NONE;
  work->filters_end = 0;
  work->charges_count = 0;
  work->fixed_endpoint = HD_NONE;
  work->balance = HD_NONE;
  if (work->request.flags & HD_REQUEST_DRAW) {
    work->decision.draw = work->request.draw;
  } else {
    work->decision.draw = hd_mix(bpf_get_prandom_u32());
  }
}

static __always_inline void hd_set_caller(struct hd_work* work, hd_u32 number) {
  struct hd_workload* workload = bpf_map_lookup_elem(&hd_workloads, &number);
  if (!workload) return;
  work->facts.has_peer = 1;
  work->decision.caller = number;
  work->caller_digest = workload->digest;
  __builtin_memcpy(work->facts.identities, workload->identities, sizeof(workload->identities));
}

/* Whoever a certificate names is what it says, and none of this node's workloads. */
static __always_inline void hd_set_peer(struct hd_work* work) {
  work->facts.has_peer = 1;
  work->caller_digest = work->peer.digest;
  __builtin_memcpy(work->facts.identities, work->peer.identities, sizeof(work->peer.identities));
}

static __always_inline void hd_set_service(struct hd_work* work, hd_u32 number, hd_u32 endpoint) {
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) return;
  work->decision.service = number;
  work->facts.service = number;
  work->fixed_endpoint = endpoint;
  work->first_field = service->first_field;
  work->field_count = service->field_count;
  work->atom_words = service->atom_words;
  work->address_field = service->address_field;
  work->port_field = service->port_field;
  work->first_limit = service->first_limit;
  work->limit_count = service->limit_count;
  work->first_audit = service->first_audit;
  work->audit_count = service->audit_count;
  work->access_chooser = service->access_chooser;
  work->route_chooser = service->route_chooser;
  work->filters = service->filters;
  work->filters_end = service->filters_end;
}

/* Step 1: whose address was dialled, and who dialled it. */
__attribute__((noinline)) int hd_resolve(struct hd_work* work) {
  if (!work) return 0;
  hd_begin(work);
  struct hd_cgroup* cgroup = 0;
  hd_u64 id = work->request.cgroup;
  hd_u16 flags = work->request.flags;
  if (id && !(flags & HD_REQUEST_PEER)) cgroup = bpf_map_lookup_elem(&hd_cgroups, &id);
  __builtin_memset(work->facts.identities, 0, sizeof(work->facts.identities));
  if (flags & HD_REQUEST_PEER) hd_set_peer(work);
  if (cgroup && cgroup->kind == HD_CGROUP_WORKLOAD) hd_set_caller(work, cgroup->workload);
  struct hd_address_key key = {.port = work->request.destination_port};
  __builtin_memcpy(key.address, work->request.destination, sizeof(key.address));
  struct hd_address* address = bpf_map_lookup_elem(&hd_addresses, &key);
  if (!address) return 0;
  hd_u32 endpoint = address->endpoint;
  if (flags & HD_REQUEST_TUNNEL) {
    endpoint = address->server;
    if (endpoint == HD_NONE) return 0;
  }
  hd_set_service(work, address->service, endpoint);
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
  work->decision.counted = endpoint->counted;
  hd_end(work, HD_VERDICT_FORWARD, 0, rule);
  return 0;
}

/* What an endpoint can do for one more request. */
enum hd_room {
  HD_ROOM_NONE = 0, /* unhealthy or ejected */
  HD_ROOM_FULL = 1, /* as much is on its way, and waits, as `at_most` allows */
  HD_ROOM_WAIT = 2, /* it may wait for one of `at_most … connections` */
  HD_ROOM_FREE = 3,
  HD_ROOM_NEAR = 4, /* that, and its service prefers it */
};

static __always_inline enum hd_room hd_room_for(struct hd_endpoint_state* state, hd_u32 pending) {
  hd_u32 most = state->connections_max, requests = state->in_flight;
  if (most == 0 || requests < most) return HD_ROOM_FREE;
  return requests - most < pending ? HD_ROOM_WAIT : HD_ROOM_FULL;
}

struct hd_choice {
  hd_u64 draw;
  hd_u32 first;
  hd_u32 count;
  hd_u32 from;    /* the member that is looked at first */
  hd_u32 pending; /* requests that may wait for one endpoint */
  hd_u32 place;   /* whose turn it is: a member has as many places as its weight is */
  hd_u32 upto;    /* places of the members so far */
  hd_u32 room;    /* the most room found */
  hd_u32 best;    /* the most room that anybody can have */
  hd_u32 near;    /* places of those that have HD_ROOM_NEAR */
  hd_u32 free;    /* of those that have HD_ROOM_FREE */
  hd_u32 waiting; /* and of those that have HD_ROOM_WAIT */
  hd_u32 owner;   /* whose turn it is */
  hd_u32 owner_room;
  hd_u32 chosen;
  hd_u32 load;    /* of `chosen`, by its weight */
  hd_u32 weight;
  hd_u32 slot;    /* the one that is asked first */
  hd_u32 slots;
  hd_u32 first_slot;
};

struct hd_member {
  hd_u32 number; /* HD_NONE: there is none */
  hd_u32 weight;
  hd_u32 room; /* enum hd_room */
  hd_u32 load;
};

/* Of `found` the number is given, and in `room` how many requests may wait. A function of its own: the verifier follows it once,
 * and not in every turn of every balance. */
__attribute__((noinline)) int hd_look_at_endpoint(struct hd_member* found) {
  if (!found) return 0;
  hd_u32 number = found->number, pending = found->room;
  found->number = HD_NONE;
  struct hd_endpoint* endpoint = bpf_map_lookup_elem(&hd_endpoints, &number);
  if (!endpoint) return 0;
  hd_u32 slot = endpoint->state;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (!state) return 0;
  found->number = number;
  found->weight = endpoint->weight;
  found->load = state->in_flight;
  found->room = HD_ROOM_NONE;
  if (state->unhealthy || (state->ejected_until && state->ejected_until > bpf_ktime_get_ns())) return 0;
  found->room = hd_room_for(state, pending);
  if (endpoint->near && found->room == HD_ROOM_FREE) found->room = HD_ROOM_NEAR;
  return 0;
}

static __always_inline void hd_look_at(struct hd_choice* choice, hd_u32 index, struct hd_member* found) {
  hd_u32 at = choice->from + index;
  if (at >= choice->count) at -= choice->count;
  at += choice->first;
  struct hd_member none = {.number = HD_NONE};
  *found = none;
  hd_u32* member = bpf_map_lookup_elem(&hd_members, &at);
  if (!member) return;
  found->number = *member;
  found->room = choice->pending;
  hd_look_at_endpoint(found);
}

/* Adds up who has room, up to the member whose turn it is if nobody can have more. */
static long hd_try_member(hd_u32 index, struct hd_choice* choice) {
  struct hd_member member;
  hd_look_at(choice, index, &member);
  if (member.number == HD_NONE) return 1;
  hd_u32 before = choice->upto;
  choice->upto += member.weight;
  if (member.room > choice->room) choice->room = member.room;
  if (member.room == HD_ROOM_NEAR) choice->near += member.weight;
  if (member.room == HD_ROOM_FREE) choice->free += member.weight;
  if (member.room == HD_ROOM_WAIT) choice->waiting += member.weight;
  if (choice->place < before || choice->place >= choice->upto) return 0;
  choice->owner = member.number;
  choice->owner_room = member.room;
  return member.room == choice->best;
}

/* The turn among those that have the most room. Somebody may have lost it since they were added up: then it is the
 * last that still has. */
static long hd_take_turn(hd_u32 index, struct hd_choice* choice) {
  struct hd_member member;
  hd_look_at(choice, index, &member);
  if (member.number == HD_NONE) return 1;
  if (member.room < choice->room) return 0;
  choice->chosen = member.number;
  choice->upto += member.weight;
  return choice->place < choice->upto;
}

/* Who has the fewest requests on their way for its weight, among those that have the most room. Of equal ones each is
 * as likely as its weight says: a later one displaces those before with its share of all so far. */
static long hd_compare_member(hd_u32 index, struct hd_choice* choice) {
  struct hd_member member;
  hd_look_at(choice, index, &member);
  if (member.number == HD_NONE) return 1;
  if (member.room < choice->room) return 0;
  if (member.room > choice->room) choice->chosen = HD_NONE;
  choice->room = member.room;
  if (member.room < HD_ROOM_WAIT) return 0;
  if (choice->chosen != HD_NONE) {
    hd_u64 new_load = (hd_u64)member.load * choice->weight, old_load = (hd_u64)choice->load * member.weight;
    if (new_load > old_load) return 0;
    if (new_load < old_load) choice->chosen = HD_NONE;
  }
  if (choice->chosen == HD_NONE) choice->free = 0;
  choice->free += member.weight;
  hd_u64 number = hd_mix(choice->draw + index) >> 32;
  if (choice->chosen != HD_NONE && (hd_u32)(number * choice->free >> 32) >= member.weight) return 0;
  choice->chosen = member.number;
  choice->load = member.load;
  choice->weight = member.weight;
  return 0;
}

/* A turn for each request, or a place that the draw says; who has no room then passes its turn on to the others,
 * each getting its share of it. */
static __always_inline void hd_choose_by_turn(struct hd_work* work, struct hd_pool* pool, struct hd_choice* choice) {
  hd_u32 weight = pool->weight, rounds = 0;
  hd_u64 u = hd_mix(work->decision.draw ^ pool->digest);
  choice->place = (hd_u32)((u >> 32) * weight >> 32);
  if (pool->balance != HD_BALANCE_RANDOM) {
    hd_u32 slot = pool->number;
    hd_u64* number = bpf_map_lookup_elem(&hd_balance, &slot);
    hd_u64 turn = number ? __sync_fetch_and_add(number, 1) : 0;
    work->balance = slot;
    choice->place = (hd_u32)(turn % weight * pool->stride % weight);
    rounds = (hd_u32)(turn / weight);
  }
  if (weight == choice->count) { /* all are equal: no need to add up */
    struct hd_member member;
    hd_look_at(choice, choice->place, &member);
    if (member.number != HD_NONE && member.room == choice->best) {
      choice->chosen = member.number;
      return;
    }
  }
  bpf_loop(choice->count, hd_try_member, choice, 0);
  if (choice->room < HD_ROOM_WAIT) return;
  if (choice->owner_room == choice->room) {
    choice->chosen = choice->owner;
    return;
  }
  hd_u32 able = choice->room == HD_ROOM_NEAR ? choice->near : choice->room == HD_ROOM_FREE ? choice->free : choice->waiting;
  choice->place = pool->balance == HD_BALANCE_RANDOM ? (hd_u32)((u & 0xffffffff) * able >> 32)
                                                     : (rounds + choice->place) % able;
  choice->upto = 0;
  bpf_loop(choice->count, hd_take_turn, choice, 0);
}

/* Whose the slot is, if it has as much room as anybody. */
static long hd_try_slot(hd_u32 index, struct hd_choice* choice) {
  hd_u32 at = choice->slot + index;
  if (at >= choice->slots) at -= choice->slots;
  at += choice->first_slot;
  hd_u32* owner = bpf_map_lookup_elem(&hd_maglev, &at);
  if (!owner) return 1;
  struct hd_member member = {.number = *owner, .room = choice->pending};
  hd_look_at_endpoint(&member);
  if (member.number == HD_NONE) return 1;
  if (member.room < choice->room) return 0;
  choice->chosen = member.number;
  return 1;
}

/* The draw of the value that the pool goes by. Names have one number in all services, fields are the service's own. */
static __always_inline hd_u64 hd_pool_draw(struct hd_work* work, struct hd_pool* pool) {
  if (pool->sticky == HD_STICKY_ADDRESS) return hd_sticky_draw(work, HD_STICKY_ADDRESS);
  struct hd_name_key key = {.service = work->facts.service, .name = pool->sticky};
  hd_u32* field = bpf_map_lookup_elem(&hd_names, &key);
  return field ? hd_sticky_draw(work, *field) : work->decision.draw;
}

/* Equal values begin at the same slot. Whose it is has no room: the next slots are asked, each of which belongs to somebody
 * else's values already, so that only those of who is away go elsewhere. Somebody has enough room, unless it was lost since. */
static __always_inline void hd_choose_by_value(struct hd_work* work, struct hd_pool* pool, struct hd_choice* choice) {
  hd_u64 u = hd_mix(work->value_draw ^ HD_MAGLEV_DIGEST);
  choice->first_slot = pool->first_slot;
  choice->slots = pool->slots;
  choice->slot = (hd_u32)((u >> 32) * pool->slots >> 32);
  choice->room = choice->best;
  hd_try_slot(0, choice);
  if (choice->chosen != HD_NONE) return;
  choice->room = HD_ROOM_NONE;
  choice->place = HD_NONE; /* nobody's: all members are looked at */
  bpf_loop(choice->count, hd_try_member, choice, 0);
  if (choice->room < HD_ROOM_WAIT) return;
  bpf_loop(choice->slots, hd_try_slot, choice, 0);
}

/* All members of a pool are compared, unless it is so large that this would cost more than a poorer choice. Two random
 * ones would do nearly as well in large pools, and badly in small ones whose endpoints have unequal weights. */
static __always_inline void hd_choose_least(struct hd_work* work, struct hd_pool* pool, struct hd_choice* choice) {
  choice->draw = hd_mix(work->decision.draw ^ pool->digest);
  hd_u32 count = choice->count;
  if (count > HD_COMPARED_MAX) {
    choice->from = (hd_u32)((choice->draw >> 32) * count >> 32);
    count = HD_COMPARED_MAX;
  }
  bpf_loop(count, hd_compare_member, choice, 0);
}

__attribute__((noinline)) int hd_choose_endpoint(struct hd_work* work, hd_u32 place, hd_u32 rule) {
  if (!work) return 0;
  struct hd_choice choice = {.chosen = HD_NONE};
  hd_u32 number = work->decision.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) return hd_end(work, HD_VERDICT_UNHEALTHY, 503, HD_RULE_MALFORMED);
  choice.pending = service->pending_max;
  struct hd_pool* pool = bpf_map_lookup_elem(&hd_pools, &place);
  if (pool && pool->count) {
    choice.first = pool->first;
    choice.count = pool->count;
    choice.best = pool->prefers ? HD_ROOM_NEAR : HD_ROOM_FREE;
    if (pool->balance == HD_BALANCE_LEAST_REQUEST) {
      hd_choose_least(work, pool, &choice);
    } else if (pool->balance == HD_BALANCE_MAGLEV) {
      hd_choose_by_value(work, pool, &choice);
    } else {
      hd_choose_by_turn(work, pool, &choice);
    }
  }
  if (choice.chosen != HD_NONE && hd_to_endpoint(work, choice.chosen, rule) == 0) return 0;
  if (choice.room != HD_ROOM_NONE) return hd_end(work, HD_VERDICT_FULL, 503, service->full_rule);
  return hd_end(work, HD_VERDICT_UNHEALTHY, 503, service->unhealthy_rule);
}

/* Step 6, second half: the endpoint of a pool, by its balance, among the healthy ones. The stack has no room for reading a
 * value and for choosing, one within the other. */
__attribute__((noinline)) int hd_pick(struct hd_work* work, hd_u32 pool_number, hd_u32 rule) {
  if (!work) return 0;
  hd_u32 place = 2 * pool_number + (work->v4_only ? 1 : 0);
  work->decision.pool = pool_number;
  struct hd_pool* pool = bpf_map_lookup_elem(&hd_pools, &place);
  if (pool && pool->balance == HD_BALANCE_MAGLEV) work->value_draw = hd_pool_draw(work, pool);
  return hd_choose_endpoint(work, place, rule);
}

/* The one that was dialled, healthy or not. Only its bounds hold. */
__attribute__((noinline)) int hd_take_fixed(struct hd_work* work, hd_u32 rule) {
  if (!work) return 0;
  hd_u32 service_number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &service_number);
  if (!service || hd_to_endpoint(work, work->fixed_endpoint, rule) < 0)
    return hd_end(work, HD_VERDICT_DENY, 403, rule);
  hd_u32 slot = work->decision.endpoint_state;
  struct hd_endpoint_state* state = bpf_map_lookup_elem(&hd_endpoint_state, &slot);
  if (!state || hd_room_for(state, service->pending_max) != HD_ROOM_FULL) return 0;
  work->decision.endpoint_state = HD_NONE;
  work->decision.endpoint = HD_NONE;
  return hd_end(work, HD_VERDICT_FULL, 503, service->full_rule);
}

struct hd_drawn {
  hd_u32 first;
  hd_u32 value;
  hd_u32 upto;   /* the weights so far */
  hd_u32 target; /* of the part: hd_part */
  hd_u32 status;
  hd_u32 through;
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
  drawn->target = part->target;
  drawn->status = part->status;
  drawn->through = part->through;
  return 1;
}

static __always_inline int hd_end_respond(struct hd_work* work, hd_u32 status, hd_u32 answer, hd_u32 rule) {
  work->decision.port = (hd_u16)answer;
  return hd_end(work, HD_VERDICT_RESPOND, (hd_u16)status, rule);
}

/* The access of another service that the route sends to. 0: it allows the request. */
__attribute__((noinline)) int hd_goes_through(struct hd_work* work, hd_u32 number) {
  if (!work) return 1;
  struct hd_service* target = bpf_map_lookup_elem(&hd_services, &number);
  hd_u32 own = work->facts.service, found = HD_NONE;
  work->through = number;
  if (target && target->access_chooser == HD_NONE) {
    work->facts.service = number;
    found = hd_access(&work->facts);
    work->facts.service = own;
  } else if (target) {
    found = hd_choose(work, target->access_chooser);
  }
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &found);
  if (rule && rule->action == HD_ACTION_ALLOW) {
    work->decision.service = number;
    return 0;
  }
  work->decision.access = found;
  hd_end(work, HD_VERDICT_DENY, 403, found);
  return 1;
}

/* Step 6, first half: what the route's rule says. */
__attribute__((noinline)) int hd_follow(struct hd_work* work, hd_u32 number) {
  if (!work) return 0;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (!rule) return hd_end(work, HD_VERDICT_DENY, 403, HD_RULE_MALFORMED);
  if (rule->action == HD_ACTION_RESPOND) return hd_end_respond(work, rule->status, 0, number);
  hd_u32 pool = rule->target, through = rule->through;
  if (rule->action == HD_ACTION_SPLIT) {
    hd_u64 draw = rule->sticky == HD_NONE ? work->decision.draw : hd_sticky_draw(work, rule->sticky);
    hd_u64 u = hd_mix(draw ^ rule->digest) >> 32;
    struct hd_drawn drawn = {.first = rule->target, .value = (hd_u32)(u * 1000000 >> 32), .target = HD_NONE, .through = HD_NONE};
    bpf_loop(rule->parts, hd_try_part, &drawn, 0);
    if (drawn.status) return hd_end_respond(work, drawn.status, drawn.target, number);
    pool = drawn.target;
    through = drawn.through;
  }
  if (through != HD_NONE && hd_goes_through(work, through)) return 0;
  return hd_pick(work, pool, number);
}

/* In whole seconds, at least one. */
static __always_inline int hd_end_limited(struct hd_work* work, hd_u32 rule) {
  hd_u64 seconds = (work->wait + 1000000000ull * HD_TICKS - 1) / (1000000000ull * HD_TICKS);
  work->decision.port = seconds > 0xffff ? 0xffff : seconds ? (hd_u16)seconds : 1;
  return hd_end(work, HD_VERDICT_LIMITED, 429, rule);
}

/* Steps 3 to 6, once the facts are there. */
static __always_inline int hd_decide_facts(struct hd_work* work) {
  if ((work->address_field & work->port_field) != HD_NONE) hd_match_connection(work);
  if (work->filters_end) hd_ask_filters(work);
  hd_u32 number = work->access_chooser == HD_NONE ? hd_access(&work->facts) : hd_choose(work, work->access_chooser);
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  work->decision.access = number;
  if (!rule || rule->action != HD_ACTION_ALLOW) return hd_end(work, HD_VERDICT_DENY, 403, number);
  if (work->limit_count && !(work->request.flags & HD_REQUEST_TUNNEL)) {
    hd_u32 limited = hd_refusing_limit(work);
    if (limited != HD_NONE) return hd_end_limited(work, limited);
  }
  if (work->fixed_endpoint != HD_NONE) return hd_take_fixed(work, number);
  return hd_follow(work, work->route_chooser == HD_NONE ? hd_route(&work->facts) : hd_choose(work, work->route_chooser));
}

/* A destination of no service. No tunnel leads there. */
static __always_inline int hd_decide_outside(struct hd_work* work) {
  hd_u32 number = HD_RULE_OUTSIDE;
  struct hd_rule* rule = bpf_map_lookup_elem(&hd_rules, &number);
  if (rule && rule->action == HD_ACTION_ALLOW && !(work->request.flags & HD_REQUEST_TUNNEL)) return hd_end(work, HD_VERDICT_OUTSIDE, 0, number);
  return hd_end(work, HD_VERDICT_DENY, 403, number);
}

#endif
