#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "compiler/cli/command.h"
#include "compiler/cli/commands/commands.h"
#include "compiler/cli/exit_code.h"
#include "compiler/cli/explain_report.h"
#include "compiler/cli/pipeline.h"
#include "compiler/cli/terminal.h"
#include "compiler/diagnostics/pages.h"
#include "compiler/diagnostics/render.h"
#include "compiler/eval/send.h"
#include "compiler/sema/check.h"

namespace heddle::cli {

namespace {

struct Options {
  std::vector<std::string> paths;
  std::string send;
  std::optional<std::uint64_t> draw;
  bool placement = false;
  std::string zone;
  std::string node;
};

void declare(CLI::App& app, Options& options) {
  app.add_option("PATH", options.paths,
                 "policy files, or folders with `*.mesh` files; or the code of a diagnostic")
      ->required();
  auto* send = app.add_option("--send", options.send, "the request to explain, as a `test` block writes it");
  app.add_option("--draw", options.draw, "decide with this draw instead of showing every part of a split")
      ->needs(send);
  declare_place(app, options.zone, options.node);
  app.add_flag("--placement", options.placement, "show where every rule is decided, and why there");
}

/// What is wrong with the request is a mistake on the command line, not in the policy.
int explain_send(Checked& checked, const Options& options) {
  const model::Policy& policy = *checked.policy;
  diagnostics::Sink sink;
  const auto send = sema::parse_request(options.send, policy, checked.sources, sink);
  std::cerr << diagnostics::render_pretty(sink, checked.sources, colour_on_stderr());
  if (!send) return exit_usage;
  const eval::Sent sent = eval::make_requests(policy, *send);
  if (sent.requests.empty()) return report_error({ErrorKind::usage, sent.problem, ""});
  int code = exit_ok;
  for (const eval::Request& request : sent.requests) {
    const Explained explained = render_decision(policy, checked.sources, request, options.draw, {options.zone, options.node});
    std::cout << explained.text;
    if (explained.unknown) code = exit_inconclusive;
  }
  return code;
}

/// `heddle explain E0123`.
std::optional<std::string_view> find_asked_page(const Options& options) {
  if (options.paths.size() != 1 || !options.send.empty() || options.placement) return std::nullopt;
  return diagnostics::find_page(options.paths.front());
}

/// `E9999`: nobody's policy is called so.
bool is_code(const std::string& text) {
  return text.size() == 5 && (text[0] == 'E' || text[0] == 'W') &&
         text.find_first_not_of("0123456789", 1) == std::string::npos && !std::filesystem::exists(text);
}

int run(const Options& options) {
  if (const auto page = find_asked_page(options)) {
    std::cout << *page;
    return exit_ok;
  }
  if (is_code(options.paths.front())) {
    return report_error({ErrorKind::usage, "no diagnostic has the code `" + options.paths.front() + "`", ""});
  }
  if (options.send.empty() && !options.placement) {
    return report_error({ErrorKind::usage, "nothing to explain",
                         "give `--send '…'` or `--placement`, or the code of a diagnostic alone"});
  }
  Loaded loaded = load_policy(options.paths, options.placement ? Use::run : Use::evaluate);
  if (!loaded.checked.policy) return loaded.exit_code;
  if (options.placement) std::cout << render_placement(*loaded.checked.policy, loaded.checked.sources);
  return options.send.empty() ? exit_ok : explain_send(loaded.checked, options);
}

}  // namespace

void add_explain(CommandSet& commands) {
  commands.add<Options>({"explain", "Say how a request is decided, or what a diagnostic means",
                         "heddle explain policy/ --send 'GET \"/reviews/7\" to reviews from web with header "
                         "\"end-user\" \"jason\"'"},
                        declare, run);
}

}  // namespace heddle::cli
