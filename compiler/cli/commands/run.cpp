#include "compiler/cli/agent_client.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/run_session.h"

namespace heddle::cli {
namespace {

void declare(CLI::App& app, RunOptions& options) {
  options.control = default_control;
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
  app.add_option("--cgroup-root", options.cgroup_root,
                 "govern what lies below this folder (default: all of cgroup v2)")
      ->type_name("DIR");
  declare_place(app, options.zone, options.node);
  app.add_option("--identities", options.identities, "certificates of this node's workloads, a folder for each (`heddle ca` makes them)")
      ->type_name("DIR");
  app.add_option("--control", options.control, "socket of the agent")
      ->type_name("SOCKET")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "of the agent: debug, info, warn or err")
      ->check(CLI::IsMember({"debug", "info", "warn", "err"}))
      ->capture_default_str();
}

int run(const RunOptions& options) {
  return RunSession(options).run();
}

}  // namespace

void add_run(CommandSet& commands) {
  commands.add<RunOptions>(
      {"run", "For development: put a policy in force, take over every change, remove it at the end",
       "sudo heddle run policy/"},
      declare, run);
}

}  // namespace heddle::cli
