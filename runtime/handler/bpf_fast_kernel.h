#pragma once

#include <memory>

#include "runtime/base/fd.h"
#include "runtime/base/result.h"
#include "runtime/handler/fast_kernel.h"
#include "runtime/handler/io/mapping.h"
#include "runtime/handler/io/ring_buffer.h"
#include "runtime/handler/log.h"

namespace heddle::handler {

/// The programs in the kernel, through the descriptors that the worker was given.
class BpfFastKernel final : public FastKernel {
 public:
  struct Fds {
    UniqueFd flows;
    UniqueFd links;
    UniqueFd idle_links;
    UniqueFd link_ends;
    UniqueFd settle;
    UniqueFd give_link;
    UniqueFd sweep_links;
    UniqueFd bell;
  };

  static Result<std::unique_ptr<BpfFastKernel>> make(Fds fds, std::uint32_t worker);

  std::uint32_t worker() const override { return worker_; }
  std::span<hd_flow> flows() override;
  std::span<hd_link> links() override;
  bool has_idle_link(std::uint32_t endpoint_state) override;
  bool enrol(int socket, std::uint32_t endpoint_state) override;
  std::uint64_t find_link(int socket) override;
  bool settle(hd_settle_round& round) override;
  bool give_link(std::uint64_t link) override;
  void sweep_links(std::uint32_t endpoint_state) override;
  int bell() const override { return fds_.bell.get(); }
  void listen(std::vector<hd_bell>& rung) override;

 private:
  BpfFastKernel(Fds fds, std::uint32_t worker) : fds_(std::move(fds)), worker_(worker) {}
  [[nodiscard]] bool run(const UniqueFd& program, const char* name, std::span<std::byte> context);

  Fds fds_;
  std::uint32_t worker_;
  io::Mapping flows_;
  io::Mapping links_;
  io::RingBuffer ring_;
  LimitedLog log_;
};

}  // namespace heddle::handler
