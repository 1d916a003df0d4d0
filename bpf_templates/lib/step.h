/* One step of an automaton. All automata of a generation lie in one comb (hd_steps); looking an entry up can only
 * fail for a table that no compiler wrote, and then the walk ends in HD_SCAN_HANDLER, which nothing accepts. */
#ifndef HEDDLE_LIB_STEP_H
#define HEDDLE_LIB_STEP_H

#include "bpf_templates/lib/tables.h"

#define HD_CHUNK 32 /* bytes of one callback of bpf_loop */
#define HD_STEP_BROKEN ((hd_u32)HD_SCAN_HANDLER << HD_STEP_EVENT_SHIFT)

static __always_inline hd_u32 hd_step_next(hd_u32 state, hd_u8 byte) {
  hd_u32 index = state + byte;
  struct hd_step* step = bpf_map_lookup_elem(&hd_steps, &index);
  if (step && step->check == state) return step->next;
  index = state + 256;
  step = bpf_map_lookup_elem(&hd_steps, &index);
  return step ? step->next : HD_STEP_BROKEN;
}

static __always_inline hd_u32 hd_step_default(hd_u32 state) {
  hd_u32 index = state + 256;
  struct hd_step* step = bpf_map_lookup_elem(&hd_steps, &index);
  return step ? step->check : HD_STEP_FINAL;
}

static __always_inline hd_u32 hd_step_accepts(hd_u32 state) { return hd_step_default(state) & HD_STEP_ACCEPT; }

#endif
