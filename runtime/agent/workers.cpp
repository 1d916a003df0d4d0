#include "runtime/agent/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/base/file.h"
#include "runtime/handler/upstream/ledger.h"
#include "runtime/loader/map_io.h"

namespace heddle::agent {
namespace {

using handler::Message;
using handler::MessageKind;
using std::chrono::milliseconds;

// On a machine that is overloaded, a worker that is well may not get to run for many seconds; ending it would
// end its clients' connections.
constexpr milliseconds answer_within{30'000};
constexpr milliseconds quick_death{2000};

Result<UniqueFd> duplicate(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy) return system_error("cannot duplicate a descriptor", errno);
  return copy;
}

Message message_of(MessageKind kind, std::uint64_t generation) {
  Message message;
  message.kind = kind;
  message.generation = generation;
  return message;
}

}  // namespace

Result<std::unique_ptr<Workers>> Workers::start(Loop& loop, loader::State& state, std::size_t count) {
  std::unique_ptr<Workers> workers(new Workers(loop, state));
  Result<WorkerUser> user = find_worker_user();
  if (!user) return user.error();
  workers->user_ = *user;
  Result<Listeners> listeners = Listeners::make(count);
  if (!listeners) return listeners.error();
  workers->listeners_ = std::move(*listeners);
  if (Result<void> shared = workers->share(); !shared) return shared.error();
  if (Result<void> shared = workers->share_ledger(); !shared) return shared.error();
  if (Result<void> shared = workers->share_fast_path(); !shared) return shared.error();
  workers->workers_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (Result<void> spawned = workers->spawn(i); !spawned) return spawned.error();
  }
  return workers;
}

/// What a worker may only look at is frozen (then it can be mapped), or comes by a descriptor that cannot
/// write.
Result<void> Workers::share() {
  for (const auto& [map, looks_up] :
       {std::pair("hd_word", false), std::pair("hd_slots", false), std::pair("hd_arena", false),
        std::pair("hd_connections", true), std::pair("hd_endpoint_state", false)}) {
    const int fd = state_.fd(map);
    Result<UniqueFd> copy = looks_up ? loader::read_only(fd) : duplicate(fd);
    if (!copy) return copy.error();
    shared_.push_back(std::move(*copy));
  }
  return {};
}

Result<void> Workers::share_ledger() {
  Result<loader::MapLayout> layout = loader::map_layout(state_.fd("hd_endpoint_state"));
  if (!layout) return layout.error();
  endpoint_count_ = layout->max_entries;
  const std::size_t bytes = HD_WORKERS_MAX * endpoint_count_ * sizeof(upstream::LedgerEntry);
  UniqueFd memory(::memfd_create("heddle-ledger", MFD_CLOEXEC));
  if (!memory || ::ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0)
    return system_error("cannot make memory for the workers", errno);
  Result<loader::MapView> ledger = loader::MapView::make(memory.get(), bytes, true);
  if (!ledger) return ledger.error();
  Result<loader::MapView> endpoints = loader::MapView::make(
      state_.fd("hd_endpoint_state"), endpoint_count_ * sizeof(hd_endpoint_state), true);
  if (!endpoints) return endpoints.error();
  ledger_ = std::move(*ledger);
  endpoints_ = std::move(*endpoints);
  shared_.push_back(std::move(memory));
  return {};
}

/// A worker that has gone leaves nothing in the counts.
void Workers::settle_ledger(std::size_t number) {
  upstream::settle_ledger({ledger_.as<upstream::LedgerEntry>() + number * endpoint_count_, endpoint_count_},
                          {endpoints_.as<hd_endpoint_state>(), endpoint_count_});
}

Result<void> Workers::share_fast_path() {
  const int settle = state_.program("hd_settle");
  const int give_link = state_.program("hd_give_link");
  const int sweep_links = state_.program("hd_sweep_links");
  if (settle < 0 || give_link < 0 || sweep_links < 0) return {};
  Result<UniqueFd> idle_links = loader::read_only(state_.fd("hd_idle_links"));
  if (!idle_links) return idle_links.error();
  for (const int fd : {state_.fd("hd_flows"), state_.fd("hd_links"), idle_links->get(),
                       state_.fd("hd_link_ends"), settle, give_link, sweep_links}) {
    Result<UniqueFd> copy = duplicate(fd);
    if (!copy) return copy.error();
    fast_path_.push_back(std::move(*copy));
  }
  return {};
}

Workers::~Workers() {
  end(milliseconds(0));
}

Result<void> Workers::spawn(std::size_t number) {
  Worker& worker = workers_[number];
  Result<WorkerProcess> process = WorkerProcess::spawn(user_);
  if (!process) return process.error();
  worker.process = std::move(*process);
  worker.ready = false;
  worker.has.clear();
  worker.dropping.clear();
  worker.started = Clock::now();
  if (Result<void> watched = loop_.watch(worker.process->fd(), [this, number] { read(number); }); !watched)
    return watched;
  return introduce(number);
}

