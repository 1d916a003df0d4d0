#include <unistd.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "compiler/cli/build_bundle.h"
#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/pipeline.h"
#include "compiler/plan/describe_model.h"
#include "runtime/base/file.h"
#include "runtime/bundle/manifest.h"
#include "runtime/loader/generation.h"
#include "runtime/loader/requirements.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string output;
  std::string verify = "auto";
  std::string emit;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
  app.add_option("-o,--output", options.output, "the bundle to write")->type_name("FILE");
  app.add_option("--verify", options.verify,
                 "load every program into the running kernel and print its verifier's figures: auto (where "
                 "privileged), "
                 "require or off")
      ->check(CLI::IsMember({"auto", "require", "off"}))
      ->type_name("WHEN");
  app.add_option("--emit", options.emit,
                 "print a stage instead of writing a bundle: model, plan, ir, llvm or asm")
      ->check([](const std::string& stage) {
        if (stage == "ast") return std::string("`ast` is not supported yet");
        const bool known =
            stage == "model" || stage == "plan" || stage == "ir" || stage == "llvm" || stage == "asm";
        return known ? std::string() : "`" + stage + "` is none of `model`, `plan`, `ir`, `llvm`, `asm`";
      })
      ->type_name("STAGE");
}

int emit_stage(const Checked& checked, const std::string& stage) {
  static const std::map<std::string, emit::Product> products = {
      {"ir", emit::Product::ir}, {"llvm", emit::Product::llvm}, {"asm", emit::Product::assembly}};
  if (stage == "model") {
    std::cout << plan::describe_model(*checked.policy);
  } else if (stage == "plan") {
    std::cout << plan::describe(*checked.plan, *checked.policy);
  } else {
    std::cout << generate_text(checked, products.at(stage));
  }
  return exit_ok;
}

std::string figures_json(const std::vector<loader::ProgramFigures>& figures) {
  nlohmann::ordered_json programs = nlohmann::ordered_json::array();
  for (const loader::ProgramFigures& program : figures) {
    programs.push_back({{"name", program.name},
                        {"verified_instructions", program.verified_instructions},
                        {"instructions", program.instructions},
                        {"jited_bytes", program.jited_bytes},
                        {"stack_bytes", program.stack_bytes}});
  }
  return nlohmann::ordered_json{{"programs", programs}}.dump(2) + "\n";
}

void print_figures(const std::vector<loader::ProgramFigures>& figures) {
  std::cout << "program    verified  instructions  jited bytes  stack\n";
  for (const loader::ProgramFigures& program : figures) {
    std::string line = program.name;
    const auto column = [&line](std::uint32_t number, std::size_t end) {
      const std::string text = std::to_string(number);
      line.resize(std::max(line.size() + 1, end - std::min(end, text.size())), ' ');
      line += text;
    };
    column(program.verified_instructions, 19);
    column(program.instructions, 33);
    column(program.jited_bytes, 46);
    column(program.stack_bytes, 53);
    std::cout << line << "\n";
  }
}

/// `auto` says why nothing was verified; `require` makes that an error.
int verify_bundle(const BuiltBundle& built, const Options& options) {
  if (options.verify == "off") return exit_ok;
  if (const auto machine = loader::check_machine(); !machine) {
    if (options.verify == "require") return report_error(machine.error());
    std::cerr << "heddle: not verified: " << machine.error().what << "\n";
    return exit_ok;
  }
  const auto opened = bundle::open(built.file);
  if (!opened) return report_error(opened.error());
  const auto figures = loader::verify(*opened);
  if (!figures) return report_error(figures.error());
  print_figures(*figures);
  if (options.output.empty()) return exit_ok;
  const std::string json = figures_json(*figures);
  const auto written = write_file(options.output + ".verify.json",
                                  std::as_bytes(std::span<const char>(json.data(), json.size())));
  return written ? exit_ok : report_error(written.error());
}

int run(const Options& options) {
  if (options.output.empty() && options.emit.empty()) {
    return report_error({ErrorKind::usage, "`heddle build` needs to know what to write", "add `-o FILE`"});
  }
  const Loaded loaded = load_policy(options.paths, options.emit == "model" ? Use::evaluate : Use::run);
  if (!loaded.checked.policy) return loaded.exit_code;
  if (!options.emit.empty()) return emit_stage(loaded.checked, options.emit);
  const BuiltBundle built = build_bundle(loaded.checked);
  if (const int verified = verify_bundle(built, options); verified != exit_ok) return verified;
  const auto written = write_file(options.output, built.file);
  return written ? exit_ok : report_error(written.error());
}

}  // namespace

void add_build(CommandSet& commands) {
  commands.add<Options>({"build", "Compile a policy into a bundle",
                         "heddle build policy/ -o shop.bundle\nheddle build policy/ --emit plan"},
                        declare, run);
}

}  // namespace heddle::cli
