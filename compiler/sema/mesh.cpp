#include <algorithm>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/numbers.h"
#include "compiler/sema/paths.h"
#include "compiler/sema/spiffe.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

const ast::Mesh* find_mesh(Analysis& analysis) {
  const ast::Mesh* first = nullptr;
  analysis.for_each<ast::Mesh>([&](const ast::Mesh& mesh, const std::string&) {
    if (first == nullptr) {
      first = &mesh;
      return;
    }
    analysis.report(kinds::second_mesh(mesh.keyword)).with_label(first->keyword, "the first one");
  });
  return first;
}

void report_no_mesh(Analysis& analysis) {
  if (analysis.names_may_be_missing || analysis.files.empty()) return;
  const source::FileId file = analysis.files.front().id;
  analysis.report(kinds::no_mesh({file, 0, 0}))
      .with_help("one file has it: `mesh shop { trust_domain \"shop.example\" }`");
}

void check_trust_domain(Analysis& analysis, const ast::String& domain) {
  if (is_trust_domain(domain.value)) return;
  analysis.report(kinds::bad_trust_domain(domain.span, domain.value))
      .with_help("it has lower-case letters, digits, `.`, `-` and `_` only: `shop.example`");
}

}  // namespace

void check_mesh(Analysis& analysis) {
  const ast::Mesh* mesh = find_mesh(analysis);
  if (mesh == nullptr) return report_no_mesh(analysis);
  analysis.policy.name = mesh->name.text;
  analysis.paths = check_paths(analysis, mesh->paths, {});
  const auto* amplification =
      only(analysis, mesh->amplifications, "amplification", [](const ast::Number& n) { return n.span; });
  if (amplification != nullptr) {
    constexpr std::uint32_t most = 1000000;
    const auto bound = number_in(analysis.sink, *amplification, "the number of tries", 1, most);
    analysis.policy.amplification = bound.value_or(most);
  }
  const auto* outside =
      only(analysis, mesh->outside, "outside", [](const ast::Outside& o) { return o.span; });
  if (outside != nullptr && outside->mode == ast::OutsideMode::deny)
    analysis.policy.outside = model::Outside::deny;
  const auto* domain =
      only(analysis, mesh->trust_domains, "trust_domain", [](const ast::String& s) { return s.span; });
  require(analysis, *mesh, mesh->name, "mesh", "trust_domain", domain != nullptr);
  if (domain == nullptr) return;
  analysis.policy.trust_domain = domain->value;
  check_trust_domain(analysis, *domain);
  if (mesh->aliases.empty()) return;
  const ast::String& alias = mesh->aliases.front();
  check_trust_domain(analysis, alias);
  if (alias.value == domain->value)
    analysis.report(kinds::duplicate_item(alias.span, alias.value)).with_label(domain->span, "here for the first time");
  analysis.policy.trust_domain_alias = alias.value;
}

}  // namespace heddle::sema
