/* Reading a head that lies in pages of the arena: first its shape, which notes where the strings are that the
 * service's policy tests, then the automaton of each of these strings.
 *
 * What a byte means is all in the tables: the compiler writes the grammar of a canonical head (and of its path) into
 * an automaton whose few remarkable transitions carry an event. */
#ifndef HEDDLE_LIB_SCAN_H
#define HEDDLE_LIB_SCAN_H

#include "bpf_templates/lib/step.h"
#include "bpf_templates/lib/work.h"

struct hd_page {
  hd_u8 bytes[HD_PAGE_SIZE];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, hd_u32);
  __type(value, struct hd_page);
} hd_arena SEC(".maps");

/* Heads that the fast path copied from messages: nobody else can write there. */
HD_TABLE(hd_fast_pages, struct hd_page);

/* In the number of a page: it lies in hd_fast_pages. */
#define HD_FAST_PAGE 0x80000000u

/* Two calls, each with its own map: the verifier turns such a lookup into a few instructions. One call with either map, which
 * the compiler would make of them, stays a call. */
static __always_inline struct hd_page* hd_page_at(hd_u32 number) {
  struct hd_page* page;
  if (number & HD_FAST_PAGE) {
    number &= ~HD_FAST_PAGE;
    page = bpf_map_lookup_elem(&hd_fast_pages, &number);
    HD_OPAQUE(page);
  } else {
    page = bpf_map_lookup_elem(&hd_arena, &number);
  }
  return page;
}

#define HD_SKIPS 16
#define HD_FIELDS_PER_TURN 8

/* A place in a head, and the state of the automaton that walks there. No pointer in it: it is handed to global
 * functions, which the verifier checks once each, whoever calls them. */
struct hd_cursor {
  hd_u32 page;  /* of position 0 */
  hd_u32 at;    /* next byte */
  hd_u32 until; /* end of what may be read */
  hd_u32 state;
  hd_u32 before; /* the state before the last step */
  hd_u32 event;  /* of the last step */
};

/* Reads up to a chunk of bytes, not past a page or the end, and stops behind the first byte with an event. */
__attribute__((noinline)) int hd_walk_chunk(struct hd_cursor* cursor) {
  if (!cursor) return 0;
  hd_u32 start = cursor->at;
  hd_u32 page = cursor->page + start / HD_PAGE_SIZE;
  hd_u32 state = cursor->state, before = state, event = HD_SCAN_HANDLER, k;
  struct hd_page* bytes = hd_page_at(page);
  hd_u32 room = HD_PAGE_SIZE - (start & (HD_PAGE_SIZE - 1));
  hd_u32 left = cursor->until - start;
  if (left < room) room = left;
  for (k = 0; bytes && k < HD_CHUNK; k++) {
    event = 0;
    if (k >= room) break;
    hd_u64 offset = start + k;
    HD_OPAQUE(offset);
    hd_u32 next = hd_step_next(state, bytes->bytes[offset & (HD_PAGE_SIZE - 1)]);
    before = state;
    state = next & HD_STEP_STATE;
    event = next >> HD_STEP_EVENT_SHIFT;
    if (event) {
      k++;
      break;
    }
  }
  cursor->at = start + k;
  cursor->state = state;
  cursor->before = before;
  cursor->event = event;
  return 0;
}

struct hd_walk {
  struct hd_work* work;
  hd_u32 done; /* the event that ended the scan */
  struct hd_cursor cursor;
  struct hd_scan states;
};

static __always_inline void hd_refuse(struct hd_work* work, hd_u32 status, hd_u32 rule) {
  work->scan_status = status;
  work->scan_rule = rule;
}

/* The field of this service that a name is, or HD_NONE. */
static __always_inline hd_u32 hd_field_of(struct hd_work* work, hd_u32 state) {
  struct hd_name_key key = {.service = work->facts.service, .name = hd_step_accepts(state)};
  if (key.name == HD_NAME_HOST) return HD_FIELD_HOST;
  hd_u32* field = bpf_map_lookup_elem(&hd_names, &key);
  return field ? *field : HD_NONE;
}

static __always_inline int hd_field_has(struct hd_work* work, hd_u32 field, hd_u32 flag) {
  hd_u32 index = work->first_field + field;
  struct hd_field* entry = bpf_map_lookup_elem(&hd_fields, &index);
  return entry && (entry->flags & flag);
}

