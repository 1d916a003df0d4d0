#include "runtime/handler/bpf_fast_kernel.h"

#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/handler/io/array_map.h"
#include "runtime/handler/io/bpf.h"

namespace heddle::handler {

namespace {

static_assert(sizeof(hd_flow) % 8 == 0 && sizeof(hd_link) % 8 == 0);

}  // namespace

Result<std::unique_ptr<BpfFastKernel>> BpfFastKernel::make(Fds fds, std::uint32_t worker) {
  std::unique_ptr<BpfFastKernel> kernel(new BpfFastKernel(std::move(fds), worker));
  using Access = io::Mapping::Access;
  Result<io::Mapping> flows =
      io::map_array(kernel->fds_.flows.get(), "hd_flows", sizeof(hd_flow), Access::write);
  if (!flows) return flows.error();
  Result<io::Mapping> links =
      io::map_array(kernel->fds_.links.get(), "hd_links", sizeof(hd_link), Access::write);
  if (!links) return links.error();
  Result<io::RingBuffer> ring = io::RingBuffer::make(kernel->fds_.bell.get());
  if (!ring) return ring.error();
  kernel->flows_ = std::move(flows).value();
  kernel->links_ = std::move(links).value();
  kernel->ring_ = std::move(ring).value();
  return kernel;
}

std::span<hd_flow> BpfFastKernel::flows() {
  return {reinterpret_cast<hd_flow*>(flows_.data()), flows_.bytes() / sizeof(hd_flow)};
}

std::span<hd_link> BpfFastKernel::links() {
  return {reinterpret_cast<hd_link*>(links_.data()), links_.bytes() / sizeof(hd_link)};
}

bool BpfFastKernel::has_idle_link(std::uint32_t endpoint_state) {
  const hd_idle_key key{endpoint_state, worker_};
  std::uint64_t head = 0;
  return io::bpf::lookup(fds_.idle_links.get(), &key, &head) && static_cast<std::uint32_t>(head) != 0;
}

bool BpfFastKernel::enrol(int socket, std::uint32_t endpoint_state) {
  const hd_link_end end{0, 0, endpoint_state, worker_, 0, 0};
  if (io::bpf::update(fds_.link_ends.get(), &socket, &end)) return true;
  log_.line("error", "cannot open a link for the fast path: " + std::string(std::strerror(errno)));
  return false;
}

std::uint64_t BpfFastKernel::find_link(int socket) {
  hd_link_end end{};
  return io::bpf::lookup(fds_.link_ends.get(), &socket, &end) ? end.link : 0;
}

bool BpfFastKernel::run(const UniqueFd& program, const char* name, std::span<std::byte> context) {
  std::uint32_t returned = 0;
  const int status = io::bpf::run(program.get(), context, returned);
  if (status == 0) return true;
  log_.line("error", std::string("`") + name + "` does not run: " + std::strerror(-status));
  return false;
}

bool BpfFastKernel::settle(hd_settle_round& round) {
  return run(fds_.settle, "hd_settle", std::as_writable_bytes(std::span(&round, 1)));
}

bool BpfFastKernel::give_link(std::uint64_t link) {
  return run(fds_.give_link, "hd_give_link", std::as_writable_bytes(std::span(&link, 1)));
}

void BpfFastKernel::sweep_links(std::uint32_t endpoint_state) {
  hd_idle_key key{endpoint_state, worker_};
  (void)run(fds_.sweep_links, "hd_sweep_links", std::as_writable_bytes(std::span(&key, 1)));
}

void BpfFastKernel::listen(std::vector<hd_bell>& rung) {
  ring_.drain([&rung](std::span<const std::byte> record) {
    if (record.size() != sizeof(hd_bell)) return;
    hd_bell bell;
    std::memcpy(&bell, record.data(), sizeof bell);
    rung.push_back(bell);
  });
}

}  // namespace heddle::handler
