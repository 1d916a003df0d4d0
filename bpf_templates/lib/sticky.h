/* Equal values draw alike: the digest of a value (FNV-1a, 64 bits) takes the place of the draw. */
#ifndef HEDDLE_LIB_STICKY_H
#define HEDDLE_LIB_STICKY_H

#include "bpf_templates/lib/scan.h"

struct hd_digest {
  hd_u64 sum;
  hd_u32 page; /* of position 0 */
  hd_u32 at;
  hd_u32 until;
  hd_u32 escapes; /* HD_FIELD_ESCAPES: digits of escapes count in upper case */
  hd_u32 digits;  /* of an escape, that follow */
};

#define HD_DIGEST_START 0xcbf29ce484222325ull

static __always_inline hd_u64 hd_digest_byte(hd_u64 sum, hd_u8 byte) { return (sum ^ byte) * 0x100000001b3ull; }

/* Up to a chunk of bytes of one page. */
static long hd_digest_chunk(hd_u32 index, struct hd_digest* digest) {
  hd_u32 start = digest->at, left = digest->until - start, k;
  if (start >= digest->until) return 1;
  struct hd_page* page = hd_page_at(digest->page + start / HD_PAGE_SIZE);
  hd_u32 room = HD_PAGE_SIZE - (start & (HD_PAGE_SIZE - 1));
  if (!page) return 1;
  if (left < room) room = left;
  hd_u64 sum = digest->sum;
  hd_u32 digits = digest->digits;
  for (k = 0; k < HD_CHUNK; k++) {
    if (k >= room) break;
    hd_u64 offset = start + k;
    HD_OPAQUE(offset);
    hd_u8 byte = page->bytes[offset & (HD_PAGE_SIZE - 1)];
    if (digits) {
      digits--;
      if (byte >= 'a' && byte <= 'f') byte -= 'a' - 'A';
    } else if (byte == '%' && digest->escapes) {
      digits = 2;
    }
    sum = hd_digest_byte(sum, byte);
  }
  digest->at = start + k;
  digest->sum = sum;
  digest->digits = digits;
  return 0;
}

/* The draw that the client's address makes; `drawn` where it has none. */
static __always_inline hd_u64 hd_address_draw(struct hd_work* work, hd_u64 drawn) {
  hd_u64 sum = HD_DIGEST_START;
  hd_u64* halves = (hd_u64*)work->request.source;
  if (!halves[0] && !halves[1]) return drawn;
  for (int i = 0; i < 16; i++) sum = hd_digest_byte(sum, work->request.source[i]);
  return sum;
}

/* The draw that a value makes: field number `sticky` of the service, or the address. `drawn` where there is none. */
__attribute__((noinline)) hd_u64 hd_sticky_draw(struct hd_work* work, hd_u32 sticky) {
  if (!work) return 0;
  hd_u64 drawn = work->decision.draw;
  if (sticky == HD_STICKY_ADDRESS) return hd_address_draw(work, drawn);
  hd_u64 place = sticky;
  HD_OPAQUE(place);
  if (place >= HD_FIELDS_MAX || !(work->seen >> (place & 63) & 1)) return drawn;
  hd_u32 number = work->first_field + sticky;
  struct hd_field* field = bpf_map_lookup_elem(&hd_fields, &number);
  if (!field) return drawn;
  struct hd_digest digest = {.sum = HD_DIGEST_START,
                             .page = work->request.page,
                             .at = work->begin[place],
                             .until = work->end[place],
                             .escapes = field->flags & HD_FIELD_ESCAPES};
  bpf_loop(HD_HEAD_MAX / HD_CHUNK + HD_HEAD_MAX / HD_PAGE_SIZE, hd_digest_chunk, &digest, 0);
  return digest.sum;
}

#endif
