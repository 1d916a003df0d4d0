#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "compiler/cli/agent_client.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "runtime/base/fd.h"
#include "runtime/loader/node.h"

namespace heddle::cli {
namespace {

constexpr int end_within_ms = 10'000;

struct Options {
  std::string control = default_control;
  std::string cgroup_root;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("--control", options.control, "socket of the agent")
      ->type_name("SOCKET")
      ->capture_default_str();
  app.add_option("--cgroup-root", options.cgroup_root,
                 "if no agent runs: the root whose policy is removed (default: all of cgroup v2)")
      ->type_name("DIR");
}

/// The policy is gone already; the process still ends its clients' requests.
void wait_for_end(pid_t pid) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  pollfd polled{process.get(), POLLIN, 0};
  ::poll(&polled, 1, end_within_ms);
}

/// Nobody runs who could be asked: what an agent left when it ended is removed from here.
int remove_leftovers(const Options& options, const Error& nobody) {
  const Result<bool> removed = loader::Node::remove(options.cgroup_root);
  if (!removed) return report_error(removed.error());
  if (!*removed) return report_error(nobody);
  std::cout << "detached what an agent that has ended left in force\n";
  return exit_ok;
}

int run(const Options& options) {
  const Result<nlohmann::json> answer = ask_agent(options.control, {{"op", "detach"}});
  if (!answer && answer.error().kind == ErrorKind::not_found)
    return remove_leftovers(options, answer.error());
  if (!answer) return report_error(answer.error());
  wait_for_end(answer->value("pid", 0));
  std::cout << "detached\n";
  return exit_ok;
}

}  // namespace

void add_detach(CommandSet& commands) {
  commands.add<Options>(
      {"detach", "Remove the policy from this machine and end the agent", "sudo heddle detach"}, declare,
      run);
}

}  // namespace heddle::cli
