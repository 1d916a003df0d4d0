#include "tests/unit/handler/fake_fast_kernel.h"

#include <sys/eventfd.h>

#include <utility>

namespace heddle::handler {

namespace {

constexpr std::uint32_t records = 256;

std::uint64_t word_of(std::uint64_t id, std::uint32_t state) {
  return std::uint64_t{HD_ID_GENERATION(id)} << 32 | state;
}

}  // namespace

FakeFastKernel::FakeFastKernel()
    : flows_(records), links_(records), bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

bool FakeFastKernel::has_idle_link(std::uint32_t endpoint_state) {
  for (const hd_link& link : links_) {
    if (link.endpoint_state == endpoint_state && (link.state & 0xf) == HD_LINK_IDLE) return true;
  }
  return false;
}

bool FakeFastKernel::enrol(int socket, std::uint32_t endpoint_state) {
  enrolled_[socket] = endpoint_state;
  ends_.erase(socket);
  return true;
}

std::uint64_t FakeFastKernel::find_link(int socket) {
  if (!gives_links || !enrolled_.contains(socket)) return 0;
  if (const auto known = ends_.find(socket); known != ends_.end()) return known->second;
  const std::uint32_t index = next_link_++;
  const std::uint64_t id = (std::uint64_t{index} + 100) << 32 | index;
  links_[index] = {};
  links_[index].endpoint_state = enrolled_[socket];
  set_link_state(id, enrols_servers ? HD_LINK_IDLE : HD_LINK_OPENING);
  ends_[socket] = id;
  opened.push_back(id);
  return id;
}

bool FakeFastKernel::settle(hd_settle_round& round) {
  for (std::uint32_t i = 0; i < round.count; ++i) {
    ++settled;
    if (landed) round.landed |= 1U << i;
    if (unread) round.waiting |= 1U << i;
    if (!landed) continue;
    round.read |= 1U << i;
    flow(round.flows[i]).queued = 0;
  }
  if (while_settling) while_settling();
  return true;
}

bool FakeFastKernel::give_link(std::uint64_t id) {
  given.push_back(id);
  link(id).flow = 0;
  set_link_state(id, HD_LINK_IDLE);
  return true;
}

void FakeFastKernel::listen(std::vector<hd_bell>& rung) {
  eventfd_t count = 0;
  ::eventfd_read(bell_.get(), &count);
  rung = std::exchange(rung_, {});
}

void FakeFastKernel::ring(std::uint64_t id, hd_bell_kind kind) {
  rung_.push_back({id, kind, 0});
  ::eventfd_write(bell_.get(), 1);
}

std::uint64_t FakeFastKernel::new_flow() {
  const std::uint32_t index = next_flow_++;
  const std::uint64_t id = (std::uint64_t{index} + 10) << 32 | index;
  hd_flow& record = flow(id);
  record = {};
  record.worker = HD_NONE;
  record.ends = HD_FLOW_CLIENT | HD_FLOW_HANDLER;
  set_state(id, HD_FLOW_TAKEN);
  return id;
}

hd_flow_state FakeFastKernel::state(std::uint64_t id) {
  return static_cast<hd_flow_state>(HD_FLOW_STATE(flow(id).state));
}

bool FakeFastKernel::waited_for(std::uint64_t id) {
  return (flow(id).state & HD_FLOW_WAIT) != 0;
}

hd_link_state FakeFastKernel::link_state(std::uint64_t id) {
  return static_cast<hd_link_state>(link(id).state & 0xf);
}

void FakeFastKernel::set_state(std::uint64_t id, hd_flow_state state) {
  flow(id).state = word_of(id, state);
}

void FakeFastKernel::set_link_state(std::uint64_t id, hd_link_state state) {
  link(id).state = word_of(id, state);
}

void FakeFastKernel::send(std::uint64_t id, std::uint64_t link_id, const hd_decision& decision) {
  hd_flow& record = flow(id);
  record.decision = decision;
  record.link = link_id;
  record.bytes_in = 50;
  record.bytes_out = 0;
  set_link_state(link_id, HD_LINK_HELD);
  link(link_id).flow = id;
  set_state(id, HD_FLOW_SENT);
}

}  // namespace heddle::handler
