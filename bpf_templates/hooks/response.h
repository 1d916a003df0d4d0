/* Reading the head of a response, so far as its end has to be known: lines, eight bytes at a time. Whatever is not plain is
 * left to the handler, which knows more. All that is remembered lies in a map's value: what the verifier cannot see it does
 * not have to follow. */
#ifndef HEDDLE_HOOKS_RESPONSE_H
#define HEDDLE_HOOKS_RESPONSE_H

#include "bpf_templates/lib/bpf.h"

#define HD_RESPONSE_ROOM (HD_FAST_HEAD_MAX + 64)

struct hd_response {
  hd_u64 busy;
  hd_u32 length; /* bytes that are there */
  hd_u32 at;
  hd_u32 line;   /* where the line in hand begins */
  hd_u32 end;    /* of the head; 0: not found */
  hd_u32 length_at; /* where the value of Content-Length begins; 0: there is none */
  hd_u32 odd;    /* 1: the handler's */
  hd_u32 status;
  hd_u32 pad;
  hd_u64 body;
  hd_u8 bytes[HD_RESPONSE_ROOM];
};

/* One for each place; the loader makes as many as the machine needs. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_response);
} hd_responses SEC(".maps");

#define HD_BYTE(r, position) ((r)->bytes[(position) & (HD_FAST_HEAD_MAX - 1)])
#define HD_EIGHT(r, position) (*(hd_u64*)&HD_BYTE(r, position))
#define HD_TEXT(s)                                                                                              \
  ((hd_u64)(hd_u8)s[0] | (hd_u64)(hd_u8)s[1] << 8 | (hd_u64)(hd_u8)s[2] << 16 | (hd_u64)(hd_u8)s[3] << 24 |       \
   (hd_u64)(hd_u8)s[4] << 32 | (hd_u64)(hd_u8)s[5] << 40 | (hd_u64)(hd_u8)s[6] << 48 | (hd_u64)(hd_u8)s[7] << 56)
#define HD_LOWER 0x2020202020202020ull

/* The name of the line at `at`: does it say something about the end of the response? */
static __always_inline void hd_response_field(struct hd_response* r, hd_u64 at) {
  hd_u8 first = HD_BYTE(r, at), letter = first | 0x20;
  if (letter != 'c' && letter != 't' && letter != 'u' && letter != 'x' && first != ' ') return;
  hd_u64 name = HD_EIGHT(r, at) | HD_LOWER, rest = HD_EIGHT(r, at + 8) | HD_LOWER;
  if (first == ' ') r->odd = 1; /* a folded line */
  if (name == HD_TEXT("content-")) {
    if ((rest & 0xffffffffffffull) != (HD_TEXT("length  ") & 0xffffffffffffull)) return;
    if (HD_BYTE(r, at + 14) != ':' || r->length_at) r->odd = 1;
    r->length_at = (hd_u32)at + 15;
  } else if (name == HD_TEXT("transfer") || name == HD_TEXT("x-heddle") || name == HD_TEXT("upgrade:")) {
    r->odd = 1;
  } else if (name == HD_TEXT("connecti")) {
    /* `connection: keep-alive`, and nothing more */
    hd_u64 value = HD_EIGHT(r, at + 12) | HD_LOWER, tail = HD_EIGHT(r, at + 20);
    if ((rest & 0xffff) != (HD_TEXT("on      ") & 0xffff) || HD_BYTE(r, at + 10) != ':' || HD_BYTE(r, at + 11) != ' ' ||
        value != HD_TEXT("keep-ali") || ((tail | 0x2020) & 0xffffffff) != ('v' | 'e' << 8 | '\r' << 16 | ('\n' << 24)))
      r->odd = 1;
  }
}

/* One callback: up to 64 bytes, or up to the end of the line. */
static long hd_response_step(hd_u32 index, struct hd_response** in) {
  struct hd_response* r = *in;
  hd_u64 at = r->at, line = r->line;
  hd_u64 control = 0;
  for (int k = 0; k < 8; k++) {
    hd_u64 eight = HD_EIGHT(r, at);
    control = hd_below_space(eight);
    if (control) break;
    at += 8;
  }
  if (control) at += hd_first_marked(control);
  if (at + 2 > r->length) return 1; /* it does not end in what is there */
  r->at = (hd_u32)at;
  if (!control) return 0;
  if (HD_BYTE(r, at) != '\r' || HD_BYTE(r, at + 1) != '\n') {
    r->odd = 1;
    return 1;
  }
  if (at == line) {
    r->end = (hd_u32)at + 2;
    return 1;
  }
  if (line) hd_response_field(r, line);
  r->at = r->line = (hd_u32)at + 2;
  return r->odd != 0;
}

/* `HTTP/1.1 200`: the number, or 0. */
static __always_inline hd_u32 hd_response_status(struct hd_response* r) {
  if (HD_EIGHT(r, 0) != HD_TEXT("HTTP/1.1")) return 0;
  hd_u8 a = r->bytes[9], b = r->bytes[10], c = r->bytes[11];
  if (r->bytes[8] != ' ' || (r->bytes[12] != ' ' && r->bytes[12] != '\r')) return 0;
  if (a < '2' || a > '5' || b < '0' || b > '9' || c < '0' || c > '9') return 0;
  return (hd_u32)(a - '0') * 100 + (hd_u32)(b - '0') * 10 + (hd_u32)(c - '0');
}

static __always_inline int hd_response_body(struct hd_response* r) {
  hd_u32 at = r->length_at, digits = 0;
  hd_u64 value = 0;
  for (int i = 0; i < 20; i++, at++) {
    hd_u8 byte = HD_BYTE(r, at);
    if (byte == ' ' && !digits) continue;
    if (byte == '\r' && digits) {
      r->body = value;
      return 1;
    }
    if (byte < '0' || byte > '9' || ++digits > 15) return 0;
    value = value * 10 + (byte - '0');
  }
  return 0;
}

/* Where the response of r->length bytes ends: 1 and `end`, `body`, `status`; 0: the head does not end here; -1: the handler's. */
__attribute__((noinline)) int hd_read_response(struct hd_response* r, int to_head) {
  if (!r) return -1;
  r->at = r->line = r->end = r->length_at = r->odd = 0;
  r->body = 0;
  r->status = hd_response_status(r);
  if (r->length < 16 || !r->status) return r->length < 16 ? 0 : -1;
  bpf_loop(HD_FAST_HEAD_MAX / 16, hd_response_step, &r, 0);
  if (r->odd) return -1;
  if (!r->end) return 0;
  if (r->status == 204) return r->length_at ? -1 : 1;
  if (!r->length_at) return to_head || r->status == 304 ? 1 : -1;
  if (!hd_response_body(r)) return -1;
  if (to_head || r->status == 304) r->body = 0;
  return 1;
}

#endif
