#pragma once

#include <functional>
#include <map>
#include <vector>

#include "runtime/base/fd.h"
#include "runtime/handler/fast_kernel.h"

namespace heddle::handler {

/// The programs of the fast path as memory of this process. The test does what they would do.
class FakeFastKernel final : public FastKernel {
 public:
  static constexpr std::uint32_t own_worker = 3;

  FakeFastKernel();

  std::uint32_t worker() const override { return own_worker; }
  std::span<hd_flow> flows() override { return flows_; }
  std::span<hd_link> links() override { return links_; }
  bool has_idle_link(std::uint32_t endpoint_state) override;
  bool enrol(int socket, std::uint32_t endpoint_state) override;
  std::uint64_t find_link(int socket) override;
  bool settle(hd_settle_round& round) override;
  bool give_link(std::uint64_t link) override;
  void sweep_links(std::uint32_t endpoint_state) override { swept.push_back(endpoint_state); }
  int bell() const override { return bell_.get(); }
  void listen(std::vector<hd_bell>& rung) override;

  /// A client's flow: TAKEN, as it is when it is given.
  std::uint64_t new_flow();
  [[nodiscard]] hd_flow& flow(std::uint64_t id) { return flows_[HD_ID_INDEX(id)]; }
  [[nodiscard]] hd_link& link(std::uint64_t id) { return links_[HD_ID_INDEX(id)]; }
  [[nodiscard]] hd_flow_state state(std::uint64_t id);
  [[nodiscard]] bool waited_for(std::uint64_t id);
  [[nodiscard]] hd_link_state link_state(std::uint64_t id);
  void set_state(std::uint64_t id, hd_flow_state state);
  void set_link_state(std::uint64_t id, hd_link_state state);
  /// A request leaves on the link: the program at the client.
  void send(std::uint64_t id, std::uint64_t link, const hd_decision& decision);
  void ring(std::uint64_t id, hd_bell_kind kind);

  bool gives_links = true;     // the programs see the handler's sockets
  bool enrols_servers = true;  // and those of servers
  bool landed = true;
  bool unread = false;  // by servers
  std::function<void()> while_settling;
  std::uint32_t settled = 0;  // flows that were asked for
  std::vector<std::uint64_t> given;
  std::vector<std::uint32_t> swept;  // endpoints
  std::vector<std::uint64_t> opened;  // links, in order

 private:
  std::vector<hd_flow> flows_;
  std::vector<hd_link> links_;
  std::map<int, std::uint32_t> enrolled_;  // sockets, and to which endpoint
  std::map<int, std::uint64_t> ends_;
  std::vector<hd_bell> rung_;
  UniqueFd bell_;
  std::uint32_t next_flow_ = 1;
  std::uint32_t next_link_ = 1;
};

}  // namespace heddle::handler
