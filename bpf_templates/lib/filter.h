/* Filters: conditions that somebody wrote in BPF C. All of those that a service's policy asks are asked once, before its rules, so
 * that every rule sees the same answers whatever happens to their maps meanwhile. */
#ifndef HEDDLE_LIB_FILTER_H
#define HEDDLE_LIB_FILTER_H

#include "bpf_templates/lib/scan.h"

/* The first bytes of a text of the head. What is read may go on in the next page: values of an array lie one behind the other. */
static __always_inline hd_u32 hd_tell_text(struct hd_work* work, hd_u32 field, char* to, hd_u64 most) {
  if (!(work->seen >> field & 1)) return 0;
  hd_u32 begin = work->begin[field], length = work->end[field] - begin;
  struct hd_page* page = hd_page_at(work->request.page + begin / HD_PAGE_SIZE);
  hd_u64 offset = begin & (HD_PAGE_SIZE - 1), size = length;
  if (!page || work->end[field] < begin) return 0;
  HD_OPAQUE(size);
  if (size > most) size = most;
  HD_OPAQUE(offset);
  if (offset >= HD_PAGE_SIZE || size > most) return 0;
  bpf_probe_read_kernel(to, (hd_u32)size, page->bytes + offset);
  return length;
}

static __always_inline void hd_tell_request(struct hd_work* work) {
  struct heddle_request* to = &work->facts.request;
  hd_u64* halves = (hd_u64*)work->request.source;
  __builtin_memset(to, 0, sizeof(*to));
  hd_copy_address(to->source, work->request.source);
  hd_copy_address(to->destination, work->request.destination);
  to->cgroup = work->request.cgroup;
  to->source_port = work->request.source_port;
  to->destination_port = work->request.destination_port;
  to->has_source = (halves[0] | halves[1]) != 0;
  to->has_caller = work->facts.has_peer != 0;
  if (!work->field_count) return;
  to->protocol = HEDDLE_HTTP;
  to->method_length = hd_tell_text(work, HD_FIELD_METHOD, to->method, sizeof(to->method));
  to->host_length = hd_tell_text(work, HD_FIELD_HOST, to->host, sizeof(to->host));
  to->path_length = hd_tell_text(work, HD_FIELD_PATH, to->path, sizeof(to->path));
}

/* The compiler's own function knows the filter by its number, in the place of a service's. */
static long hd_ask_filter(hd_u32 index, struct hd_work** in) {
  struct hd_work* work = *in;
  hd_u32 service = work->facts.service, bit = 1u << (index & (HD_FILTERS_MAX - 1));
  if (!(work->filters & bit)) return 0;
  work->facts.service = index;
  hd_u32 answer = hd_filter(&work->facts);
  work->facts.service = service;
  if (answer) work->facts.filters |= bit;
  return 0;
}

__attribute__((noinline)) int hd_ask_filters(struct hd_work* work) {
  if (!work) return 0;
  hd_tell_request(work);
  work->facts.filters = 0;
  bpf_loop(work->filters_end, hd_ask_filter, &work, 0);
  return 0;
}

#endif
