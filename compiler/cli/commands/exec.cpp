#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "compiler/cli/agent_client.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/diagnostics/suggest.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace heddle::cli {
namespace {

using Json = nlohmann::json;

constexpr int exit_not_found = 127;  // as shells do
constexpr int exit_not_executable = 126;

struct Options {
  std::string workload;
  std::vector<std::string> command;
  std::string control = default_control;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("WORKLOAD", options.workload, "as whom the command runs")->required();
  app.add_option("COMMAND", options.command, "the command with its arguments, after `--`")->required();
  app.add_option("--control", options.control, "socket of the agent")
      ->type_name("SOCKET")
      ->capture_default_str();
}

Result<std::string> find_cgroup(const Json& status, const std::string& name) {
  std::vector<std::string> names;
  for (const Json& workload : status["workloads"]) {
    names.push_back(workload["name"]);
    if (workload["name"] != name) continue;
    if (!workload["cgroups"].empty()) return workload["cgroups"][0].get<std::string>();
    const std::string pattern = workload["pattern"];
    return Error{
        ErrorKind::not_found, "workload `" + name + "` has no cgroup now",
        "make one that matches: `mkdir -p " + status["cgroup_root"].get<std::string>() + "/" + pattern + "`"};
  }
  const auto meant = diagnostics::did_you_mean(name, names);
  return Error{ErrorKind::usage, "the policy has no workload `" + name + "`",
               meant ? *meant : "`heddle status` lists the workloads"};
}

/// The whole process moves, so that the command is in its cgroup from its first instruction.
Result<void> join(const std::string& cgroup) {
  const UniqueFd procs(::open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (procs && ::write(procs.get(), "0", 1) == 1) return {};
  Error error = system_error("cannot move into cgroup `" + cgroup + "`", errno);
  if (error.kind == ErrorKind::permission) error.help = "use `sudo`";
  return error;
}

int run(const Options& options) {
  const Result<Json> status = ask_status(options.control);
  if (!status) return report_error(status.error());
  const Result<std::string> cgroup = find_cgroup(*status, options.workload);
  if (!cgroup) return report_error(cgroup.error());
  if (Result<void> joined = join(*cgroup); !joined) return report_error(joined.error());
  std::vector<char*> arguments;
  for (const std::string& argument : options.command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int number = errno;
  report_error({ErrorKind::usage, "cannot run `" + options.command[0] + "`: " + std::strerror(number), ""});
  return number == ENOENT ? exit_not_found : exit_not_executable;
}

}  // namespace

void add_exec(CommandSet& commands) {
  commands.add<Options>(
      {"exec", "Run a command as a workload", "sudo heddle exec web -- curl http://10.96.0.12:9080/"},
      declare, run);
}

}  // namespace heddle::cli
