#include "compiler/cli/command.h"

namespace heddle::cli {

void declare_place(CLI::App& app, std::string& zone, std::string& node) {
  app.add_option("--zone", zone, "of the machine: what `balance prefer same_zone` compares with labels")->type_name("NAME");
  app.add_option("--node", node, "and its name, for `prefer same_node`")->type_name("NAME");
}

CommandSet CommandSet::add_group(const CommandInfo& info) {
  CLI::App* group = add_subcommand(info);
  group->require_subcommand(1);
  return {*group, selected_};
}

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
