#include "compiler/sema/owner.h"

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

std::string place_text(const std::string& space) {
  return space.empty() ? "a file without `space`" : "a file of `space " + space + "`";
}

}  // namespace

void report_unknown_service(diagnostics::Sink& sink, const ast::QualifiedName& name,
                            const std::vector<std::string>& known) {
  auto& diagnostic = sink.report(kinds::unknown_service(name.span, name.text()));
  if (const auto meant = diagnostics::did_you_mean(name.text(), known)) diagnostic.with_help(*meant);
}

const Table<ast::Service>::Entry* find_owner(Analysis& analysis, const ast::QualifiedName& name,
                                             const std::string& space, const char* kind) {
  const auto* found = analysis.services.find(name, space);
  if (found == nullptr) {
    if (!analysis.names_may_be_missing)
      report_unknown_service(analysis.sink, name, analysis.services.names_in(space));
    return nullptr;
  }
  const auto& entry = found->second;
  if (entry.space == space) return &entry;
  analysis.report(kinds::not_the_owner(name.span, kind, found->first, place_text(entry.space)))
      .with_label(entry.node->name.span, "the service is declared here");
  return nullptr;
}

}  // namespace heddle::sema
