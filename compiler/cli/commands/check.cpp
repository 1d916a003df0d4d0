#include <iostream>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/pipeline.h"
#include "compiler/cli/terminal.h"
#include "compiler/diagnostics/render.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string format = "pretty";
  bool deny_warnings = false;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
  app.add_option("--format", options.format, "pretty (to standard error) or json (to standard output)")
      ->check([](const std::string& format) {
        if (format == "pretty" || format == "json") return std::string();
        if (format.starts_with("sarif") || format == "github") return "`" + format + "` is not supported yet";
        return "`" + format + "` is neither `pretty` nor `json`";
      })
      ->type_name("FORMAT");
  app.add_flag("--deny-warnings", options.deny_warnings, "exit with 1 also where there are warnings only");
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void print_pretty(const Checked& checked) {
  std::cerr << diagnostics::render_pretty(checked.sink, checked.sources, colour_on_stderr());
  if (!checked.policy) return;
  const model::Policy& policy = *checked.policy;
  std::cout << "mesh `" << policy.name << "`: " << counted(policy.services.size(), "service") << ", "
            << counted(policy.workloads.size(), "workload") << ", " << counted(policy.tests.size(), "test")
            << " in " << counted(checked.sources.file_count(), "file") << "; no error\n";
}

int run(const Options& options) {
  const auto checked = check_paths(options.paths);
  if (!checked) return report_error(checked.error());
  if (options.format == "json") {
    std::cout << diagnostics::render_json(checked->sink, checked->sources);
  } else {
    print_pretty(*checked);
  }
  const bool refused = options.deny_warnings && checked->sink.warning_count() > 0;
  return !checked->policy || refused ? exit_policy : exit_ok;
}

}  // namespace

void add_check(CommandSet& commands) {
  commands.add<Options>({"check", "Say what is wrong with a policy",
                         "heddle check policy/\nheddle check --format json policy/ env/prod.mesh"},
                        declare, run);
}

}  // namespace heddle::cli