/* The name at `before` comes once more, and its value counts. */
static __always_inline int hd_is_second(struct hd_work* work, hd_u32 field) {
  return field < HD_FIELDS_MAX && (work->seen >> (field & 63) & 1) && !hd_field_has(work, field, HD_FIELD_MAY_REPEAT);
}

/* The value of the name in hand. One more line of a list is kept beside the first. Returns 1 when the scan is over. */
static __always_inline int hd_value_span(struct hd_work* work, hd_u32 end) {
  hd_u32 field = work->field;
  hd_u64 line = work->line_count;
  if (field >= HD_FIELDS_MAX || !(work->seen >> (field & 63) & 1) || !hd_field_has(work, field, HD_FIELD_LIST)) {
    hd_field_span(work, field, work->value_begin, end);
    return 0;
  }
  HD_OPAQUE(line);
  if (line >= HD_LINES_MAX) {
    hd_refuse(work, 400, HD_RULE_MALFORMED);
    return 1;
  }
  work->lines[line].field = field;
  work->lines[line].begin = work->value_begin;
  work->lines[line].end = end;
  work->line_count = (hd_u32)line + 1;
  return 0;
}

/* The target ends at `at`. What is wrong with a path comes before what is wrong with its query. */
static __always_inline int hd_target_end(struct hd_work* work, hd_u32 at) {
  if (at - work->target_begin > HD_TARGET_MAX) {
    hd_refuse(work, HD_FORM_TARGET_TOO_LONG, HD_RULE_MALFORMED);
  } else if (work->repeated) {
    hd_refuse(work, 400, HD_RULE_MALFORMED);
  } else {
    return 0;
  }
  return 1;
}

/* What an event at position `at` means for the decision. Returns 1 when the scan is over. */
__attribute__((noinline)) int hd_scan_event_at(struct hd_work* work, hd_u32 event, hd_u32 at, hd_u32 before) {
  hd_u32 field;
  if (!work) return 1;
  switch (event) {
    case HD_SCAN_METHOD_END:
      hd_field_span(work, HD_FIELD_METHOD, 0, at);
      work->target_begin = at + 1;
      return 0;
    case HD_SCAN_PATH_END:
      hd_field_span(work, HD_FIELD_PATH, work->target_begin, at);
      return hd_target_end(work, at); /* without a query the target ends here too */
    case HD_SCAN_TARGET_END:
      return hd_target_end(work, at);
    case HD_SCAN_QUERY_NAME:
    case HD_SCAN_QUERY_BARE:
    case HD_SCAN_QUERY_BARE_END:
      field = hd_field_of(work, before);
      work->field = field;
      work->value_begin = at + 1;
      if (hd_is_second(work, field)) work->repeated = 1;
      if (event == HD_SCAN_QUERY_NAME) return 0;
      hd_field_span(work, field, at, at);
      return event == HD_SCAN_QUERY_BARE_END ? hd_target_end(work, at) : 0;
    case HD_SCAN_QUERY_VALUE:
    case HD_SCAN_QUERY_VALUE_END:
      hd_field_span(work, work->field, work->value_begin, at);
      return event == HD_SCAN_QUERY_VALUE_END ? hd_target_end(work, at) : 0;
    case HD_SCAN_OLD:
      work->old_version = 1;
      work->framing = HD_FRAMING_HANDLER;
      return 0;
    case HD_SCAN_LENGTH:
      if (work->length_at) work->framing = HD_FRAMING_HANDLER;
      work->length_at = at + 1;
      return 0;
    case HD_SCAN_NOT_FAST:
      work->framing = HD_FRAMING_HANDLER;
      return 0;
    case HD_SCAN_NAME:
      field = hd_field_of(work, before);
      if (hd_step_accepts(before) & HD_NAME_FRAMING) work->framing = HD_FRAMING_HANDLER;
      work->field = field;
      work->value_begin = at;
      work->value_end = at;
      if (!hd_is_second(work, field)) return 0;
      hd_refuse(work, 400, HD_RULE_MALFORMED);
      return 1;
    case HD_SCAN_BARE_NAME:
      field = hd_field_of(work, before);
      if (hd_is_second(work, field)) {
        hd_refuse(work, 400, HD_RULE_MALFORMED);
        return 1;
      }
      hd_field_span(work, field, at, at);
      return 0;
    case HD_SCAN_CONNECTION:
      if (hd_field_of(work, before) == HD_NONE) return 0;
      hd_refuse(work, 400, HD_RULE_MALFORMED);
      return 1;
    case HD_SCAN_VALUE:
      work->value_begin = at;
      return 0;
    case HD_SCAN_SPACE:
      work->value_end = at;
      return 0;
    case HD_SCAN_VALUE_END:
      work->value_end = at;
      return hd_value_span(work, at);
    case HD_SCAN_LINE_END:
      return hd_value_span(work, work->value_end);
    case HD_SCAN_END:
      work->head_end = at + 1;
      if (work->old_version || work->seen >> HD_FIELD_HOST & 1) work->scan_status = 0;
      return 1;
    case HD_SCAN_BAD_PATH:
      hd_refuse(work, 400, HD_RULE_PATH);
      return 1;
    case HD_SCAN_NORMALISE:
      if (work->request.flags & HD_REQUEST_NORMALISED) {
        hd_refuse(work, 400, HD_RULE_PATH);
      } else {
        hd_refuse(work, HD_SCAN_TO_NORMALISE, HD_RULE_PATH);
      }
      return 1;
    case HD_SCAN_HANDLER:
      hd_refuse(work, HD_SCAN_TO_HANDLER, HD_RULE_MALFORMED);
      return 1;
    case HD_SCAN_BAD_METHOD:
      hd_refuse(work, HD_FORM_CONNECT, HD_RULE_MALFORMED);
      return 1;
  }
  return 1;
}