Result<void> Workers::introduce(std::size_t number) {
  Message message = message_of(MessageKind::start, 0);
  message.worker = static_cast<std::uint32_t>(number);
  message.user = user_.user;
  message.group = user_.group;
  std::vector<int> fds = listeners_.sets[number].fds();
  for (const UniqueFd& fd : shared_) fds.push_back(fd.get());
  const int bell = fast_path_.empty() ? -1 : state_.bell(message.worker);
  if (bell >= 0) {
    for (const UniqueFd& fd : fast_path_) fds.push_back(fd.get());
    fds.push_back(bell);
  }
  if (Result<void> sent = workers_[number].process->send(message, fds); !sent) return sent;
  for (const Given& given : given_) {
    if (Result<void> sent = give(number, given); !sent) return sent;
  }
  for (const auto& [cookie, listeners] : elsewhere_) {
    if (Result<void> sent = give_listeners(number, listeners); !sent) return sent;
  }
  if (identities_) {
    if (Result<void> sent = hand_identities(number); !sent) return sent;
  }
  return for_tunnels_.pairs.empty() ? Result<void>() : give_tunnel_listeners(number);
}

Result<void> Workers::give_listeners(std::size_t number, const Listeners& listeners) {
  Message message = message_of(MessageKind::listen, 0);
  message.netns_cookie = listeners.netns_cookie;
  return workers_[number].process->send(message, listeners.sets[number].fds());
}

/// Without IPv6 the second is the first once more: two descriptors of one queue do no harm.
Result<void> Workers::give_tunnel_listeners(std::size_t number) {
  const TunnelListeners::Pair& pair = for_tunnels_.pairs[number];
  return workers_[number].process->send(message_of(MessageKind::tunnels, 0), {pair.four.get(), pair.six ? pair.six.get() : pair.four.get()});
}

Result<void> Workers::hand_identities(std::size_t number) {
  Message message = message_of(MessageKind::identities, 0);
  message.bytes = identities_bytes_;
  return workers_[number].process->send(message, {identities_.get()});
}

/// In memory that has no name, and that nobody changes afterwards.
Result<void> Workers::give_identities(std::span<const std::byte> packed) {
  UniqueFd memory(::memfd_create("heddle-identities", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::write(memory.get(), packed.data(), packed.size()) != static_cast<ssize_t>(packed.size()) ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return system_error("cannot make memory for the workers", errno);
  identities_ = std::move(memory);
  identities_bytes_ = packed.size();
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process && !hand_identities(i)) lost(i);
  }
  return {};
}

void Workers::listen_for_tunnels(TunnelListeners listeners) {
  for_tunnels_ = std::move(listeners);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process && !give_tunnel_listeners(i)) lost(i);
  }
}

void Workers::listen(Listeners listeners) {
  const std::uint64_t cookie = listeners.netns_cookie;
  const Listeners& kept = elsewhere_.insert_or_assign(cookie, std::move(listeners)).first->second;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process && !give_listeners(i, kept)) lost(i);
  }
}

void Workers::unlisten(std::uint64_t netns_cookie) {
  if (elsewhere_.erase(netns_cookie) == 0) return;
  Message message = message_of(MessageKind::unlisten, 0);
  message.netns_cookie = netns_cookie;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process && !workers_[i].process->send(message, {})) lost(i);
  }
}

Result<void> Workers::give(std::size_t number, const Given& given) {
  std::vector<int> fds;
  for (const UniqueFd& fd : given.fds) fds.push_back(fd.get());
  return workers_[number].process->send(message_of(MessageKind::generation, given.number), fds);
}

void Workers::read(std::size_t number) {
  Worker& worker = workers_[number];
  while (worker.process) {
    Result<std::optional<Message>> message = worker.process->receive();
    if (!message) return lost(number);
    if (!*message) return;
    take(worker, **message);
  }
}

void Workers::take(Worker& worker, const Message& message) {
  switch (message.kind) {
    case MessageKind::ready:
      worker.ready = true;
      break;
    case MessageKind::generation_ready:
      worker.has.insert(message.generation);
      break;
    case MessageKind::generation_dropped:
      worker.has.erase(message.generation);
      worker.dropping.erase(message.generation);
      settle_drops();
      break;
    default:
      spdlog::warn("worker pid={} sent an unknown message", worker.process->pid());
  }
}

