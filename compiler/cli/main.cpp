#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/diagnostics/suggest.h"

namespace {

using namespace heddle;

constexpr char bug_text[] =
    "heddle: this is a bug of heddle, not of your policy\n"
    "  help: please report it with the policy, the command line and the lines above\n";

/// A broken invariant aborts; a script still gets the documented exit code.
void on_abort(int /*signal*/) {
  const auto written = write(STDERR_FILENO, bug_text, sizeof bug_text - 1);
  static_cast<void>(written);
  _exit(cli::exit_bug);
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

/// The first argument names no command: the one that was meant.
int report_unknown_command(const std::vector<std::string>& names, const std::string& name) {
  const auto meant = diagnostics::did_you_mean(name, names);
  return cli::report_error({ErrorKind::usage, "no command is called `" + name + "`",
                            meant ? *meant : "`heddle --help` lists the commands"});
}

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = "heddle";
  for (auto used = app.get_subcommands(); !used.empty(); used = used.front()->get_subcommands()) command += " " + used.front()->get_name();
  return cli::report_error({ErrorKind::usage, error.what(), "`" + command + " --help` shows how it is used"});
}

int run(int argc, char** argv) {
  CLI::App app("Policy as code for service meshes, compiled to eBPF.", "heddle");
  app.set_version_flag("--version", "heddle " HEDDLE_VERSION);
  app.require_subcommand(0, 1);
  app.footer(
      "`heddle COMMAND --help` shows options and an example.\n"
      "Exit codes: 0 fine, 1 policy wrong or test failed, 2 usage or I/O, 4 inconclusive, 5 refused by the\n"
      "kernel's verifier, 70 a bug of heddle.");
  cli::CommandSet commands(app);
#define HEDDLE_COMMAND(name) cli::add_##name(commands);
#include "compiler/cli/commands/commands.def"
#undef HEDDLE_COMMAND

  if (argc < 2) {
    std::cerr << app.help();
    return cli::exit_usage;
  }
  const std::string first = argv[1];
  const std::vector<std::string> names = command_names(app);
  const bool known = std::find(names.begin(), names.end(), first) != names.end();
  if (!first.starts_with("-") && !known) return report_unknown_command(names, first);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error);
  }
  return commands.run_selected();
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGABRT, on_abort);
  try {
    const int code = run(argc, argv);
    std::cout.flush();
    if (std::cout) return code;
    return cli::report_error({ErrorKind::io, "cannot write to standard output", ""});
  } catch (const std::exception& error) {
    std::cerr << "heddle: unexpected: " << error.what() << "\n" << bug_text;
    return cli::exit_bug;
  }
}