/* Passes over a value that nobody asks for, eight bytes at a time, up to what can end it: a byte below a space, or DEL. Behind
 * the end of the line the automaton goes on in `line`. 1: it may go on here; 0: the next bytes are to be walked one by one. */
__attribute__((noinline)) int hd_skip_value(struct hd_cursor* cursor, hd_u32 line) {
  if (!cursor) return 0;
  hd_u32 at = cursor->at, page = cursor->page + at / HD_PAGE_SIZE, k;
  struct hd_page* bytes = hd_page_at(page);
  hd_u64 ends = 0, offset = 0;
  for (k = 0; bytes && k < HD_SKIPS; k++) {
    offset = at & (HD_PAGE_SIZE - 1);
    HD_OPAQUE(offset);
    if (offset > HD_PAGE_SIZE - 8 || at + 8 > cursor->until) break;
    if (k && !offset) break; /* another page begins */
    hd_u64 eight = *(hd_u64*)&bytes->bytes[offset];
    ends = hd_below_space(eight) | hd_is_zero(eight ^ HD_ONES * 0x7f);
    if (ends) break;
    at += 8;
  }
  if (ends) at += hd_first_marked(ends);
  cursor->at = at;
  if (!ends) return k != 0;
  offset = at & (HD_PAGE_SIZE - 1);
  HD_OPAQUE(offset);
  if (!bytes || offset > HD_PAGE_SIZE - 2 || at + 2 > cursor->until) return 0;
  if (*(hd_u16*)&bytes->bytes[offset] != ('\r' | '\n' << 8)) return 0;
  cursor->at = at + 2;
  cursor->state = line;
  cursor->event = HD_SCAN_NONE;
  return 1;
}

/* The text as it lies in memory. */
#define HD_FOUR(a, b, c, d) ((hd_u64)(a) | (hd_u64)(b) << 8 | (hd_u64)(c) << 16 | (hd_u64)(d) << 24)
#define HD_EIGHT(a, b, c, d, e, f, g, h) (HD_FOUR(a, b, c, d) | HD_FOUR(e, f, g, h) << 32)

/* How much of `HTTP/1.1`, CR LF, `Host: ` lies at the cursor, and behind it within the page: 0, 10 or 16 bytes. */
__attribute__((noinline)) int hd_known_lines(struct hd_cursor* cursor) {
  if (!cursor) return 0;
  hd_u64 offset = cursor->at & (HD_PAGE_SIZE - 1);
  HD_OPAQUE(offset);
  if (cursor->at + 16 > cursor->until || offset > HD_PAGE_SIZE - 16) return 0;
  struct hd_page* page = hd_page_at(cursor->page + cursor->at / HD_PAGE_SIZE);
  if (!page) return 0;
  hd_u64 first = *(hd_u64*)&page->bytes[offset], second = *(hd_u64*)&page->bytes[offset + 8];
  hd_u64 either_case = HD_EIGHT(0, 0, 0x20, 0, 0, 0, 0, 0);
  if (first != HD_EIGHT('H', 'T', 'T', 'P', '/', '1', '.', '1')) return 0;
  if ((second | either_case) == HD_EIGHT('\r', '\n', 'h', 'o', 's', 't', ':', ' ')) return 16;
  return (second & 0xffff) == HD_FOUR('\r', '\n', 0, 0) ? 10 : 0;
}

