#include "runtime/agent/namespaces.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/agent/processes.h"
#include "runtime/base/file.h"
#include "runtime/loader/mounts.h"

namespace heddle::agent {
namespace {

using std::chrono::milliseconds;

/// So long are listeners kept where no process of a workload is left.
constexpr milliseconds keep_empty{5000};
/// A look may take a tenth of the time.
constexpr int rest = 9;
/// A process may enter its cgroup first and its namespace later.
constexpr milliseconds look_again[] = {milliseconds(30), milliseconds(200), milliseconds(1000)};
constexpr milliseconds ring_batch{10};
constexpr milliseconds retry_after{50};

UniqueFd open_process(pid_t process) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

}  // namespace

Result<std::unique_ptr<Namespaces>> Namespaces::make(Loop& loop, const loader::State& state) {
  std::unique_ptr<Namespaces> made(new Namespaces(loop, state));
  Namespaces* self = made.get();
  made->own_ = find_network("/proc/thread-self/ns/net");
  made->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made->wake_ || made->own_ == 0) return system_error("cannot watch network namespaces", errno);
  if (Result<void> watched = loop.watch(self->wake_.get(), [self] { self->on_wake(); }); !watched)
    return watched.error();
  Result<loader::UnservedReader> ring = loader::UnservedReader::make(
      state, [self](const hd_unserved& unserved) { self->on_unserved(unserved); });
  if (!ring) return ring.error();
  made->ring_.emplace(std::move(*ring));
  if (Result<void> watched = loop.watch(self->ring_->fd(), [self] { self->on_ring(); }); !watched)
    return watched.error();
  return made;
}

Namespaces::~Namespaces() {
  for (auto& [inode, place] : places_) unwatch(place);
  if (wake_) loop_.forget(wake_.get());
  if (ring_) loop_.forget(ring_->fd());
}

void Namespaces::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_.get(), &one, sizeof(one)));
}

/// What an earlier agent left leads nowhere.
Result<void> Namespaces::begin(Workers& workers) {
  workers_ = &workers;
  loader::remove_listeners(state_);
  return loader::put_listener(state_, workers.listeners().netns_cookie, workers.listeners().ports);
}

void Namespaces::look_at(const loader::CgroupTree& tree) {
  tree_ = &tree;
  for (auto& [inode, place] : places_) {
    unwatch(place);  // it may be no workload's process any more
    place.empty_since = Clock::now();
  }
  look();
  loop_.after(keep_empty, [this] { look_soon(milliseconds(0)); });
}

void Namespaces::end() {
  workers_ = nullptr;
  loader::remove_listeners(state_);
}

void Namespaces::on_wake() {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof(count)));
  look_soon(milliseconds(0));
  for (const milliseconds delay : look_again) {
    loop_.after(delay, [this] { look_soon(milliseconds(0)); });
  }
}

void Namespaces::look_soon(milliseconds delay) {
  const Clock::time_point at = std::max(Clock::now() + delay, rested_at_);
  if (look_is_due_ && look_at_ <= at) return;
  look_is_due_ = true;
  look_at_ = at;
  loop_.after(std::chrono::ceil<milliseconds>(at - Clock::now()), [this, at] {
    if (!look_is_due_ || look_at_ != at) return;  // another one came first
    look();
  });
}

std::map<std::uint64_t, pid_t> Namespaces::find_all() const {
  std::map<std::uint64_t, pid_t> found;
  for (const loader::CgroupTree::Workload& workload : tree_->workloads()) {
    for (const pid_t process : processes_below(tree_->root() + "/" + workload.path)) {
      const std::uint64_t inode = find_network(Network::path_of(static_cast<std::uint32_t>(process)));
      if (inode != 0 && inode != own_) found.emplace(inode, process);
    }
  }
  return found;
}

void Namespaces::look() {
  look_is_due_ = false;
  if (workers_ == nullptr || tree_ == nullptr) return;
  const Clock::time_point begin = Clock::now();
  const std::map<std::uint64_t, pid_t> found = find_all();
  for (const auto& [inode, process] : found) {
    const auto known = places_.find(inode);
    if (known != places_.end() && known->second.listens()) {
      if (known->second.process == 0) watch(known->second, process);
      continue;
    }
    const std::optional<Network> network =
        Network::open(Network::path_of(static_cast<std::uint32_t>(process)));
    if (network) serve(*network, process);
  }
  for (auto place = places_.begin(); place != places_.end();) {
    const auto here = place++;
    const bool empty = here->second.process == 0 && !found.contains(here->first);
    if (empty && begin - here->second.empty_since >= keep_empty) remove(here);
  }
  const Clock::time_point now = Clock::now();
  rested_at_ = now + rest * (now - begin);
}

