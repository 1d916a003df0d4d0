/* Part of abi.h, which includes it: who asks from another node, and how requests get there.
 *
 * A certificate names its holder by a SPIFFE ID. The worker that has verified it finds the identities in hd_patterns and hands
 * them in with the request: the decision takes them for those of a workload, and asks no cgroup. */
#ifndef HEDDLE_PEERS_H
#define HEDDLE_PEERS_H

/* Who a certificate says the peer is. */
struct hd_peer {
  hd_u64 identities[HD_IDENTITY_WORDS];
  hd_u64 digest; /* of its SPIFFE ID, as of a workload's */
};
HD_STATIC_ASSERT(sizeof(struct hd_peer) == 136, "hd_peer");

/* hd_mesh[0]. An ID of the alias is the one of the trust domain: in hd_patterns there is only that. */
struct hd_mesh {
  struct hd_text trust_domain;
  struct hd_text alias; /* empty: there is none */
};
HD_STATIC_ASSERT(sizeof(struct hd_mesh) == 16, "hd_mesh");

/* hd_patterns: no two are equal. */
struct hd_pattern {
  struct hd_text trust_domain;
  struct hd_text path; /* without leading slash; `*` is a run without `/` */
  hd_u64 identities[HD_IDENTITY_WORDS]; /* that whoever it matches holds */
};
HD_STATIC_ASSERT(sizeof(struct hd_pattern) == 144, "hd_pattern");

/* How requests reach the endpoints of a service. */
enum hd_transport {
  HD_TRANSPORT_PLAINTEXT = 0,
  HD_TRANSPORT_MTLS = 1,              /* through a tunnel to the endpoint's node */
  HD_TRANSPORT_TLS = 2,               /* by mutual TLS with the endpoint itself */
  HD_TRANSPORT_MTLS_OR_PLAINTEXT = 3, /* as MTLS; its endpoints take either */
};

#endif
