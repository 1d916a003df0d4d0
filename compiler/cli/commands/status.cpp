#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>

#include "compiler/cli/agent_client.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"

namespace heddle::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  std::string control = default_control;
  std::string format = "pretty";
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--control", options.control, "socket of the agent")
      ->type_name("SOCKET")
      ->capture_default_str();
  app.add_option("--format", options.format, "pretty or json")
      ->check(CLI::IsMember({"pretty", "json"}))
      ->capture_default_str();
}

std::string text(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

void print_agent(const Json& status) {
  const Json& bundle = status["bundle"];
  std::cout << fmt::format("heddled {} governs {}{}\n", text(status, "pid"), text(status, "cgroup_root"),
                           status["adopted"] == true ? ", taken over from an earlier agent" : "")
            << fmt::format("generation {} of mesh {}, bundle {:.16}, built by {}\n",
                           text(status, "generation"), text(bundle, "mesh"), text(bundle, "digest"),
                           text(bundle, "compiler"));
  const Json& reload = status["last_reload"];
  if (reload["ok"] == false) {
    std::cout << fmt::format("the last reload failed, and the policy before it goes on deciding: {}\n",
                             text(reload, "error"));
    if (!text(reload, "help").empty()) std::cout << "  help: " << text(reload, "help") << "\n";
  }
}

void print_workers(const Json& status) {
  std::cout << "\nworkers of the handler\n";
  for (const Json& worker : status["workers"]) {
    const std::string restarts = text(worker, "restarts");
    std::cout << fmt::format("  {} {}{}\n", text(worker, "pid"),
                             worker["ready"] == true ? "ready" : "starting",
                             restarts == "0" ? "" : ", restarted " + restarts + " times");
  }
}

/// Whether its requests go fast, how many did, and what it holds.
std::string fast_path_of(const Json& workload) {
  const Json& fast = workload["fast_path"];
  if (fast["on"] == false) return "fast path off: " + text(fast, "reason");
  const auto kernel = workload["requests"]["kernel"].get<std::uint64_t>();
  const std::uint64_t all = kernel + workload["requests"]["handler"].get<std::uint64_t>();
  if (all == 0) return "fast path on, no request yet";
  // Rounded down: 100 % is all of them.
  const double share = std::floor(1000.0 * static_cast<double>(kernel) / static_cast<double>(all)) / 10;
  return fmt::format("fast path on, {:.1f} % of {} requests decided in the kernel, {} clients, {} bytes queued", share, all,
                     text(workload, "clients"), text(workload, "queued_bytes"));
}

void print_workloads(const Json& status) {
  std::cout << "\nworkloads\n";
  for (const Json& workload : status["workloads"]) {
    std::string where;
    for (const Json& cgroup : workload["cgroups"])
      where += (where.empty() ? "" : ", ") + cgroup.get<std::string>();
    if (where.empty()) where = "no cgroup yet matches " + text(workload, "pattern");
    std::cout << fmt::format("  {:<20} {}\n", text(workload, "name"), where);
    if (!workload["cgroups"].empty()) std::cout << fmt::format("  {:<20} {}\n", "", fast_path_of(workload));
  }
}

void print_fast_path(const Json& status) {
  const Json& fast = status["fast_path"];
  if (fast["on"] == false) {
    std::cout << "\nfast path off, all requests go through the handler: " << text(fast, "reason") << "\n";
    return;
  }
  static constexpr std::array<std::pair<const char*, const char*>, 12> reasons = {{
      {"not_armed", "first of a client, or behind another"},
      {"unread", "the client has not read, or sent, everything"},
      {"not_landed", "the last response was on its way"},
      {"not_whole", "not in one write"},
      {"not_canonical", "the handler has to look at its form"},
      {"answered", "answered by the mesh"},
      {"no_link", "no idle connection to the endpoint"},
      {"no_memory", "the bound on queued bytes"},
      {"switched_off", "switched off by the policy"},
      {"failed", "the kernel could not"},
      {"stalled", "the endpoint left a request unread"},
      {"not_enrolled", "connections for which a map was full"},
  }};
  std::cout << fmt::format("\nfast path on, landing known by {}\n  {:>10} requests decided in the kernel\n",
                           text(fast, "landing"), text(fast, "requests"));
  for (const auto& [name, meaning] : reasons) {
    if (text(fast, name) != "0") std::cout << fmt::format("  {:>10} {}: {}\n", text(fast, name), name, meaning);
  }
  std::cout << fmt::format("  {} clients, {} connections to servers ({} idle), {} bytes queued\n", text(fast, "flows"),
                           text(fast, "links"), text(fast, "idle_links"), text(fast, "queued_bytes"));
  std::cout << fmt::format("  {} connections closed because they were idle or in the way, {} endpoints left alone by the watchdog\n",
                           text(fast, "evictions"), text(fast, "slow_endpoints"));
}

void print_namespaces(const Json& status) {
  if (status["namespaces"].empty()) return;
  std::cout << "\nnetwork namespaces of workloads\n";
  for (const Json& space : status["namespaces"]) {
    const std::string problem = text(space, "problem");
    const std::string pid = text(space, "pid");
    std::cout << fmt::format("  net:[{}] {}: {}\n", text(space, "inode"),
                             pid == "0" ? "no process any more" : "pid " + pid,
                             !problem.empty() ? "not served: " + problem
                                              : fmt::format("handler at 127.0.0.1:{}{}", text(space, "ipv4"),
                                                            text(space, "ipv6") == "0"
                                                                ? ", no IPv6"
                                                                : " and [::1]:" + text(space, "ipv6")));
  }
}

void print_identities(const Json& status) {
  const Json& own = status["identities"];
  if (own.is_null()) return;
  std::cout << "\nidentities of this node, from " << text(own, "folder") << "\n";
  if (own.contains("error")) std::cout << "  " << text(own, "error") << "\n";
  for (const Json& each : own["identities"]) {
    if (each.contains("spiffe"))
      std::cout << fmt::format("  {:<20} {}, {} s left{}\n", text(each, "name"), text(each, "spiffe"), text(each, "seconds_left"),
                               each["due"] == true ? ": to be renewed" : "");
    if (each.contains("error")) std::cout << fmt::format("  {:<20} {}\n", text(each, "name"), text(each, "error"));
    if (!text(each, "help").empty()) std::cout << "    help: " << text(each, "help") << "\n";
  }
}

void print_rules(const Json& status) {
  std::size_t width = 20;
  for (const Json& rule : status["rules"]) width = std::max(width, text(rule, "id").size());
  std::cout << "\ndecisions\n";
  for (const Json& rule : status["rules"]) {
    std::cout << fmt::format("  {:<{}} {:>10}\n", text(rule, "id"), width, text(rule, "decisions"));
  }
  const std::string lost = text(status["events"], "lost");
  if (lost != "0") std::cout << fmt::format("\n{} events were lost because nobody read them in time\n", lost);
}

void print_connections(const Json& status) {
  if (status["connections_before_attach"].empty()) return;
  std::cout << "\nconnections that are older than the policy, and not governed by it\n";
  for (const Json& connection : status["connections_before_attach"]) {
    std::cout << fmt::format("  {:<20} pid {:<8} {} with {}\n", text(connection, "workload"),
                             text(connection, "pid"), text(connection, "local"), text(connection, "remote"));
  }
}

int run(const Options& options) {
  const Result<Json> status = ask_status(options.control);
  if (!status) return report_error(status.error());
  if (options.format == "json") {
    std::cout << status->dump(2) << "\n";
    return exit_ok;
  }
  print_agent(*status);
  print_workers(*status);
  print_workloads(*status);
  print_namespaces(*status);
  print_identities(*status);
  print_fast_path(*status);
  print_rules(*status);
  print_connections(*status);
  return exit_ok;
}

}  // namespace

void add_status(CommandSet& commands) {
  commands.add<Options>(
      {"status", "Show the policy that is in force, and what its rules decided", "heddle status"}, declare,
      run);
}

}  // namespace heddle::cli
