#include "runtime/agent/agent.h"

#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/loader/fast_figures.h"

namespace heddle::agent {
namespace {

using std::chrono::milliseconds;

/// How long a hook may need from reading the word to its jump: far less.
constexpr milliseconds grace{100};
constexpr milliseconds drain_within{3000};
constexpr milliseconds quiet_within{1000};
constexpr milliseconds event_batch{10};

/// As Istio's ambient mesh has it (HBONE).
constexpr std::uint16_t tunnel_port = 15008;

constexpr milliseconds look_at_addresses_every{1000};

std::size_t worker_count(const Options& options, std::size_t capacity) {
  const std::size_t wanted =
      options.workers != 0 ? options.workers : std::max(2U, std::thread::hardware_concurrency());
  return std::min<std::size_t>(wanted, capacity);
}

Result<void> make_control_folder(const std::string& path) {
  if (path != default_control) return {};
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::mkdir(folder.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return system_error("cannot make `" + folder + "`", errno);
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(const Options& options) {
  Result<bundle::Opened> opened = bundle::open_file(options.bundle);
  if (!opened) return opened.error();
  Result<Loop> loop = Loop::make();
  if (!loop) return loop.error();
  Result<loader::Node> node = loader::Node::open(options.cgroup_root);
  if (!node) return node.error();
  node->set_place({options.zone, options.node});
  std::unique_ptr<Agent> agent(new Agent(options, std::move(*loop), std::move(*node)));
  const bool governed = agent->node_.attached();
  Result<void> begun = agent->prepare();
  if (begun) begun = agent->begin(*opened);
  if (begun) return agent;
  if (agent->namespaces_) agent->namespaces_->end();
  agent->workers_.reset();
  if (!governed) static_cast<void>(agent->node_.detach());
  return begun.error();
}

Agent::~Agent() {
  if (workers_) workers_->end(milliseconds(0));
}

/// What can fail without having touched the kernel's state comes first.
Result<void> Agent::prepare() {
  adopted_ = node_.attached();
  started_ = std::time(nullptr);
  if (Result<void> made = make_control_folder(options_.control); !made) return made;
  Result<std::unique_ptr<Control>> control =
      Control::listen(loop_, options_.control,
                      [this](const Json& request, auto payload) { return handle(request, payload); });
  if (!control) return control.error();
  control_ = std::move(*control);
  if (Result<void> watched = watch_signals(); !watched) return watched;
  Result<Home> home = Home::settle(node_.cgroup_root());
  if (!home) return home.error();
  home_.emplace(std::move(*home));
  Result<std::unique_ptr<Namespaces>> namespaces = Namespaces::make(loop_, node_.state());
  if (!namespaces) return namespaces.error();
  namespaces_ = std::move(*namespaces);
  if (!adopted_) test_fast_path();
  return {};
}

/// In a cgroup of its own, which the policy of an earlier agent would refuse for ever: nobody tells it what that is.
void Agent::test_fast_path() {
  fast_path_ = loader::test_fast_path(node_.cgroup_root());
  if (fast_path_.landing == HD_FAST_OFF) {
    spdlog::warn("the fast path is off, all requests go through the handler: {}", fast_path_.reason);
  } else if (!fast_path_.reason.empty()) {
    spdlog::info("the fast path goes without tracing: {}", fast_path_.reason);
  }
}

/// Once, however many policies follow.
void Agent::warn_nowhere(const bundle::Manifest& manifest) {
  for (const bundle::Manifest::Service& service : manifest.services) {
    if (said_nowhere_ || service.prefer.empty() || !loader::own_place(service, {options_.zone, options_.node}).empty()) continue;
    said_nowhere_ = true;
    spdlog::warn("service `{}` prefers endpoints of its own {}, and nobody said what that is: it prefers none, until heddled has `--{} NAME`",
                 service.name, service.prefer, service.prefer);
  }
}

Result<std::unique_ptr<Policy>> Agent::load(const bundle::Opened& opened) {
  warn_nowhere(opened.manifest);
  return Policy::load(node_, opened, [namespaces = namespaces_.get()] { namespaces->wake(); });
}

/// Certificates, and the port where other nodes come.
Result<void> Agent::begin_tunnels() {
  if (options_.identities.empty()) return {};
  Result<TunnelListeners> listeners = TunnelListeners::make(workers_->count(), tunnel_port);
  if (!listeners) return listeners.error();
  workers_->listen_for_tunnels(std::move(*listeners));
  identities_ = std::make_unique<Identities>(loop_, options_.identities);
  identities_->begin(*workers_);
  return {};
}

/// Addresses come and go. Which endpoints are here is known before a policy decides, and again when that changes.
void Agent::look_at_addresses() {
  loader::Addresses own = own_addresses();
  if (policy_ && own != own_addresses_) {
    own_addresses_ = std::move(own);
    if (Result<void> marked = loader::mark_local(node_.state(), policy_->generation(), own_addresses_); !marked)
      spdlog::error("which endpoints are on this node is not known: {}", marked.error().what);
  }
  loop_.after(look_at_addresses_every, [this] { look_at_addresses(); });
}

Result<void> Agent::begin(const bundle::Opened& opened) {
  Result<std::unique_ptr<Policy>> policy = load(opened);
  if (!policy) return policy.error();
  Result<std::unique_ptr<Workers>> workers = Workers::start(loop_, node_.state(), worker_count(options_, node_.state().worker_capacity()));
  if (!workers) return workers.error();
  workers_ = std::move(*workers);
  if (Result<void> tunnels = begin_tunnels(); !tunnels) return tunnels;
  own_addresses_ = own_addresses();
  if (Result<void> marked = loader::mark_local(node_.state(), (*policy)->generation(), own_addresses_); !marked) return marked;
  if (Result<void> offered = workers_->offer((*policy)->generation()); !offered) return offered;
  if (Result<void> watched = watch_events(); !watched) return watched;

  // The old listeners are gone: until the word is flipped, clients of http services are refused.
  if (Result<void> active = node_.activate((*policy)->generation()); !active) return active;
  policy_ = std::move(*policy);
  if (Result<void> published = publish_config(); !published) return published;
  if (Result<void> begun = namespaces_->begin(*workers_); !begun) return begun;
  namespaces_->look_at(policy_->tree());
  loop_.after(look_at_addresses_every, [this] { look_at_addresses(); });
  if (!node_.attached()) before_attach_ = list_connections(policy_->tree(), policy_->manifest());
  if (Result<void> attached = node_.attach(); !attached) return attached;
  if (adopted_) test_fast_path();
  if (fast_path_.landing == HD_FAST_BY_TRACE && !node_.traced())
    fast_path_ = {HD_FAST_OFF, 0, "the program that watches the kernel's redirects cannot be attached"};
  if (Result<void> published = publish_config(); !published) return published;
  last_reload_ = {true, opened.digest, "", "", started_};
  spdlog::info("governing cgroup_root={} mesh={} generation={} bundle={} adopted={} workers={}",
               node_.cgroup_root(), opened.manifest.mesh, policy_->generation().number(),
               opened.digest.substr(0, 16), adopted_, workers_->status().size());
  if (!before_attach_.empty()) {
    spdlog::warn("{} connections are older than the policy; `heddle status` lists them",
                 before_attach_.size());
  }
  return {};
}

Result<void> Agent::publish_config() {
  hd_config config{};
  config.fast_path = node_.attached() ? fast_path_.landing : HD_FAST_OFF;
  config.own_references = fast_path_.own_references;
  config.events = spdlog::should_log(spdlog::level::debug) ? 1 : 0;  // nobody else wants them
  return node_.set_config(config);
}

Result<void> Agent::watch_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return system_error("cannot receive signals", errno);
  return loop_.watch(signals_.get(), [this] { on_signal(); });
}

void Agent::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGHUP) {
      static_cast<void>(reload(bundle::open_file(options_.bundle)));
      continue;
    }
    loop_.stop();
  }
}

