/* Digests of parts of a request: a pinned one (FNV-1a), equal on every node, and one that nobody outside can foresee
 * (SipHash-2-4 of words, with the node's secret).
 *
 * What is being read lies in the work, and a callback reads one byte: of memory the verifier knows nothing, so there is
 * nothing that it could follow through every turn. */
#ifndef HEDDLE_LIB_DIGEST_H
#define HEDDLE_LIB_DIGEST_H

#include "bpf_templates/lib/scan.h"

#define HD_PINNED_START 0xcbf29ce484222325ull

static __always_inline hd_u64 hd_pinned_byte(hd_u64 sum, hd_u8 byte) { return (sum ^ byte) * 0x100000001b3ull; }

static __always_inline hd_u64 hd_rotated(hd_u64 x, int by) { return x << by | x >> (64 - by); }

static __always_inline void hd_sip_round(hd_u64* v) {
  v[0] += v[1];
  v[1] = hd_rotated(v[1], 13) ^ v[0];
  v[0] = hd_rotated(v[0], 32);
  v[2] += v[3];
  v[3] = hd_rotated(v[3], 16) ^ v[2];
  v[0] += v[3];
  v[3] = hd_rotated(v[3], 21) ^ v[0];
  v[2] += v[1];
  v[1] = hd_rotated(v[1], 17) ^ v[2];
  v[2] = hd_rotated(v[2], 32);
}

static __always_inline void hd_sip_begin(struct hd_reader* reader, const hd_u64* secret) {
  reader->sip[0] = secret[0] ^ 0x736f6d6570736575ull;
  reader->sip[1] = secret[1] ^ 0x646f72616e646f6dull;
  reader->sip[2] = secret[0] ^ 0x6c7967656e657261ull;
  reader->sip[3] = secret[1] ^ 0x7465646279746573ull;
  reader->is_keyed = 1;
}

__attribute__((noinline)) int hd_sip_word(struct hd_work* work, hd_u64 word) {
  if (!work) return 0;
  hd_u64* v = work->reader.sip;
  v[3] ^= word;
  hd_sip_round(v);
  hd_sip_round(v);
  v[0] ^= word;
  return 0;
}

__attribute__((noinline)) hd_u64 hd_sip_end(struct hd_work* work) {
  if (!work) return 0;
  hd_u64* v = work->reader.sip;
  v[2] ^= 0xff;
  for (int i = 0; i < 4; i++) hd_sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

enum hd_reading {
  HD_READ_ESCAPES = 1, /* digits of escapes count in upper case */
  HD_READ_LOWER = 2,   /* letters count in lower case */
};

static __always_inline hd_u8 hd_read_as(struct hd_reader* reader, hd_u8 byte) {
  if (reader->digits) {
    reader->digits--;
    if (byte >= 'a' && byte <= 'f') return byte - ('a' - 'A');
  } else if (byte == '%' && reader->reading & HD_READ_ESCAPES) {
    reader->digits = 2;
  } else if (reader->reading & HD_READ_LOWER && byte >= 'A' && byte <= 'Z') {
    return byte + ('a' - 'A');
  }
  return byte;
}

static long hd_read_byte(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  struct hd_reader* reader = &work->reader;
  hd_u32 at = reader->at;
  if (at >= reader->until) return 1;
  struct hd_page* page = hd_page_at(work->request.page + at / HD_PAGE_SIZE);
  if (!page) return 1;
  hd_u64 offset = at;
  HD_OPAQUE(offset);
  hd_u8 byte = hd_read_as(reader, page->bytes[offset & (HD_PAGE_SIZE - 1)]);
  reader->at = at + 1;
  if (!reader->is_keyed) {
    reader->pinned = hd_pinned_byte(reader->pinned, byte);
    return 0;
  }
  reader->word |= (hd_u64)byte << (8 * (reader->count & 7));
  reader->count++;
  if (reader->count & 7) return 0;
  hd_sip_word(work, reader->word);
  reader->word = 0;
  return 0;
}

/* Whether the field is there; the reader stands at its value then. */
static __always_inline int hd_reader_at(struct hd_work* work, hd_u32 number) {
  hd_u64 place = number;
  HD_OPAQUE(place);
  if (place >= HD_FIELDS_MAX || !(work->seen >> (place & 63) & 1)) return 0;
  hd_u32 index = work->first_field + number;
  struct hd_field* field = bpf_map_lookup_elem(&hd_fields, &index);
  if (!field) return 0;
  struct hd_reader* reader = &work->reader;
  reader->reading = field->flags & HD_FIELD_ESCAPES ? HD_READ_ESCAPES : number == HD_FIELD_HOST ? HD_READ_LOWER : 0;
  reader->at = work->begin[place];
  reader->until = work->end[place];
  reader->digits = 0;
  reader->word = 0;
  reader->count = 0;
  return 1;
}

/* To the end of the value. */
static __always_inline void hd_read_value(struct hd_work* work) {
  bpf_loop(HD_HEAD_MAX, hd_read_byte, &work, 0);
  if (work->reader.count & 7) hd_sip_word(work, work->reader.word);
}

#endif
