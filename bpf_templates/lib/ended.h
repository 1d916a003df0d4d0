/* What the end of a request changes, whichever program sees it. */
#ifndef HEDDLE_LIB_ENDED_H
#define HEDDLE_LIB_ENDED_H

#include "bpf_templates/lib/bpf.h"

static __always_inline void hd_ended(hd_u32 endpoint_state, hd_u32 status, hd_u32 flags, hd_u64 now) {}
static __always_inline void hd_latency_of(hd_u32 slot, hd_u64 latency_ns) {}

#endif
