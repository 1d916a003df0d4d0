/* The tables of one generation. Sizes here are placeholders: a bundle brings its own. Besides hd_cgroups they are
 * written once, before anything can look, and frozen. */
#ifndef HEDDLE_LIB_TABLES_H
#define HEDDLE_LIB_TABLES_H

#include "bpf_templates/lib/bpf.h"

#define HD_TABLE(name, value_type)   \
  struct {                           \
    __uint(type, BPF_MAP_TYPE_ARRAY); \
    __uint(max_entries, 1);          \
    __type(key, hd_u32);             \
    __type(value, value_type);       \
  } name SEC(".maps")

#define HD_INDEX(name, key_type, value_type) \
  struct {                                   \
    __uint(type, BPF_MAP_TYPE_HASH);         \
    __uint(max_entries, 1);                  \
    __type(key, key_type);                   \
    __type(value, value_type);               \
  } name SEC(".maps")

HD_TABLE(hd_self, hd_u64);
HD_TABLE(hd_mesh, struct hd_mesh); /* for the handler alone, as hd_patterns */
HD_TABLE(hd_patterns, struct hd_pattern);
HD_TABLE(hd_workloads, struct hd_workload);
HD_TABLE(hd_services, struct hd_service);
HD_TABLE(hd_rules, struct hd_rule);
HD_TABLE(hd_parts, struct hd_part);
HD_TABLE(hd_answers, struct hd_answer);
HD_TABLE(hd_pools, struct hd_pool);
HD_TABLE(hd_members, hd_u32);
HD_TABLE(hd_maglev, hd_u32);
HD_TABLE(hd_endpoints, struct hd_endpoint);
HD_TABLE(hd_fields, struct hd_field);
HD_TABLE(hd_steps, struct hd_step);
HD_TABLE(hd_sets, hd_u64);
HD_TABLE(hd_choosers, struct hd_chooser);
HD_TABLE(hd_keys, struct hd_key);
HD_TABLE(hd_candidates, hd_u32);
HD_TABLE(hd_alternatives, struct hd_alternative);
HD_TABLE(hd_tests, struct hd_test);

/* Room for every cgroup of a large machine, memory for those that are there. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, hd_u64);
  __type(value, struct hd_cgroup);
} hd_cgroups SEC(".maps");

HD_INDEX(hd_addresses, struct hd_address_key, struct hd_address);
HD_INDEX(hd_names, struct hd_name_key, hd_u32);

/* Texts, for the handler alone; one value, of the size that the bundle says. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, hd_u64);
} hd_blob SEC(".maps");

/* State that only decisions touch; declared like the trampolines' and given their maps. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_counter);
} hd_counters SEC(".maps");

HD_TABLE(hd_balance, hd_u64);
HD_TABLE(hd_weights, hd_u32);

#endif