Result<void> Agent::watch_events() {
  Result<loader::EventReader> reader =
      loader::EventReader::make(node_.state(), [this](const hd_event& event) { on_event(event); });
  if (!reader) return reader.error();
  event_reader_.emplace(std::move(*reader));
  return loop_.watch(event_reader_->fd(), [this] { read_events(); });
}

/// Under load there is always an event: then they are taken in batches, not one for each waking.
void Agent::read_events() {
  event_reader_->read();
  loop_.forget(event_reader_->fd());
  loop_.after(event_batch, [this] {
    event_reader_->read();
    static_cast<void>(loop_.watch(event_reader_->fd(), [this] { read_events(); }));
  });
}

void Agent::on_event(const hd_event& event) {
  ++events_;
  const bool known = policy_ && event.decision.generation == policy_->generation().number() &&
                     event.decision.rule < policy_->manifest().rules.size();
  spdlog::debug(
      "decided rule=\"{}\" generation={} verdict={} status={} tier={} bytes_in={} bytes_out={} latency_ns={}",
      known ? policy_->manifest().rules[event.decision.rule].id : "?", event.decision.generation,
      event.decision.verdict, event.status, event.tier, event.bytes_in, event.bytes_out, event.latency_ns);
}

Result<void> Agent::run() {
  if (options_.detach_at_end) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    detach_at_end_ = true;
    if (::getppid() == 1) loop_.stop();  // it ended before we asked
  }
  loop_.run();
  Result<void> detached = detach_at_end_ ? detach() : Result<void>();
  // Nothing listens from here on: what needs the handler is refused, not lost in a queue.
  if (!detached_) static_cast<void>(node_.set_config(hd_config{}));
  namespaces_->end();
  workers_->end(drain_within);
  if (!detached_) spdlog::info("ended; the policy stays in force until `heddle detach`");
  return detached;
}

