#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ast/file.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/policy.h"

namespace heddle::sema {

/// All declarations of one kind by qualified name; the order of names is the order of the model.
template <typename Declaration>
struct Table {
  struct Entry {
    const Declaration* node = nullptr;
    std::string space;
    std::uint32_t id = 0;  // in the model's vector
  };
  std::map<std::string, Entry> entries;

  /// The own space first, then the root; a written space is taken as it stands.
  [[nodiscard]] const std::pair<const std::string, Entry>* find(const ast::QualifiedName& name,
                                                                const std::string& own_space) const {
    if (!name.space.empty()) return at(name.text());
    if (!own_space.empty()) {
      if (const auto* own = at(own_space + "." + name.name)) return own;
    }
    return at(name.name);
  }

  [[nodiscard]] const std::pair<const std::string, Entry>* at(const std::string& qualified) const {
    const auto found = entries.find(qualified);
    return found == entries.end() ? nullptr : &*found;
  }

  /// What could have been meant, as one would write it in the space.
  [[nodiscard]] std::vector<std::string> names_in(const std::string& space) const {
    std::vector<std::string> names;
    for (const auto& [qualified, entry] : entries) {
      names.push_back(!space.empty() && entry.space == space ? entry.node->name.text : qualified);
    }
    return names;
  }
};

inline std::string qualified(const std::string& space, const std::string& name) {
  return space.empty() ? name : space + "." + name;
}

inline std::string space_of(const ast::File& file) {
  return file.space ? file.space->text : std::string();
}

/// What the passes share. Each pass reports all it can and leaves the model complete for the next, if not
/// right.
struct Analysis {
  Analysis(const std::vector<ast::File>& parsed, diagnostics::Sink& out) : files(parsed), sink(out) {}

  const std::vector<ast::File>& files;  // in canonical order
  diagnostics::Sink& sink;
  model::Policy policy;
  model::Paths paths;  // of services that say nothing themselves
  Table<ast::Identity> identities;
  Table<ast::Workload> workloads;
  Table<ast::Service> services;
  Table<ast::RetryPolicy> retries;
  Table<ast::Filter> filters;
  // A syntax error took a declaration: a name that is not there may have been in it.
  bool names_may_be_missing = false;

  diagnostics::Diagnostic& report(diagnostics::Diagnostic diagnostic) {
    return sink.report(std::move(diagnostic));
  }

  /// It is checked and evaluated; whoever wants to run it is told that this version cannot.
  void not_built(std::string what, source::Span span) { policy.not_built.push_back({std::move(what), span}); }

  /// All declarations of a kind with the space of their file, in the order of the pages.
  template <typename Declaration, typename Visit>
  void for_each(Visit&& visit) const {
    for (const ast::File& file : files) {
      for (const ast::AnyDeclaration& any : file.declarations) {
        if (const auto* declaration = std::get_if<Declaration>(&any)) visit(*declaration, space_of(file));
      }
    }
  }
};

/// The ids of identities by name; every unknown one is reported.
std::optional<model::IdentityId> resolve_identity(Analysis& analysis, const ast::QualifiedName& name,
                                                  const std::string& space);

/// At most one of what may stand once; the others are reported. Null: none.
template <typename Item, typename Place>
const Item* only(Analysis& analysis, const std::vector<Item>& items, const char* what, Place&& place) {
  for (std::size_t i = 1; i < items.size(); ++i) {
    analysis.report(diagnostics::kinds::duplicate_item(place(items[i]), what))
        .with_label(place(items[0]), "here for the first time");
  }
  return items.empty() ? nullptr : &items.front();
}

/// Reports what a declaration does not say, unless a syntax error may have swallowed it.
void require(Analysis& analysis, const ast::Declaration& declaration, const ast::Name& name, const char* kind,
             const char* item, bool there);

// The passes, in their order.
void collect_names(Analysis& analysis);
void check_mesh(Analysis& analysis);
void check_filters(Analysis& analysis);
void check_identities(Analysis& analysis);
void check_workloads(Analysis& analysis);
void check_services(Analysis& analysis);
void check_retries(Analysis& analysis);
void check_rules(Analysis& analysis);
void check_amplification(Analysis& analysis);
void check_tests(Analysis& analysis);

}  // namespace heddle::sema
