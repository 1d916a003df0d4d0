/* What a worker asks of its flows and links beside their words. */
#ifndef HEDDLE_HOOKS_SETTLE_H
#define HEDDLE_HOOKS_SETTLE_H

#include "bpf_templates/hooks/landed.h"
#include "bpf_templates/lib/message.h"

enum { HD_SETTLED_LANDED = 1, HD_SETTLED_READ = 2, HD_SETTLED_WAITING = 4 };

static __always_inline int hd_is_settled(struct hd_flow* flow, hd_u32 state, struct hd_config* config) {
  if (state == HD_FLOW_SENT || state == HD_FLOW_ANSWERING || state == HD_FLOW_BROKEN) return 0;
  if (config->fast_path == HD_FAST_BY_TRACE) return state != HD_FLOW_DONE;
  hd_u64 server = HD_READ(flow->server_socket), client = HD_READ(flow->client_socket);
  if (state != HD_FLOW_DONE || !server || !client) return 1;
  /* Twice, so that what is between two looks of the one is not between those of the other. */
  return hd_has_landed_elsewhere(server, client, config->own_references) &&
         hd_has_landed_elsewhere(server, client, config->own_references);
}

__attribute__((noinline)) int hd_settle_one(hd_u64 id) {
  hd_u32 zero = 0, answer = 0;
  struct hd_flow* flow = hd_flow_of(id);
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  if (!id || !flow || !config) return 0;
  hd_u64 word = HD_READ(flow->state), client = HD_READ(flow->client_socket);
  hd_u32 state = HD_FLOW_STATE(word);
  if (!hd_is_of(word, id)) return 0;
  struct hd_link* link = flow->link ? hd_link_of(flow->link) : 0;
  if (state == HD_FLOW_SENT && link && link->server_socket && hd_unread_of(link->server_socket)) answer = HD_SETTLED_WAITING;
  if (!hd_is_settled(flow, state, config)) return (int)answer;
  answer |= HD_SETTLED_LANDED;
  if (client && hd_unread_of(client)) return (int)answer;
  if (HD_READ(flow->state) != word) return 0;
  hd_uncharge(flow);
  return (int)(answer | HD_SETTLED_READ);
}

SEC("syscall")
int hd_settle(struct hd_settle_round* round) {
  hd_u32 landed = 0, read = 0, waiting = 0, count = round->count;
  /* Unrolled: a context is read at fixed places only. */
#pragma unroll
  for (hd_u32 i = 0; i < HD_SETTLE_MAX; i++) {
    hd_u32 answer = i < count ? (hd_u32)hd_settle_one(HD_CONTEXT(round->flows[i])) : 0;
    landed |= (answer & HD_SETTLED_LANDED ? 1u : 0u) << i;
    read |= (answer & HD_SETTLED_READ ? 1u : 0u) << i;
    waiting |= (answer & HD_SETTLED_WAITING ? 1u : 0u) << i;
  }
  round->landed = landed;
  round->read = read;
  round->waiting = waiting;
  return 0;
}

struct hd_counted {
  hd_u64 flow;
  hd_u32 references; /* out: of its client's socket, timers aside */
  hd_u32 pad;
};

/* Of a client on whose behalf nothing is under way: hd_config.own_references. */
SEC("syscall")
int hd_count_references(struct hd_counted* counted) {
  struct hd_flow* flow = hd_flow_of(counted->flow);
  struct hd_timers timers = {};
  if (!flow) return 0;
  hd_u64 client = HD_READ(flow->client_socket);
  hd_read_timers(client, &timers);
  int references = BPF_CORE_READ((struct sock*)client, __sk_common.skc_refcnt.refs.counter);
  counted->references = (hd_u32)(references - (int)(timers.pending[0] + timers.pending[1] + timers.pending[2]));
  return 0;
}

/* The list of idle links in the hands of one who walks it: nobody else can see any of them. */
struct hd_sweep {
  hd_u32 first; /* index + 1, as on the list */
  hd_u32 next;
  hd_u32 last;  /* that stays; 0: none yet */
};

static long hd_sweep_one(hd_u32 step, struct hd_sweep* sweep) {
  hd_u32 index = sweep->next - 1, before = sweep->last - 1;
  struct hd_link* link = sweep->next ? bpf_map_lookup_elem(&hd_links, &index) : 0;
  if (!link) return 1;
  hd_u32 after = HD_READ(link->next);
  if ((hd_u32)HD_READ(link->state) != HD_LINK_DEAD) {
    sweep->last = sweep->next;
  } else {
    struct hd_link* previous = sweep->last ? bpf_map_lookup_elem(&hd_links, &before) : 0;
    if (previous) {
      previous->next = after;
    } else {
      sweep->first = after;
    }
    hd_put_link(link, index);
  }
  sweep->next = after;
  return 0;
}

struct hd_splice {
  hd_u64* head;
  struct hd_link* last;
  hd_u32 first;
};

static long hd_splice_once(hd_u32 step, struct hd_splice* splice) {
  hd_u64 old = HD_READ(*splice->head);
  splice->last->next = (hd_u32)old;
  return HD_SWAP(splice->head, old, hd_list_head(old, splice->first)) == old;
}

/* Takes the dead links off a list: their records can be used again. Requests that come meanwhile find no idle link, and are
 * the handler's. */
SEC("syscall")
int hd_sweep_links(struct hd_idle_key* of) {
  hd_u64* head = hd_idle_list(HD_CONTEXT(of->endpoint_state), HD_CONTEXT(of->worker), 0);
  if (!head) return 0;
  hd_u64 old = HD_READ(*head);
  if (!(hd_u32)old || HD_SWAP(head, old, hd_list_head(old, 0)) != old) return 0;
  struct hd_sweep sweep = {.first = (hd_u32)old, .next = (hd_u32)old};
  bpf_loop(HD_LINKS_MAX, hd_sweep_one, &sweep, 0);
  hd_u32 index = sweep.last - 1;
  struct hd_splice splice = {.head = head, .first = sweep.first};
  splice.last = sweep.last ? bpf_map_lookup_elem(&hd_links, &index) : 0;
  if (!splice.last) return 0;
  bpf_loop(HD_LINKS_MAX, hd_splice_once, &splice, 0);
  return 0;
}

struct hd_given {
  hd_u64 link;
};

/* A link that a flow held, and that the worker has taken from it, waits for others. */
SEC("syscall")
int hd_give_link(struct hd_given* given) {
  return hd_give_back(given->link, HD_LINK_HELD);
}

#endif
