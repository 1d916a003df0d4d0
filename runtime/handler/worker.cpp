#include "runtime/handler/worker.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <csignal>
#include <memory>
#include <string>

#include "runtime/handler/bpf_decider.h"
#include "runtime/handler/bpf_fast_kernel.h"
#include "runtime/handler/control.h"
#include "runtime/handler/engine.h"
#include "runtime/handler/io/array_map.h"
#include "runtime/handler/log.h"
#include "runtime/handler/privilege.h"

namespace heddle::handler {

namespace {

constexpr int exit_fine = 0;
constexpr int exit_unusable = 2;

/// How long running requests have after the end was announced.
constexpr std::uint64_t drain_ms = 30'000;

/// Only says that there is something to read; what it means is worked off between two rounds.
class Bell final : public io::EventSink {
 public:
  void on_events(std::uint32_t) override { rang = true; }
  bool rang = false;
};

void close_inherited(int kept) {
  const auto fd = static_cast<unsigned>(kept);
  if (fd > 3) ::close_range(3, fd - 1, 0);
  ::close_range(std::max(fd + 1, 3U), ~0U, 0);
}

/// A client may take three descriptors: its own, an endpoint's and a link's. Some are needed for everything
/// else.
std::uint32_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t usable = std::min<rlim_t>(limit.rlim_cur, 1U << 20);
  return static_cast<std::uint32_t>(usable > 256 ? (usable - 128) / 3 : 64);
}

UniqueFd take_over_signals() {
  struct sigaction ignored{};
  ignored.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignored, nullptr);
  ::sigaction(SIGINT, &ignored, nullptr);
  sigset_t terminating;
  ::sigemptyset(&terminating);
  ::sigaddset(&terminating, SIGTERM);
  ::sigprocmask(SIG_SETMASK, &terminating, nullptr);
  return UniqueFd(::signalfd(-1, &terminating, SFD_NONBLOCK | SFD_CLOEXEC));
}

class Worker {
 public:
  explicit Worker(Control control) : control_(std::move(control)) {}

  int run();

 private:
  [[nodiscard]] Result<void> set_up();
  [[nodiscard]] Result<void> set_up_decider(Received& start);
  [[nodiscard]] Result<void> set_up_fast_kernel(Received& start);
  [[nodiscard]] Result<void> set_up_engine(Received& start);
  [[nodiscard]] Result<void> watch_control();
  void work_off_control();
  void obey(Received& received);
  void take_generation(Received& received);
  void take_listeners(Received& received);
  void take_identities(Received& received);
  void take_tunnel_listeners(Received& received);
  void drain(const char* why);
  [[nodiscard]] std::size_t endpoint_count() const { return endpoints_.bytes() / sizeof(hd_endpoint_state); }
  [[nodiscard]] Message own(MessageKind kind, std::uint64_t generation = 0) const;

  Control control_;
  UniqueFd signals_;
  Bell control_bell_;
  Bell signal_bell_;
  std::uint32_t number_ = 0;
  std::uint64_t drain_until_ms_ = 0;
  // The engine's connections use these until their end.
  std::unique_ptr<BpfDecider> decider_;
  std::unique_ptr<BpfFastKernel> fast_kernel_;
  io::Mapping endpoints_;
  io::Mapping ledger_;
  std::unique_ptr<Engine> engine_;
};

Message Worker::own(MessageKind kind, std::uint64_t generation) const {
  Message message;
  message.kind = kind;
  message.worker = number_;
  message.generation = generation;
  return message;
}

Result<void> Worker::set_up() {
  Received start;
  if (control_.receive(start) != ControlState::message || start.message.kind != MessageKind::start ||
      (start.fds.size() != start_fds && start.fds.size() != start_slow_fds)) {
    return Error{ErrorKind::invalid, "the supervisor did not say how to start", ""};
  }
  number_ = start.message.worker;
  if (Result<void> done = set_up_engine(start); !done) return done;
  if (Result<void> done = drop_privileges(start.message.user, start.message.group); !done) return done;
  if (Result<void> done = restrict_system_calls(); !done) return done;
  if (!control_.send(own(MessageKind::ready))) return Error{ErrorKind::io, "the supervisor is gone", ""};
  return {};
}

