#include <algorithm>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/sema/analysis.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

template <typename Declaration>
void collect(Analysis& analysis, Table<Declaration>& table, const char* kind) {
  analysis.for_each<Declaration>([&](const Declaration& declaration, const std::string& space) {
    const std::string name = qualified(space, declaration.name.text);
    const auto [place, is_new] =
        table.entries.try_emplace(name, typename Table<Declaration>::Entry{&declaration, space, 0});
    if (is_new) return;
    analysis.report(kinds::duplicate_name(declaration.name.span, kind, name))
        .with_label(place->second.node->name.span, "the first one");
  });
  std::uint32_t id = 0;
  for (auto& [name, entry] : table.entries) entry.id = id++;
}

}  // namespace

void collect_names(Analysis& analysis) {
  for (const ast::File& file : analysis.files) {
    analysis.names_may_be_missing = analysis.names_may_be_missing || file.lost_declarations;
  }
  collect(analysis, analysis.identities, "identity");
  collect(analysis, analysis.workloads, "workload");
  collect(analysis, analysis.services, "service");
  collect(analysis, analysis.retries, "retry");
  collect(analysis, analysis.filters, "extern");
  for (const ast::File& file : analysis.files) {
    if (!file.space) continue;
    const auto* service = analysis.services.at(file.space->text);
    if (service == nullptr) continue;
    analysis.report(kinds::space_like_service(file.space->span, file.space->text))
        .with_label(service->second.node->name.span, "the service")
        .with_help("`" + file.space->text + ".x` could mean both; rename the space");
  }
}

std::optional<model::IdentityId> resolve_identity(Analysis& analysis, const ast::QualifiedName& name,
                                                  const std::string& space) {
  if (const auto* found = analysis.identities.find(name, space)) return found->second.id;
  if (analysis.names_may_be_missing) return std::nullopt;
  auto& diagnostic = analysis.report(kinds::unknown_identity(name.span, name.text()));
  if (const auto meant = diagnostics::did_you_mean(name.text(), analysis.identities.names_in(space))) {
    diagnostic.with_help(*meant);
  } else {
    diagnostic.with_help("declare it: `identity " + name.name + " = spiffe \"ns/…/sa/" + name.name + "\"`");
  }
  return std::nullopt;
}

void require(Analysis& analysis, const ast::Declaration& declaration, const ast::Name& name, const char* kind,
             const char* item, bool there) {
  if (!there && !declaration.broken) analysis.report(kinds::missing_item(name.span, kind, name.text, item));
}

}  // namespace heddle::sema