void Namespaces::on_ring() {
  if (!workers_) return;
  ring_->read();
  loop_.forget(ring_->fd());
  loop_.after(ring_batch, [this] {
    ring_->read();
    static_cast<void>(loop_.watch(ring_->fd(), [this] { on_ring(); }));
  });
}

/// The process may have ended, and its number may be another's by now.
void Namespaces::on_unserved(const hd_unserved& unserved) {
  if (workers_ == nullptr || tree_ == nullptr) return;
  const auto known = find(unserved.netns_cookie);
  if (known != places_.end() && (known->second.listens() || Clock::now() < known->second.retry_at)) return;
  const std::optional<Network> network =
      Network::open(Network::path_of(unserved.process, unserved.thread));
  if (network && network->inode != own_ && is_workload(unserved.process))
    serve(*network, static_cast<pid_t>(unserved.process));
  if (find(unserved.netns_cookie) == places_.end()) search(unserved.netns_cookie);
}

/// Another process of a workload may be in it, or it has a name.
void Namespaces::search(std::uint64_t cookie) {
  const Clock::time_point now = Clock::now();
  if (now < search_at_) return;
  search_at_ = now + retry_after;
  look();
  if (find(cookie) != places_.end()) return;
  for (const std::string& path : named_networks()) {
    const std::optional<Network> network = Network::open(path);
    if (!network || network->inode == own_ || places_.contains(network->inode)) continue;
    if (find_cookie_of(*network) == cookie) return serve(*network, 0);
  }
}

bool Namespaces::is_workload(std::uint32_t process) const {
  return tree_->workload_of(loader::cgroup_of(process)).has_value();
}

void Namespaces::serve(const Network& network, pid_t process) {
  Place& place = places_[network.inode];
  if (!place.listens()) open_listeners(network, place);
  place.empty_since = Clock::now();
  if (place.process == 0) watch(place, process);
}

void Namespaces::open_listeners(const Network& network, Place& place) {
  place.retry_at = Clock::now() + retry_after;
  // The same ports everywhere, where that can be.
  Visit visit = make_listeners_in(network, workers_->count(), workers_->listeners().ports);
  place.cookie = visit.cookie;
  if (!visit.listeners) return fail(network.inode, place, visit.listeners.error());
  const hd_listener ports = visit.listeners->ports;
  if (Result<void> put = loader::put_listener(state_, place.cookie, ports); !put)
    return fail(network.inode, place, put.error());
  workers_->listen(std::move(*visit.listeners));
  place.ports = ports;
  place.problem.clear();
  spdlog::info("listening in network namespace inode={} cookie={} ipv4={} ipv6={}", network.inode, place.cookie,
               ports.port4, ports.port6);
}

void Namespaces::fail(std::uint64_t inode, Place& place, const Error& error) const {
  if (place.problem == error.what) return;
  place.problem = error.what;
  spdlog::warn("not listening in network namespace inode={} cookie={}: {}{}{}", inode, place.cookie, error.what,
               error.help.empty() ? "" : "; ", error.help);
}

/// Whether it ends is told by the kernel; then another has to be found.
void Namespaces::watch(Place& place, pid_t process) {
  if (process == 0) {
    loop_.after(keep_empty, [this] { look_soon(milliseconds(0)); });
    return;
  }
  UniqueFd fd = open_process(process);
  if (!fd) return look_soon(milliseconds(0));
  const auto ended = [this, &place] {
    unwatch(place);
    place.empty_since = Clock::now();
    look_soon(milliseconds(0));
    loop_.after(keep_empty, [this] { look_soon(milliseconds(0)); });
  };
  if (!loop_.watch(fd.get(), ended)) return;
  place.process = process;
  place.process_fd = std::move(fd);
}

void Namespaces::unwatch(Place& place) {
  if (!place.process_fd) return;
  loop_.forget(place.process_fd.get());
  place.process_fd.reset();
  place.process = 0;
}

void Namespaces::remove(Places::iterator place) {
  spdlog::info("left network namespace inode={} cookie={}", place->first, place->second.cookie);
  loader::remove_listener(state_, place->second.cookie);
  workers_->unlisten(place->second.cookie);
  unwatch(place->second);
  places_.erase(place);
}

Namespaces::Places::iterator Namespaces::find(std::uint64_t cookie) {
  return std::find_if(places_.begin(), places_.end(),
                      [cookie](const auto& place) { return place.second.cookie == cookie; });
}

std::vector<Namespaces::Status> Namespaces::status() const {
  std::vector<Status> list;
  for (const auto& [inode, place] : places_)
    list.push_back({place.cookie, inode, place.process, place.ports, place.problem});
  return list;
}

}  // namespace heddle::agent
