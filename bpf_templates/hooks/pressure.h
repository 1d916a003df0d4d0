/* Whether the kernel's memory for TCP runs short. A redirect that finds none loses bytes, or moves a part of them; so nothing is
 * redirected from the first sign on, long before the bound itself. */
#ifndef HEDDLE_HOOKS_PRESSURE_H
#define HEDDLE_HOOKS_PRESSURE_H

#include "bpf_templates/lib/bpf.h"

/* Not there where the kernel hides its symbols. */
extern const void tcp_memory_pressure __ksym __weak;

static __always_inline int hd_is_short_of_memory(void) {
  unsigned long since = 0;
  if (!&tcp_memory_pressure) return 0;
  return !bpf_probe_read_kernel(&since, sizeof(since), &tcp_memory_pressure) && since;
}

#endif
