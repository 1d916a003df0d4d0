/* The ceiling: every message of a connection between two sockets of one cgroup is put into the other socket's
 * receive queue. Nothing is looked at and nothing is guarded; what a policy costs is what is missing to this.
 * IPv4 only. */
#include <linux/bpf.h>
/* clang-format off */
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
/* clang-format on */

struct end {
  __u32 local_address;
  __u32 remote_address;
  __u32 local_port;
  __u32 remote_port;
};

struct {
  __uint(type, BPF_MAP_TYPE_SOCKHASH);
  __uint(max_entries, 65536);
  __type(key, struct end);
  __type(value, __u32);
} ends SEC(".maps");

#define IPV4 2

SEC("sockops")
int enrol(struct bpf_sock_ops* socket) {
  if (socket->family != IPV4) return 1;
  if (socket->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && socket->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
    return 1;
  struct end own = {socket->local_ip4, socket->remote_ip4, socket->local_port,
                    bpf_ntohl(socket->remote_port)};
  bpf_sock_hash_update(socket, &ends, &own, BPF_ANY);
  return 1;
}

SEC("sk_msg")
int redirect(struct sk_msg_md* message) {
  struct end other = {message->remote_ip4, message->local_ip4, bpf_ntohl(message->remote_port),
                      message->local_port};
  /* The other end may not be enrolled yet when the first message is sent: that one goes over TCP. */
  bpf_msg_redirect_hash(message, &ends, &other, BPF_F_INGRESS);
  return SK_PASS;
}

char _license[] SEC("license") = "GPL";
