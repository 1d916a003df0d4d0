#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "bpf_templates/include/heddle/abi.h"
#include "runtime/agent/agent.h"
#include "runtime/agent/options.h"
#include "runtime/handler/worker.h"

namespace {

using heddle::Error;
using heddle::ErrorKind;
using heddle::Result;

constexpr int exit_ok = 0;
constexpr int exit_unusable = 2;
constexpr int exit_verifier = 5;

int report(const Error& error) {
  std::fprintf(stderr, "heddled: %s\n", error.what.c_str());
  if (!error.help.empty()) std::fprintf(stderr, "  help: %s\n", error.help.c_str());
  return error.kind == ErrorKind::verifier ? exit_verifier : exit_unusable;
}

void declare(CLI::App& app, heddle::agent::Options& options) {
  app.description("Put a policy in force on this machine, and keep it there");
  app.footer(
      "Example:\n  sudo heddled --bundle shop.bundle\n\nSIGTERM ends the agent and leaves the policy in "
      "force; "
      "`heddle detach` removes it; SIGHUP reads the bundle again.");
  app.set_version_flag("--version", "heddled " HEDDLE_VERSION);
  app.add_option("--bundle", options.bundle, "what `heddle build` wrote")->required()->type_name("FILE");
  app.add_option("--control", options.control,
                 "socket that `heddle status`, `reload`, `exec` and `detach` talk to")
      ->type_name("SOCKET")
      ->capture_default_str();
  app.add_option("--cgroup-root", options.cgroup_root,
                 "govern what lies below this folder (default: all of cgroup v2)")
      ->type_name("DIR");
  app.add_option("--zone", options.zone, "the zone of this machine, which `balance prefer same_zone` compares with labels")
      ->type_name("NAME");
  app.add_option("--node", options.node, "and its name, for `prefer same_node`")->type_name("NAME");
  app.add_option("--identities", options.identities,
                 "certificates of this node's workloads, a folder for each with svid.pem, key.pem and bundle.pem (`heddle ca` makes them)")
      ->type_name("DIR");
  app.add_option("--workers", options.workers,
                 "processes of the handler (default: one for each CPU, at least 2)")
      ->type_name("N")
      ->check(CLI::Range(1, static_cast<int>(HD_WORKERS_MAX)));
  app.add_option("--log-level", options.log_level, "debug, info, warn or err")
      ->check(CLI::IsMember({"debug", "info", "warn", "err"}))
      ->capture_default_str();
  app.add_flag("--detach-at-end", options.detach_at_end,
               "remove everything on SIGTERM and SIGINT, and when the process that started it ends");
  for (const char* later : {"--trust", "--config", "--metrics", "--shadow"}) {
    app.add_option_function<std::string>(
           later, [later](const std::string&) { throw CLI::ValidationError(later, "not supported yet"); },
           "not supported yet")
        ->group("");
  }
}

/// Each network namespace takes two descriptors for each worker.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const heddle::agent::Options& options) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("heddled"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  raise_descriptor_limit();
  Result<std::unique_ptr<heddle::agent::Agent>> agent = heddle::agent::Agent::start(options);
  if (!agent) return report(agent.error());
  if (Result<void> ended = (*agent)->run(); !ended) return report(ended.error());
  return exit_ok;
}

}  // namespace

int main(int argc, char** argv) {
  // A worker is this program without privilege; nobody else calls it so.
  if (argc == 3 && std::string(argv[1]) == "--worker") return heddle::handler::run_worker(std::atoi(argv[2]));
  CLI::App app{"", "heddled"};
  heddle::agent::Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_ok : exit_unusable;
  }
  return run(options);
}
