#include <iostream>
#include <string>

#include "compiler/cli/agent_client.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "runtime/base/file.h"
#include "runtime/bundle/bundle.h"

namespace heddle::cli {
namespace {

struct Options {
  std::string bundle;
  std::string control = default_control;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("BUNDLE", options.bundle, "what `heddle build` wrote")->required();
  app.add_option("--control", options.control, "socket of the agent")
      ->type_name("SOCKET")
      ->capture_default_str();
}

int run(const Options& options) {
  // We read the file ourselves: the agent may not see it, or see another under this name.
  const Result<std::vector<std::byte>> file = read_file(options.bundle, bundle::file_limit);
  if (!file) return report_error(file.error());
  const Result<nlohmann::json> answer = ask_agent(options.control, {{"op", "reload"}}, *file);
  if (!answer) return report_error(answer.error());
  std::cout << "generation " << answer->value("generation", 0) << " decides\n";
  return exit_ok;
}

}  // namespace

void add_reload(CommandSet& commands) {
  commands.add<Options>(
      {"reload", "Put another bundle in force, between two requests", "heddle reload shop.bundle"}, declare,
      run);
}

}  // namespace heddle::cli