Result<void> Worker::set_up_decider(Received& start) {
  BpfDecider::Fds fds{std::move(start.fds[start_word]), std::move(start.fds[start_slots]),
                      std::move(start.fds[start_arena]), std::move(start.fds[start_connections])};
  Result<std::unique_ptr<BpfDecider>> decider = BpfDecider::make(std::move(fds), number_);
  if (!decider) return decider.error();
  decider_ = std::move(decider).value();
  return {};
}

Result<void> Worker::set_up_fast_kernel(Received& start) {
  Result<io::Mapping> endpoints = io::map_array(start.fds[start_endpoint_state].get(), "hd_endpoint_state",
                                                sizeof(hd_endpoint_state), io::Mapping::Access::write);
  if (!endpoints) return endpoints.error();
  endpoints_ = std::move(endpoints).value();
  const std::size_t ledger_bytes = endpoint_count() * sizeof(upstream::LedgerEntry);
  ledger_ = io::Mapping::of(start.fds[start_ledger].get(), ledger_bytes, io::Mapping::Access::write,
                            number_ * ledger_bytes);
  if (!ledger_) return Error{ErrorKind::io, "cannot map the ledger", ""};
  if (start.fds.size() != start_fds) return {};
  BpfFastKernel::Fds fds{std::move(start.fds[start_flows]),      std::move(start.fds[start_links]),
                         std::move(start.fds[start_idle_links]), std::move(start.fds[start_link_ends]),
                         std::move(start.fds[start_settle]),     std::move(start.fds[start_give_link]),
                         std::move(start.fds[start_sweep_links]), std::move(start.fds[start_bell])};
  Result<std::unique_ptr<BpfFastKernel>> kernel = BpfFastKernel::make(std::move(fds), number_);
  if (!kernel) return kernel.error();
  fast_kernel_ = std::move(kernel).value();
  return {};
}

Result<void> Worker::set_up_engine(Received& start) {
  if (Result<void> done = set_up_decider(start); !done) return done;
  if (Result<void> done = set_up_fast_kernel(start); !done) return done;
  const Shared shared{{reinterpret_cast<hd_endpoint_state*>(endpoints_.data()), endpoint_count()},
                      fast_kernel_.get(),
                      {reinterpret_cast<upstream::LedgerEntry*>(ledger_.data()), endpoint_count()}};
  Result<std::unique_ptr<Engine>> engine = Engine::make(*decider_, raise_descriptor_limit(), {}, shared);
  if (!engine) return engine.error();
  engine_ = std::move(engine).value();
  for (const StartFd listener : {start_listener4, start_listener6, start_early4, start_early6}) {
    if (Result<void> done = engine_->listen(std::move(start.fds[listener])); !done) return done;
  }
  return watch_control();
}

Result<void> Worker::watch_control() {
  signals_ = take_over_signals();
  control_.set_non_blocking();
  const auto readable = static_cast<std::uint32_t>(EPOLLIN);
  if (signals_ && engine_->loop.add(signals_.get(), readable, signal_bell_) &&
      engine_->loop.add(control_.fd(), readable, control_bell_)) {
    return {};
  }
  return Error{ErrorKind::io, "cannot watch the supervisor", ""};
}

int Worker::run() {
  if (const Result<void> ready = set_up(); !ready) {
    log_line("error", ready.error().what);
    return exit_unusable;
  }
  while (!engine_->drained()) {
    engine_->run_round(engine_->draining() ? 100 : -1);
    if (control_bell_.rang) work_off_control();
    if (signal_bell_.rang && !engine_->draining()) drain("SIGTERM");
    if (engine_->draining() && engine_->now_ms() >= drain_until_ms_) break;
  }
  return exit_fine;
}