/* Behind the target nearly every head goes on in the same way. */
static __always_inline void hd_pass_known_lines(struct hd_walk* walk) {
  int known = hd_known_lines(&walk->cursor);
  if (!known) return;
  walk->cursor.at += (hd_u32)known;
  walk->cursor.state = known == 16 ? walk->states.host : walk->states.line;
  if (known != 16) return;
  walk->work->field = HD_FIELD_HOST;
  walk->work->value_begin = walk->cursor.at - 2;
  walk->work->value_end = walk->cursor.at - 2;
}

/* And most begin with `GET `. */
static __always_inline void hd_pass_known_method(struct hd_walk* walk) {
  struct hd_page* page = hd_page_at(walk->cursor.page);
  if (!page || walk->cursor.until < 4 || *(hd_u32*)page->bytes != HD_FOUR('G', 'E', 'T', ' ')) return;
  hd_field_span(walk->work, HD_FIELD_METHOD, 0, 3);
  walk->work->target_begin = 4;
  walk->cursor.at = 4;
  walk->cursor.state = walk->states.target;
}

static long hd_scan_step(hd_u32 index, struct hd_walk* walk) {
  if (walk->cursor.at >= walk->cursor.until) return 1;
  if (walk->cursor.event == HD_SCAN_SKIP && hd_skip_value(&walk->cursor, walk->states.line)) return 0;
  hd_walk_chunk(&walk->cursor);
  hd_u32 event = walk->cursor.event;
  if (event == HD_SCAN_NONE || event == HD_SCAN_SKIP) return 0;
  if (hd_scan_event_at(walk->work, event, walk->cursor.at - 1, walk->cursor.before)) {
    walk->done = event;
    return 1;
  }
  if (walk->cursor.state == walk->states.version) hd_pass_known_lines(walk);
  return 0;
}

static long hd_value_step(hd_u32 index, struct hd_cursor* cursor) {
  if (cursor->at >= cursor->until || hd_step_default(cursor->state) & HD_STEP_FINAL) return 1;
  hd_walk_chunk(cursor);
  return cursor->event != HD_SCAN_NONE;
}

/* A head that the tables do not lead to its end is malformed; it must end where the bytes end. */
__attribute__((noinline)) int hd_scan_head(struct hd_work* work) {
  if (!work) return 0;
  hd_refuse(work, 400, HD_RULE_MALFORMED);
  work->field = HD_NONE;
  work->seen = 0;
  work->repeated = 0;
  work->old_version = 0;
  work->head_end = 0;
  work->length_at = 0;
  work->line_count = 0;
  work->framing = HD_FRAMING_PLAIN;
  hd_u32 length = work->request.head_length;
  if (length > HD_HEAD_MAX) {
    work->incomplete = 0;
    hd_refuse(work, HD_FORM_HEAD_TOO_LARGE, HD_RULE_MALFORMED);
    return 0;
  }
  hd_u32 number = work->facts.service;
  struct hd_service* service = bpf_map_lookup_elem(&hd_services, &number);
  if (!service) return 0;
  struct hd_walk walk = {.work = work,
                         .cursor = {.page = work->request.page, .until = length, .state = service->scan.start},
                         .states = service->scan};
  hd_pass_known_method(&walk);
  bpf_loop(2 * HD_HEAD_MAX, hd_scan_step, &walk, 0);
  work->incomplete = walk.done == 0;
  if (walk.done == HD_SCAN_END && walk.cursor.at != length && !work->open_end) hd_refuse(work, 400, HD_RULE_MALFORMED);
  return 0;
}

struct hd_copy {
  struct hd_work* work;
  hd_u32 from;
  hd_u32 to;
};

static long hd_copy_word(hd_u32 index, struct hd_copy* copy) {
  hd_u32 from = copy->from + index;
  hd_u64 to = copy->to + index;
  hd_u64* word = bpf_map_lookup_elem(&hd_sets, &from);
  HD_OPAQUE(to);
  if (!word || to >= HD_ATOM_WORDS) return 1;
  copy->work->facts.atoms[to] |= *word;
  return 0;
}

/* What holds of a value whose automaton ended in that state: the code finds it in the facts, choosers by its row. */
static __always_inline int hd_take_row(struct hd_work* work, struct hd_field* field, hd_u32 slot, hd_u32 state) {
  hd_u32 row = field->sets + hd_step_accepts(state) * field->stride, words = field->words;
  struct hd_copy copy = {.work = work, .from = row, .to = field->atom_word};
  hd_u64 place = slot;
  HD_OPAQUE(place);
  if (place >= HD_SLOTS) return 1;
  work->rows[place] = row;
  if (words == 0) return 0;
  if (words == 1) return (int)hd_copy_word(0, &copy);
  if (words > HD_ATOM_WORDS) return 1;
  bpf_loop(words, hd_copy_word, &copy, 0);
  return 0;
}

