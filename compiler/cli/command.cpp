#include "compiler/cli/command.h"

namespace heddle::cli {

CLI::App* CommandSet::add_subcommand(const CommandInfo& info) {
  CLI::App* command = root_.add_subcommand(info.name, info.summary);
  std::string example = info.example;
  for (std::size_t at = example.find('\n'); at != std::string::npos; at = example.find('\n', at + 1)) {
    example.insert(at + 1, "  ");
  }
  command->footer("Example:\n  " + example);
  return command;
}

}  // namespace heddle::cli
