#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bpf_templates/include/heddle/abi.h"

namespace heddle::handler {

/// The worker's edge to the programs of the fast path: records in memory that both change, and the few calls
/// that memory alone is not enough for. Behind it is the kernel; or, in tests, memory of the same process.
class FastKernel {
 public:
  virtual ~FastKernel() = default;

  [[nodiscard]] virtual std::uint32_t worker() const = 0;
  [[nodiscard]] virtual std::span<hd_flow> flows() = 0;
  [[nodiscard]] virtual std::span<hd_link> links() = 0;

  /// Whether a link of this worker to the endpoint waits on its list.
  [[nodiscard]] virtual bool has_idle_link(std::uint32_t endpoint_state) = 0;
  /// Makes a socket that is not yet connected the handler's end of a link.
  [[nodiscard]] virtual bool enrol(int socket, std::uint32_t endpoint_state) = 0;
  /// The id of the link that a connected socket is an end of; 0: none.
  [[nodiscard]] virtual std::uint64_t find_link(int socket) = 0;

  /// Answers in `round`. False: it could not be asked.
  [[nodiscard]] virtual bool settle(hd_settle_round& round) = 0;
  /// Puts a held link that no flow names any more on its list.
  [[nodiscard]] virtual bool give_link(std::uint64_t link) = 0;

  /// Takes dead links off the list of those that wait: until then their records are in use.
  virtual void sweep_links(std::uint32_t endpoint_state) = 0;

  /// Readable when the bell rang; -1: it has no descriptor.
  [[nodiscard]] virtual int bell() const = 0;
  /// What it rang for since the last call.
  virtual void listen(std::vector<hd_bell>& rung) = 0;
};

}  // namespace heddle::handler