static __always_inline long hd_match_value(struct hd_work* work, struct hd_field* field, hd_u32 slot, hd_u32 begin, hd_u32 end) {
  if (field->stride == 0) return 0;
  struct hd_cursor cursor = {.page = work->request.page, .at = begin, .until = end, .state = field->start};
  /* Most values are read in one step. */
  if (!hd_value_step(0, &cursor) && cursor.at < cursor.until)
    bpf_loop(HD_HEAD_MAX / HD_CHUNK + HD_HEAD_MAX / HD_PAGE_SIZE, hd_value_step, &cursor, 0);
  return hd_take_row(work, field, slot, cursor.state);
}

/* The next field of the service that has a value (no test of what is not there holds): which of its tests hold goes into the
 * facts. */
static long hd_match_field(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  hd_u64 place = work->next_field;
  HD_OPAQUE(place);
  for (int i = 0; i < HD_FIELDS_PER_TURN && !(work->seen >> (place & 63) & 1); i++) place++;
  if (place >= work->field_count) return 1;
  work->next_field = (hd_u32)place + 1;
  if (place >= HD_FIELDS_MAX) return 1;
  if (!(work->seen >> (place & 63) & 1)) return 0;
  hd_u32 number = work->first_field + (hd_u32)place;
  struct hd_field* field = bpf_map_lookup_elem(&hd_fields, &number);
  if (!field) return 1;
  return hd_match_value(work, field, (hd_u32)place, work->begin[place], work->end[place]);
}

/* One more line of a list: what holds of one of its lines holds. */
static long hd_match_line(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  hd_u64 line = index;
  HD_OPAQUE(line);
  if (line >= HD_LINES_MAX) return 1;
  hd_u32 number = work->first_field + work->lines[line].field;
  struct hd_field* field = bpf_map_lookup_elem(&hd_fields, &number);
  if (!field) return 1;
  return hd_match_value(work, field, work->lines[line].field, work->lines[line].begin, work->lines[line].end);
}

/* An address has all its bytes or none. */
static __always_inline void hd_match_bytes(struct hd_work* work, hd_u32 number, hd_u32 slot, const hd_u8* bytes, int count) {
  struct hd_field* field = bpf_map_lookup_elem(&hd_fields, &number);
  if (!field) return;
  work->seen |= 1ull << slot;
  hd_u32 state = field->start;
  for (int i = 0; i < count; i++) state = hd_step_next(state, bytes[i]) & HD_STEP_STATE;
  hd_take_row(work, field, slot, state);
}

/* Which tests hold of the connection: its client's address, where that is known, and the port dialled. Behind
 * hd_match_fields; where there is no head, this is all. */
__attribute__((noinline)) int hd_match_connection(struct hd_work* work) {
  if (!work) return 0;
  if (!work->field_count) {
    __builtin_memset(work->facts.atoms, 0, sizeof(work->facts.atoms));
    work->seen = 0;
  }
  hd_u64* halves = (hd_u64*)work->request.source;
  hd_u16 port = work->request.destination_port;
  hd_u8 bytes[2] = {(hd_u8)(port >> 8), (hd_u8)port};
  if (work->address_field != HD_NONE && (halves[0] | halves[1]))
    hd_match_bytes(work, work->address_field, HD_SLOT_ADDRESS, work->request.source, 16);
  if (work->port_field != HD_NONE) hd_match_bytes(work, work->port_field, HD_SLOT_PORT, bytes, 2);
  return 0;
}

__attribute__((noinline)) int hd_match_fields(struct hd_work* work) {
  if (!work) return 0;
  hd_u32 count = work->field_count;
  if (count > HD_FIELDS_MAX) return 0;
  if (work->atom_words > 8) {
    __builtin_memset(work->facts.atoms, 0, sizeof(work->facts.atoms));
  } else {
    __builtin_memset(work->facts.atoms, 0, 8 * sizeof(work->facts.atoms[0]));
  }
  work->next_field = 0;
  bpf_loop(count, hd_match_field, &work, 0);
  if (work->line_count) bpf_loop(work->line_count, hd_match_line, &work, 0);
  return 0;
}

#endif
