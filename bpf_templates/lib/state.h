/* The maps that outlive every generation. The trampolines create them; the object of a generation declares them
 * again and is given the pinned ones. Sizes here are the largest; the agent may make smaller ones. */
#ifndef HEDDLE_LIB_STATE_H
#define HEDDLE_LIB_STATE_H

#include "bpf_templates/lib/bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_word);
} hd_word SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_config);
} hd_config SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, HD_LISTENERS_MAX);
  __type(key, hd_u64);
  __type(value, struct hd_listener);
} hd_listeners SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} hd_unserved SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct hd_connection);
} hd_connections SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} hd_events SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_lost SEC(".maps");

static __always_inline void hd_lose_event(void) {
  hd_u32 zero = 0;
  hd_u64* lost = bpf_map_lookup_elem(&hd_lost, &zero);
  if (lost) __sync_fetch_and_add(lost, 1);
}

static __always_inline int hd_wants_events(void) {
  hd_u32 zero = 0;
  struct hd_config* config = bpf_map_lookup_elem(&hd_config, &zero);
  return config && config->events;
}

static __always_inline void hd_emit(struct hd_event* event) {
  if (!hd_wants_events()) return;
  if (bpf_ringbuf_output(&hd_events, event, sizeof(*event), 0)) hd_lose_event();
}

#endif
