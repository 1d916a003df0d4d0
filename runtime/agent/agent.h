#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/agent/addresses.h"
#include "runtime/agent/connections.h"
#include "runtime/agent/control.h"
#include "runtime/agent/home.h"
#include "runtime/agent/identities.h"
#include "runtime/agent/loop.h"
#include "runtime/agent/namespaces.h"
#include "runtime/agent/options.h"
#include "runtime/agent/policy.h"
#include "runtime/agent/workers.h"
#include "runtime/loader/node.h"
#include "runtime/loader/self_test.h"

namespace heddle::agent {

/// The supervisor: one node, the policy that decides there, the handler's processes, and whoever asks about
/// them.
class Agent {
 public:
  /// Everything up to the point where the policy of the bundle decides. On failure nothing new is left
  /// attached, and what an earlier agent left goes on deciding.
  static Result<std::unique_ptr<Agent>> start(const Options& options);
  ~Agent();

  /// Until a signal or a request ends it. The policy stays in force unless it was to be detached.
  Result<void> run();

 private:
  using Json = nlohmann::json;
  struct Reload {
    bool ok = true;
    std::string digest;
    std::string error;
    std::string help;
    std::int64_t time = 0;  // seconds since 1970
  };

  Agent(Options options, Loop loop, loader::Node node)
      : options_(std::move(options)), loop_(std::move(loop)), node_(std::move(node)) {}
  Result<void> prepare();
  Result<void> begin(const bundle::Opened& opened);
  Result<void> begin_tunnels();
  void look_at_addresses();
  Result<void> publish_config();
  void test_fast_path();
  void warn_nowhere(const bundle::Manifest& manifest);
  [[nodiscard]] Result<std::unique_ptr<Policy>> load(const bundle::Opened& opened);
  Result<void> watch_signals();
  void on_signal();
  Result<void> watch_events();
  void read_events();
  void on_event(const hd_event& event);

  Json handle(const Json& request, std::span<const std::byte> payload);
  Json handle_reload(std::span<const std::byte> file);
  Result<void> reload(const Result<bundle::Opened>& opened);
  Result<void> replace(const bundle::Opened& opened);
  void retire_replaced();
  Result<void> detach();
  void quiet_fast_path();
  Json status() const;
  Json status_of_rules() const;
  [[nodiscard]] Json latency_of(std::uint32_t counter) const;
  Json status_of_workloads() const;
  Json status_of_namespaces() const;
  Json status_of_fast_path() const;
  std::string why_not_fast(std::uint32_t workload) const;
  Json status_of_connections() const;

  Options options_;
  Loop loop_;
  loader::Node node_;
  std::optional<Home> home_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Workers> workers_;
  loader::Addresses own_addresses_;         // as the endpoints were told
  std::unique_ptr<Identities> identities_;  // null: this node has none
  std::unique_ptr<Namespaces> namespaces_;  // policies wake it
  std::unique_ptr<Policy> policy_;
  std::unique_ptr<Policy> replaced_;  // decides no more; somebody may still be looking at it
  std::uint64_t replacements_ = 0;
  std::optional<loader::EventReader> event_reader_;
  std::uint64_t events_ = 0;  // that were read
  std::vector<OpenConnection> before_attach_;
  Reload last_reload_;
  UniqueFd signals_;
  loader::SelfTest fast_path_;
  std::int64_t started_ = 0;
  bool adopted_ = false;
  bool said_nowhere_ = false;
  bool detach_at_end_ = false;
  bool detached_ = false;
};

}  // namespace heddle::agent
