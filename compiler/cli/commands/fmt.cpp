#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "compiler/cli/child.h"
#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/pipeline.h"
#include "compiler/cli/terminal.h"
#include "compiler/diagnostics/render.h"
#include "compiler/syntax/format.h"
#include "runtime/base/fd.h"
#include "runtime/base/file.h"

namespace heddle::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> paths;
  bool check = false;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths, "policy files, or folders with `*.mesh` files")->required();
  app.add_flag("--check", options.check, "write nothing; print what would change, and exit with 1 if anything would");
}

/// What would change, as `diff` shows it.
Result<void> print_diff(const std::string& path, const std::string& formatted) {
  char name[] = "/tmp/heddle-fmt-XXXXXX";
  const UniqueFd fd(::mkstemp(name));
  if (!fd) return system_error("cannot make a file in /tmp", errno);
  std::ofstream(name, std::ios::binary) << formatted;
  std::cout.flush();
  const auto diff = start_program({"diff", "-u", "--label", path, "--label", path + " (formatted)", "--", path, name});
  if (diff) wait_for(*diff);
  ::unlink(name);
  return diff ? Result<void>() : diff.error();
}

/// What the path leads to stays where it is, with the rights that it has.
Result<void> replace(const std::string& path, const std::string& formatted) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  if (error) return system_error("cannot write `" + path + "`", error.value());
  const fs::perms rights = fs::status(target, error).permissions();
  if (const auto written = write_file(target.string(), std::as_bytes(std::span(formatted))); !written) return written;
  fs::permissions(target, rights, error);
  return error ? Result<void>(system_error("cannot keep the rights of `" + path + "`", error.value())) : Result<void>();
}

int run(const Options& options) {
  source::SourceManager sources;
  if (const auto read = read_sources(options.paths, sources); !read) return report_error(read.error());
  bool wrong = false;
  bool differs = false;
  for (const source::FileId file : sources.files_in_order()) {
    diagnostics::Sink sink;
    const auto formatted = syntax::format_file(sources, file, sink);
    if (!formatted) {
      std::cerr << diagnostics::render_pretty(sink, sources, colour_on_stderr());
      wrong = true;
      continue;
    }
    if (*formatted == sources.text(file)) continue;
    differs = true;
    const std::string path = sources.name(file);
    if (options.check) {
      if (const auto printed = print_diff(path, *formatted); !printed) return report_error(printed.error());
      continue;
    }
    if (const auto written = replace(path, *formatted); !written) return report_error(written.error());
    std::cout << path << "\n";
  }
  return wrong || (options.check && differs) ? exit_policy : exit_ok;
}

}  // namespace

void add_fmt(CommandSet& commands) {
  commands.add<Options>({"fmt", "Put policy files into the one format", "heddle fmt policy/\nheddle fmt --check policy/ env/prod.mesh"},
                        declare, run);
}

}  // namespace heddle::cli
