#pragma once

#include <cstdint>

/// What supervisor and worker say to each other, over a SOCK_SEQPACKET pair: one struct Message, with file
/// descriptors as SCM_RIGHTS. The worker gets everything that way and opens nothing by itself.
namespace heddle::handler {

enum class MessageKind : std::uint32_t {
  // supervisor -> worker
  start = 1,  // fds in the order of StartFd, start_slow_fds or start_fds of them; `worker` is its number,
              // `user`/`group` what it becomes
  generation = 2,  // fds in the order of GenerationFd; answered by `generation_ready`; before the flip
  drop = 3,        // the generation will not be asked for any more; answered by `generation_dropped`
  drain = 4,       // accept nothing, finish what runs, then end
  listen = 5,      // fds in the order of ListenFd: serve this network namespace too
  unlisten = 6,    // accept no more from it
  identities = 7,  // one fd: memory with `bytes` of tls::pack(), in place of those before
  tunnels = 8,     // fds in the order of TunnelFd: other nodes come here
  // worker -> supervisor
  ready = 101,
  generation_ready = 102,
  generation_dropped = 103,
};

struct Message {
  MessageKind kind{};
  std::uint32_t worker = 0;
  std::uint64_t generation = 0;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::uint64_t netns_cookie = 0;  // listen, unlisten
  std::uint64_t bytes = 0;         // identities
};

enum StartFd {
  start_listener4,
  start_listener6,
  start_early4,  // the same, for clients who may wait for the server's first word
  start_early6,
  start_word,
  start_slots,
  start_arena,
  start_connections,
  start_endpoint_state,
  start_ledger,    // upstream::LedgerEntry of every endpoint, for each worker
  start_slow_fds,  // without the fast path there are no more

  start_flows = start_slow_fds,
  start_links,
  start_idle_links,
  start_link_ends,
  start_settle,
  start_give_link,
  start_sweep_links,
  start_bell,  // of this worker
  start_fds
};

enum ListenFd { listen_four, listen_six, listen_early_four, listen_early_six, listen_fds };

enum TunnelFd { tunnel_four, tunnel_six, tunnel_fds };

enum GenerationFd {
  generation_decide,
  generation_rules,
  generation_services,
  generation_answers,
  generation_blob,
  generation_mesh,
  generation_patterns,
  generation_workloads,
  generation_endpoints,
  generation_addresses,
  generation_fds
};

}  // namespace heddle::handler