void Workers::lost(std::size_t number) {
  Worker& worker = workers_[number];
  loop_.forget(worker.process->fd());
  worker.process->kill();
  const pid_t pid = worker.process->pid();
  const std::string how = worker.process->reap();
  settle_ledger(number);
  worker.process.reset();
  worker.ready = false;
  worker.has.clear();
  worker.dropping.clear();
  settle_drops();
  if (ending_) return;
  ++worker.restarts;
  worker.quick_deaths = Clock::now() - worker.started < quick_death ? worker.quick_deaths + 1 : 0;
  spdlog::error("worker lost number={} pid={} {}", number, pid, how);
  if (worker.quick_deaths <= 1) return respawn(number);
  // It dies as it starts: not in a tight loop.
  const milliseconds delay{std::min<std::int64_t>(5000, 100LL << std::min(worker.quick_deaths, 10U))};
  loop_.after(delay, [this, number] {
    if (!ending_ && !workers_[number].process) respawn(number);
  });
}

void Workers::respawn(std::size_t number) {
  if (Result<void> spawned = spawn(number); !spawned) {
    spdlog::error("worker not restarted number={} error=\"{}\"", number, spawned.error().what);
    if (workers_[number].process) return lost(number);
    loop_.after(milliseconds(1000), [this, number] {
      if (!ending_ && !workers_[number].process) respawn(number);
    });
    return;
  }
  spdlog::info("worker started number={} pid={}", number, workers_[number].process->pid());
}

bool Workers::wait(const std::function<bool()>& done, milliseconds patience) {
  const auto end = Clock::now() + patience;
  while (!done()) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now()).count();
    if (left <= 0) {
      // We may not have run for long ourselves: what has come meanwhile counts.
      for (std::size_t i = 0; i < workers_.size(); ++i) read(i);
      return done();
    }
    std::vector<pollfd> polled;
    for (const Worker& worker : workers_) {
      if (worker.process) polled.push_back({worker.process->fd(), POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left, 100)));
    for (std::size_t i = 0; i < workers_.size(); ++i) read(i);
  }
  return true;
}

/// One that is to be started again later gets all there are then: nobody has to wait for it, if there are
/// others.
bool Workers::all_have(std::uint64_t generation) const {
  const auto has = [&](const Worker& worker) { return worker.ready && worker.has.contains(generation); };
  return std::any_of(workers_.begin(), workers_.end(), has) &&
         std::all_of(workers_.begin(), workers_.end(),
                     [&](const Worker& worker) { return !worker.process || has(worker); });
}

Result<void> Workers::offer(const loader::Generation& generation) {
  Given given;
  given.number = generation.number();
  Result<UniqueFd> decide = duplicate(generation.program("decide"));
  if (!decide) return decide.error();
  given.fds.push_back(std::move(*decide));
  for (const char* table : {"hd_rules", "hd_services", "hd_answers", "hd_blob", "hd_mesh", "hd_patterns", "hd_workloads", "hd_endpoints", "hd_addresses"}) {
    Result<UniqueFd> fd = duplicate(generation.table(table));  // frozen: there is nothing to write
    if (!fd) return fd.error();
    given.fds.push_back(std::move(*fd));
  }
  given_.push_back(std::move(given));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process && !give(i, given_.back())) lost(i);
  }
  const auto taken = [&] { return all_have(generation.number()); };
  if (wait(taken, answer_within)) return {};
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i].process || workers_[i].has.contains(generation.number())) continue;
    spdlog::error("worker does not answer number={} pid={}", i, workers_[i].process->pid());
    lost(i);
  }
  if (wait(taken, answer_within)) return {};
  drop(generation.number(), [] {});
  return Error{ErrorKind::io, "a worker of the handler does not take the policy",
               "its reason is in the log of `heddled`"};
}

void Workers::drop(std::uint64_t generation, std::function<void()> gone) {
  std::erase_if(given_, [&](const Given& given) { return given.number == generation; });
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (!worker.process) continue;
    if (worker.process->send(message_of(MessageKind::drop, generation), {}))
      worker.dropping.insert(generation);
  }
  drops_.push_back({generation, std::move(gone)});
  settle_drops();
}

void Workers::settle_drops() {
  std::vector<std::function<void()>> gone;
  std::erase_if(drops_, [&](Drop& drop) {
    const bool held = std::any_of(workers_.begin(), workers_.end(), [&](const Worker& worker) {
      return worker.dropping.contains(drop.generation);
    });
    if (!held) gone.push_back(std::move(drop.gone));
    return !held;
  });
  for (const auto& call : gone) call();
}

void Workers::end(milliseconds patience) {
  ending_ = true;
  for (Worker& worker : workers_) {
    if (worker.process) static_cast<void>(worker.process->send(message_of(MessageKind::drain, 0), {}));
  }
  wait(
      [this] {
        return std::none_of(workers_.begin(), workers_.end(),
                            [](const Worker& w) { return w.process.has_value(); });
      },
      patience);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i].process) lost(i);
  }
}

std::vector<Workers::Status> Workers::status() const {
  std::vector<Status> list;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const Worker& worker = workers_[i];
    list.push_back({static_cast<std::uint32_t>(i), worker.process ? worker.process->pid() : -1, worker.ready,
                    worker.restarts});
  }
  return list;
}

}  // namespace heddle::agent
