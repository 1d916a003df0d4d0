/* Equal values draw alike: the pinned digest of a value takes the place of the draw. */
#ifndef HEDDLE_LIB_STICKY_H
#define HEDDLE_LIB_STICKY_H

#include "bpf_templates/lib/digest.h"

/* The draw that the client's address makes; `drawn` where it is not known. */
static __always_inline hd_u64 hd_address_draw(struct hd_work* work, hd_u64 drawn) {
  hd_u64 sum = HD_PINNED_START;
  hd_u64* halves = (hd_u64*)work->request.source;
  if (!halves[0] && !halves[1]) return drawn;
  for (int i = 0; i < 16; i++) sum = hd_pinned_byte(sum, work->request.source[i]);
  return sum;
}

/* The draw that a value makes: field number `sticky` of the service, or the address. `drawn` where there is none. */
__attribute__((noinline)) hd_u64 hd_sticky_draw(struct hd_work* work, hd_u32 sticky) {
  if (!work) return 0;
  hd_u64 drawn = work->decision.draw;
  if (sticky == HD_STICKY_ADDRESS) return hd_address_draw(work, drawn);
  if (!hd_reader_at(work, sticky)) return drawn;
  work->reader.pinned = HD_PINNED_START;
  work->reader.is_keyed = 0;
  hd_read_value(work);
  return work->reader.pinned;
}

#endif
