#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/pipeline.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
}

/// One line per address: a name may have several, as in DNS.
void print_lines(const model::Service& service) {
  std::vector<model::IpAddress> printed;
  for (const auto& address : service.addresses) {
    if (std::ranges::count(printed, address.ip) > 0) continue;
    printed.push_back(address.ip);
    std::cout << address.ip.text() << "\t" << service.name << "\n";
  }
}

int run(const Options& options) {
  const Loaded loaded = load_policy(options.paths);
  if (!loaded.checked.policy) return loaded.exit_code;
  for (const model::Service& service : loaded.checked.policy->services) print_lines(service);
  return exit_ok;
}

}  // namespace

void add_hosts(CommandSet& commands) {
  commands.add<Options>({"hosts", "Print lines for /etc/hosts that name the services",
                         "heddle hosts policy/ | sudo tee -a /etc/hosts"},
                        declare, run);
}

}  // namespace heddle::cli
