/* A generation of its own for trying the fast path on the running kernel: every message is one request for endpoint 0. All
 * else is what serves real clients. */
#include "bpf_templates/lib/depart.h"

SEC("sk_msg")
int hd_self_test(struct sk_msg_md* msg) {
  struct bpf_sock* sk = msg->sk;
  if (!sk) return SK_DROP;
  struct hd_connection* connection = bpf_sk_storage_get(&hd_connections, sk, 0, 0);
  struct hd_flow* flow = connection ? hd_flow_of(connection->flow) : 0;
  if (!connection || !flow) return SK_DROP;
  hd_u64 id = connection->flow, word = HD_READ(flow->state), length = hd_message_size(msg);
  hd_u32 what = HD_FAST_NOT_ARMED;
  flow->decision.endpoint_state = 0;
  flow->flags = 0;
  HD_OPAQUE(length);
  if (hd_armed(word, id) && length && length <= HD_FAST_REQUEST_MAX) {
    what = HD_FAST_FAILED;
    if (hd_message_visible(msg) >= length || !bpf_msg_pull_data(msg, 0, (hd_u32)length, 0))
      what = hd_depart(msg, flow, id, word, (hd_u32)length, 0);
  }
  hd_note(what);
  return what == HD_FAST_REQUESTS ? SK_PASS : hd_pass(msg, &hd_clients, &id);
}

char hd_license[] SEC("license") = "GPL";
