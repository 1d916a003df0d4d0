/* Where a decision at a client's socket is worked out. These programs can be preempted by others on the same CPU: each takes a
 * place for itself. */
#ifndef HEDDLE_LIB_PLACE_H
#define HEDDLE_LIB_PLACE_H

#include "bpf_templates/lib/tables.h"
#include "bpf_templates/lib/work.h"

struct hd_place {
  hd_u64 busy;
  struct hd_work work;
};
HD_TABLE(hd_places, struct hd_place); /* HD_PLACES_PER_CPU for each CPU */

#define HD_PLACES_MAX 65536 /* more than there are */

static long hd_try_place(hd_u32 index, hd_u32* found) {
  struct hd_place* place = bpf_map_lookup_elem(&hd_places, &index);
  if (place && HD_SWAP(&place->busy, 0, 1)) return 0;
  if (place) *found = index;
  return 1;
}

/* The first of this CPU's, which is free unless somebody was interrupted there, or else any. 0: all are taken. */
static __always_inline struct hd_place* hd_take_place(hd_u32* index) {
  *index = bpf_get_smp_processor_id() * HD_PLACES_PER_CPU;
  struct hd_place* place = bpf_map_lookup_elem(&hd_places, index);
  if (place && HD_SWAP(&place->busy, 0, 1) == 0) return place;
  *index = HD_NONE;
  bpf_loop(HD_PLACES_MAX, hd_try_place, index, 0);
  return bpf_map_lookup_elem(&hd_places, index);
}

static __always_inline void hd_leave_place(struct hd_place* place) { HD_SWAP(&place->busy, 1, 0); }

#endif