void Worker::work_off_control() {
  control_bell_.rang = false;
  Received received;
  while (true) {
    const ControlState state = control_.receive(received);
    if (state == ControlState::nothing) return;
    if (state == ControlState::closed) {
      engine_->loop.remove(control_.fd());
      return drain("the supervisor is gone");
    }
    obey(received);
  }
}

void Worker::obey(Received& received) {
  const std::uint64_t generation = received.message.generation;
  switch (received.message.kind) {
    case MessageKind::generation:
      return take_generation(received);
    case MessageKind::drop:
      decider_->drop_generation(generation);
      (void)control_.send(own(MessageKind::generation_dropped, generation));
      return;
    case MessageKind::drain:
      return drain("the supervisor says so");
    case MessageKind::listen:
      return take_listeners(received);
    case MessageKind::unlisten:
      return engine_->unlisten(received.message.netns_cookie);
    case MessageKind::identities:
      return take_identities(received);
    case MessageKind::tunnels:
      return take_tunnel_listeners(received);
    case MessageKind::start:
    case MessageKind::ready:
    case MessageKind::generation_ready:
    case MessageKind::generation_dropped:
      return log_line("error", "a message that is not for a worker");
  }
}

void Worker::take_generation(Received& received) {
  const std::uint64_t generation = received.message.generation;
  if (received.fds.size() != generation_fds) return log_line("error", "a generation without its descriptors");
  BpfDecider::GenerationFds fds{
      std::move(received.fds[generation_decide]), std::move(received.fds[generation_rules]),
      std::move(received.fds[generation_services]), std::move(received.fds[generation_answers]),
      std::move(received.fds[generation_blob]),     std::move(received.fds[generation_mesh]),
      std::move(received.fds[generation_patterns]), std::move(received.fds[generation_workloads]),
      std::move(received.fds[generation_endpoints]), std::move(received.fds[generation_addresses])};
  const Result<void> added = decider_->add_generation(generation, std::move(fds));
  // Without an answer the supervisor does not flip, and the old generation goes on deciding.
  if (!added) return log_line("error", added.error().what);
  (void)control_.send(own(MessageKind::generation_ready, generation));
}

void Worker::take_listeners(Received& received) {
  if (engine_->draining()) return;
  if (received.fds.size() != listen_fds) return log_line("error", "a namespace without its listeners");
  for (UniqueFd& listener : received.fds) {
    const Result<void> done = engine_->listen(std::move(listener), received.message.netns_cookie);
    if (!done) log_line("error", done.error().what);
  }
}

/// Those before stay in use where these cannot be read.
void Worker::take_identities(Received& received) {
  if (received.fds.size() != 1) return log_line("error", "identities without their memory");
  const io::Mapping memory = io::Mapping::of(received.fds[0].get(), received.message.bytes, io::Mapping::Access::read);
  if (!memory) return log_line("error", "identities that cannot be mapped");
  Result<tls::Handover> handover = tls::unpack(std::as_bytes(std::span(memory.data(), memory.bytes())), std::time(nullptr));
  if (!handover) return log_line("error", handover.error().what);
  engine_->tunnelling.set_identities(std::move(handover).value());
}

void Worker::take_tunnel_listeners(Received& received) {
  if (engine_->draining()) return;
  if (received.fds.size() != tunnel_fds) return log_line("error", "tunnels without their listeners");
  for (UniqueFd& listener : received.fds) {
    const Result<void> done = engine_->listen_for_tunnels(std::move(listener));
    if (!done) log_line("error", done.error().what);
  }
}

void Worker::drain(const char* why) {
  if (engine_->draining()) return;
  log_line("info", std::string("ends when its requests have: ") + why);
  drain_until_ms_ = engine_->now_ms() + drain_ms;
  engine_->drain();
}

}  // namespace

int run_worker(int control_fd) {
  close_inherited(control_fd);
  return Worker(Control(control_fd)).run();
}

}  // namespace heddle::handler
