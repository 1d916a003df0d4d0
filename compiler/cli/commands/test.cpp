#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/engines.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/pipeline.h"
#include "compiler/cli/test_report.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string engine;
  std::string junit;
  std::string filter;
  std::string zone;
  std::string node;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
  app.add_option("--engine", options.engine, "evaluator, kernel or both (default: what this machine allows)")
      ->check(CLI::IsMember({"evaluator", "kernel", "both"}))
      ->type_name("ENGINE");
  app.add_option("--junit", options.junit, "also write the results to this file, for a CI server")
      ->type_name("FILE");
  app.add_option("--filter", options.filter, "only tests whose name has this text")->type_name("TEXT");
  declare_place(app, options.zone, options.node);
}

std::vector<const model::TestBlock*> select_tests(const model::Policy& policy, const std::string& filter) {
  std::vector<const model::TestBlock*> selected;
  for (const model::TestBlock& block : policy.tests) {
    if (block.name.find(filter) != std::string::npos) selected.push_back(&block);
  }
  return selected;
}

EngineResults run_tests(const model::Policy& policy, const std::vector<const model::TestBlock*>& tests,
                        eval::Engine& engine) {
  EngineResults results{std::string(engine.name()), {}};
  for (const model::TestBlock* test : tests) results.results.push_back(eval::run_test(policy, *test, engine));
  return results;
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (file) return {};
  return Error{ErrorKind::io, "cannot write `" + path + "`", ""};
}

/// Whether no engine could decide the test of that number.
bool undecided(const std::vector<EngineResults>& all, std::size_t number) {
  return std::all_of(all.begin(), all.end(), [number](const EngineResults& engine) { return engine.results[number].trouble.has_value(); });
}

/// A test that an engine cannot decide is neither passed nor failed; one that depends on a filter is known to be unknown. Where the
/// user asked for that engine, it is an error; where it was run because the machine allows it, the other engine's word stands.
int exit_code_of(const std::vector<EngineResults>& all, bool every_engine_asked_for) {
  int code = exit_ok;
  for (const EngineResults& engine : all) {
    for (std::size_t number = 0; number < engine.results.size(); ++number) {
      const eval::TestResult& result = engine.results[number];
      if (!result.failures.empty()) return exit_policy;
      if (result.trouble && every_engine_asked_for) code = exit_usage;
      const bool unknown = !result.unknown.empty() || undecided(all, number);
      if (unknown && code == exit_ok) code = exit_inconclusive;
    }
  }
  return code;
}

int run(const Options& options) {
  const Loaded loaded = load_policy(options.paths);
  if (!loaded.checked.policy) return loaded.exit_code;
  const model::Policy& policy = *loaded.checked.policy;
  const auto tests = select_tests(policy, options.filter);
  if (tests.empty() && !options.filter.empty()) {
    return report_error({ErrorKind::usage, "no test has `" + options.filter + "` in its name", ""});
  }
  const auto engines = make_engines(options.engine, loaded.checked, {options.zone, options.node});
  if (!engines) return report_error(engines.error());
  std::vector<EngineResults> all;
  for (const auto& engine : *engines) all.push_back(run_tests(policy, tests, *engine));
  std::cout << render_test_results(all, loaded.checked.sources);
  if (!options.junit.empty()) {
    const auto written = write_file(options.junit, render_junit(all, loaded.checked.sources));
    if (!written) return report_error(written.error());
  }
  return exit_code_of(all, !options.engine.empty());
}

}  // namespace

void add_test(CommandSet& commands) {
  commands.add<Options>(
      {"test", "Run the tests of a policy", "heddle test policy/\nheddle test --junit tests.xml policy/"},
      declare, run);
}

}  // namespace heddle::cli
