/* What `heddle` generates for a policy, written by hand: the loader's tests need no compiler. Identity 0 may use
 * the one service. */
#include "bpf_templates/lib/policy.bpf.c"

enum { TINY_ALLOW = 4, TINY_DENY = 5, TINY_ROUTE = 6 };

__attribute__((noinline)) hd_u32 hd_access(struct hd_facts* facts) {
  if (!facts) return TINY_DENY;
  return facts->has_peer && (facts->identities[0] & 1) ? TINY_ALLOW : TINY_DENY;
}

__attribute__((noinline)) hd_u32 hd_route(struct hd_facts* facts) {
  if (!facts) return TINY_DENY;
  return TINY_ROUTE;
}

/* It has neither filters, audits nor limits. */
__attribute__((noinline)) hd_u32 hd_filter(struct hd_facts* facts) {
  if (!facts) return 0;
  return facts->service == HD_NONE;
}

__attribute__((noinline)) hd_u32 hd_audited(struct hd_facts* facts) {
  if (!facts) return HD_NONE;
  return facts->service == HD_NONE ? TINY_DENY : HD_NONE;
}


__attribute__((noinline)) hd_u32 hd_limited(struct hd_facts* facts) {
  if (!facts) return HD_NONE;
  return facts->service == HD_NONE ? TINY_DENY : HD_NONE;
}
