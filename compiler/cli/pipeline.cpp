#include "compiler/cli/pipeline.h"

#include <iostream>
#include <utility>

#include "compiler/cli/exit_code.h"
#include "compiler/cli/filters.h"
#include "compiler/cli/terminal.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/render.h"
#include "compiler/sema/check.h"

namespace heddle::cli {

namespace {

void report_not_built(Checked& checked, Use use) {
  for (const model::NotBuilt& part : checked.policy->not_built) {
    if (use == Use::run) {
      checked.sink.report(diagnostics::kinds::not_built(part.span, part.what))
          .with_help("`heddle check` and `heddle test` know it; leave it out of what is built");
      continue;
    }
    auto& diagnostic = checked.sink.report(diagnostics::kinds::not_built_yet(part.span, part.what));
    const std::size_t others = checked.policy->not_built.size() - 1;
    if (use == Use::check || others == 0) continue;
    diagnostic.with_help("so are " + std::to_string(others) + " more; `heddle check` names them");
    break;
  }
  if (use == Use::run) checked.policy.reset();
}

}  // namespace

Result<Checked> check_paths(const std::vector<std::string>& paths, Use use) {
  Checked checked;

  // Every file is in memory, in no particular order; folders are no more.
  if (auto read = read_sources(paths, checked.sources); !read) return read.error();

  // Every name is resolved, every rule complete, all order canonical; or the sink says why not.
  checked.policy = sema::check(checked.sources, checked.sink);
  if (!checked.policy) return checked;

  // Every filter is code that no verifier should refuse, as far as that can be known here; or the sink says what it does.
  compile_filters(checked);
  if (checked.sink.has_errors()) {
    checked.policy.reset();
    return checked;
  }

  // Of what cannot be run there is no plan.
  if (!checked.policy->not_built.empty()) {
    report_not_built(checked, use);
    return checked;
  }

  // Every condition is a combination of bits, every string that is tested an automaton, all within what can
  // be compiled; or the sink says what is too large.
  plan::PlanResult planned = plan::make_plan(*checked.policy);
  for (const plan::LimitError& error : planned.errors) {
    checked.sink.report(diagnostics::kinds::too_large(error.span, error.what));
  }
  for (const plan::Misplaced& rule : planned.misplaced) {
    checked.sink.report(diagnostics::kinds::not_in_kernel(rule.span, rule.rule, rule.tier, rule.why))
        .with_help("leave `require kernel` out, or change what keeps it from the kernel");
  }
  if (!planned.errors.empty() || !planned.misplaced.empty()) {
    checked.policy.reset();
    return checked;
  }
  checked.plan = std::move(planned.plan);

  return checked;
}

Loaded load_policy(const std::vector<std::string>& paths, Use use) {
  Loaded loaded;
  auto checked = check_paths(paths, use);
  if (!checked) {
    loaded.exit_code = report_error(checked.error());
    return loaded;
  }
  loaded.checked = std::move(*checked);
  std::cerr << diagnostics::render_pretty(loaded.checked.sink, loaded.checked.sources, colour_on_stderr());
  if (!loaded.checked.policy) loaded.exit_code = exit_policy;
  return loaded;
}

}  // namespace heddle::cli