/// From here on requests go to the handler; those that are on their way past it come to their end, or to that of our
/// patience.
void Agent::quiet_fast_path() {
  fast_path_ = {HD_FAST_OFF, 0, "the policy is being removed"};
  static_cast<void>(publish_config());
  const auto end = Clock::now() + quiet_within;
  while (loader::has_busy_flows(node_.state()) && Clock::now() < end) std::this_thread::sleep_for(milliseconds(5));
}

/// Programs and pins go; requests that are on their way in the handler are still answered.
Result<void> Agent::detach() {
  if (detached_) return {};
  quiet_fast_path();
  Result<void> done = node_.detach();
  detached_ = done.ok();
  if (done) spdlog::info("detached cgroup_root={}", node_.cgroup_root());
  if (!done) spdlog::error("not detached: {}", done.error().what);
  return done;
}

Result<void> Agent::reload(const Result<bundle::Opened>& opened) {
  Result<void> result = opened ? replace(*opened) : Result<void>(opened.error());
  const std::string digest = opened ? opened->digest : "";
  if (result) {
    last_reload_ = {true, digest, "", "", std::time(nullptr)};
    spdlog::info("reloaded generation={} bundle={}", policy_->generation().number(), digest.substr(0, 16));
  } else {
    last_reload_ = {false, digest, result.error().what, result.error().help, std::time(nullptr)};
    spdlog::error("reload failed, generation {} goes on deciding: {}", policy_->generation().number(),
                  result.error().what);
  }
  return result;
}

/// Nothing of the old policy is touched before the one word is flipped.
Result<void> Agent::replace(const bundle::Opened& opened) {
  Result<std::unique_ptr<Policy>> policy = load(opened);
  if (!policy) return policy.error();
  if (Result<void> offered = workers_->offer((*policy)->generation()); !offered) return offered;
  // The place in the program arrays that the new one takes is that of the one before the old.
  if (replaced_) {
    std::this_thread::sleep_for(grace);
    retire_replaced();
  }
  Result<void> active = loader::mark_local(node_.state(), (*policy)->generation(), own_addresses_);
  if (active) active = node_.activate((*policy)->generation());
  if (!active) {
    workers_->drop((*policy)->generation().number(), [] {});
    return active;
  }
  replaced_ = std::exchange(policy_, std::move(*policy));
  namespaces_->look_at(policy_->tree());
  loop_.after(grace, [this, number = ++replacements_] {
    if (number == replacements_) retire_replaced();
  });
  return {};
}

void Agent::retire_replaced() {
  if (!replaced_) return;
  node_.retire(replaced_->generation());
  std::shared_ptr<Policy> old(std::move(replaced_));
  workers_->drop(old->generation().number(), [old] {});
}

}  // namespace heddle::agent
