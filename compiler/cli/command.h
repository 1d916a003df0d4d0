#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>

/// The frame of the subcommands. A command is one file in commands/ that ends in
///
///   void add_check(CommandSet& commands) {
///     commands.add<Options>({"check", "say what is wrong with a policy", "heddle check policy/"}, declare,
///     run);
///   }
///
/// with `void declare(CLI::App&, Options&)` and `int run(const Options&)` (an ExitCode), plus its line in
/// commands/commands.def.
namespace heddle::cli {

struct CommandInfo {
  const char* name;
  const char* summary;
  const char* example;  // shown below `--help`; several lines if useful
};

/// `--zone` and `--node`: where decisions are made, for `balance prefer`.
void declare_place(CLI::App& app, std::string& zone, std::string& node);

class CommandSet {
 public:
  explicit CommandSet(CLI::App& root) : root_(root), selected_(std::make_shared<std::function<int()>>()) {}

  template <typename Options>
  void add(const CommandInfo& info, void (*declare)(CLI::App&, Options&), int (*run)(const Options&)) {
    CLI::App* command = add_subcommand(info);
    auto options = std::make_shared<Options>();
    declare(*command, *options);
    command->callback([selected = selected_, options, run] { *selected = [options, run] { return run(*options); }; });
  }

  /// A command that is nothing without one of those that are added to it: `heddle ca init`.
  CommandSet add_group(const CommandInfo& info);

  /// Runs the command that was named on the command line.
  [[nodiscard]] int run_selected() const { return (*selected_)(); }

 private:
  CommandSet(CLI::App& root, std::shared_ptr<std::function<int()>> selected) : root_(root), selected_(std::move(selected)) {}
  CLI::App* add_subcommand(const CommandInfo& info);

  CLI::App& root_;
  std::shared_ptr<std::function<int()>> selected_;  // one for all groups
};

}  // namespace heddle::cli
