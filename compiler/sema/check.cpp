#include "compiler/sema/check.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/requests.h"
#include "compiler/syntax/parse.h"

namespace heddle::sema {

namespace {

namespace kinds = diagnostics::kinds;

std::vector<ast::File> parse_all(const source::SourceManager& sources, diagnostics::Sink& sink) {
  std::vector<ast::File> files;
  for (const source::FileId id : sources.files_in_order())
    files.push_back(syntax::parse_file(sources, id, sink));
  return files;
}

void report_unsupported(const std::vector<ast::File>& files, diagnostics::Sink& sink) {
  for (const ast::File& file : files) {
    for (const ast::Unsupported& part : file.unsupported)
      sink.report(kinds::not_supported(part.span, part.what));
  }
}

/// Passes go by names and kinds, and say of `access every` what they find for each service; whoever reads goes by pages.
void sort_by_place(std::vector<model::NotBuilt>& all, const source::SourceManager& sources) {
  const std::vector<source::FileId> order = sources.files_in_order();
  const auto place = [&order](const model::NotBuilt& part) {
    return std::pair(std::find(order.begin(), order.end(), part.span.file), part.span.begin);
  };
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  const auto same = [&](const auto& a, const auto& b) { return place(a) == place(b) && a.what == b.what; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
}

}  // namespace

std::optional<model::Policy> check(const source::SourceManager& sources, diagnostics::Sink& sink) {
  // Every file is a tree, in an order that no longer depends on how the files were named.
  const std::vector<ast::File> files = parse_all(sources, sink);

  // What this version does not build has been said; nothing of it is silently dropped.
  report_unsupported(files, sink);

  // Every declaration has one qualified name, and every name one declaration.
  Analysis analysis(files, sink);
  collect_names(analysis);

  // There is one mesh, with its trust domain.
  check_mesh(analysis);

  // Every filter has a place where its text may lie.
  check_filters(analysis);

  // Every identity is a set of SPIFFE patterns; groups are the sets of their members.
  check_identities(analysis);

  // Every workload has one cgroup and one SPIFFE id, and no cgroup belongs to two.
  check_workloads(analysis);

  // Every address and endpoint belongs to one service; subsets know their endpoints.
  check_services(analysis);

  // Every retry says when, how often, and of how many requests at most.
  check_retries(analysis);

  // Every service has at most one total route and one access block, all names in them resolved, all literals
  // possible.
  check_rules(analysis);

  // No chain of services makes one request many.
  check_amplification(analysis);

  // Every test sends what can be sent and expects what can happen.
  check_tests(analysis);

  if (sink.has_errors()) return std::nullopt;
  sort_by_place(analysis.policy.not_built, sources);
  return std::move(analysis.policy);
}

std::optional<model::TestRequest> parse_request(const std::string& text, const model::Policy& policy,
                                                source::SourceManager& sources, diagnostics::Sink& sink) {
  const source::FileId file = sources.add("--send", text);
  const auto request = syntax::parse_request(sources, file, sink);
  if (!request) return std::nullopt;
  return check_request({policy, sink, ""}, *request);
}

}  // namespace heddle::sema
