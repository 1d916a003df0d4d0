#include "compiler/sema/paths.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/literals.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

/// What servers may read as an end of a segment or of its name, and some read as a part of it.
constexpr std::array<std::string_view, 4> keepable = {"%2F", "%5C", ";", "\\"};

model::PathMode mode_of(ast::Paths::Mode mode) {
  if (mode == ast::Paths::Mode::merge) return model::PathMode::merge;
  return mode == ast::Paths::Mode::decode ? model::PathMode::decode : model::PathMode::strict;
}

}  // namespace

model::Paths check_paths(Analysis& analysis, const std::vector<ast::Paths>& written, const model::Paths& otherwise) {
  const ast::Paths* paths = only(analysis, written, "paths", [](const ast::Paths& p) { return p.span; });
  if (paths == nullptr) return otherwise;
  model::Paths result{mode_of(paths->mode), {}};
  for (const ast::String& kept : paths->keep) {
    const std::string spelling = normalise_path(kept.value);
    if (std::find(keepable.begin(), keepable.end(), spelling) == keepable.end()) {
      analysis.report(kinds::bad_keep(kept.span, kept.value))
          .with_help("`keep` takes `\"%2F\"`, `\"%5C\"`, `\";\"` and `\"\\\\\"`: what a server may read as part of a segment");
    } else if (!result.keep.insert(spelling).second) {
      analysis.report(kinds::duplicate_item(kept.span, spelling));
    }
  }
  return result;
}

}  // namespace heddle::sema
