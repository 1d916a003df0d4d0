#include <algorithm>
#include <map>
#include <string_view>

#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"
#include "compiler/sema/spiffe.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

/// Why a text is no cgroup below the root, or nullptr.
const char* wrong_in_cgroup(std::string_view path) {
  if (path.empty()) return "it is empty, and the root cannot be a workload";
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (segment.empty()) return "it has an empty segment";
    if (segment == "." || segment == "..") return "it has a `.` or `..` segment";
    if (segment.size() > 255) return "a segment is longer than 255 bytes";
    begin = end + 1;
  }
  const bool control =
      std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return control ? "it has a control character" : nullptr;
}

std::string without_outer_slashes(std::string path) {
  if (path.starts_with("/")) path.erase(0, 1);
  if (path.ends_with("/")) path.pop_back();
  return path;
}

void check_cgroup(Analysis& analysis, const ast::String& text, model::Workload& workload) {
  workload.cgroup = without_outer_slashes(text.value);
  if (const char* wrong = wrong_in_cgroup(workload.cgroup)) {
    analysis.report(kinds::bad_cgroup(text.span, text.value, wrong))
        .with_help(
            "write the path below the cgroup root: `shop.slice/web.service`, `*` for a run without `/`");
  }
}

void check_identity(Analysis& analysis, const ast::QualifiedName& name, const std::string& space,
                    model::Workload& workload) {
  const auto id = resolve_identity(analysis, name, space);
  if (!id) return;
  workload.identity = *id;
  const model::Identity& identity = analysis.policy.identities[*id];
  if (identity.jwt) {
    analysis.report(kinds::workload_identity(name.span, name.text(), "it is a user's"))
        .with_label(identity.span, "a token shows it")
        .with_help("a workload has a `spiffe` identity");
  } else if (identity.group) {
    analysis.report(kinds::workload_identity(name.span, name.text(), "it is a group"))
        .with_label(identity.span, "the group")
        .with_help("name the one member that the workload is");
  } else if (identity.patterns.front().path.find('*') != std::string::npos) {
    analysis.report(kinds::workload_identity(name.span, name.text(), "it is a pattern"))
        .with_label(identity.patterns.front().span, "`*` stands for many")
        .with_help("declare an identity without `*`; its holders hold the pattern too");
  }
}

model::Workload check_workload(Analysis& analysis, const Table<ast::Workload>::Entry& entry,
                               const std::string& name) {
  const ast::Workload& node = *entry.node;
  model::Workload workload;
  workload.name = name;
  workload.doc = node.doc;
  workload.span = node.name.span;
  const auto* cgroup = only(analysis, node.cgroups, "cgroup", [](const ast::String& s) { return s.span; });
  const auto* identity =
      only(analysis, node.identities, "identity", [](const ast::QualifiedName& n) { return n.span; });
  const auto* fast_path =
      only(analysis, node.fast_paths, "fast_path", [](const ast::Choice& c) { return c.span; });
  if (fast_path != nullptr) workload.fast_path = fast_path->word == "on";
  require(analysis, node, node.name, "workload", "cgroup", cgroup != nullptr);
  require(analysis, node, node.name, "workload", "identity", identity != nullptr);
  if (cgroup != nullptr) check_cgroup(analysis, *cgroup, workload);
  if (identity != nullptr) check_identity(analysis, *identity, entry.space, workload);
  return workload;
}

source::Span cgroup_span(const Analysis& analysis, const model::Workload& workload) {
  return analysis.workloads.at(workload.name)->second.node->cgroups.front().span;
}

void report_overlap(Analysis& analysis, const model::Workload& first, const model::Workload& second) {
  analysis.report(kinds::overlapping_cgroups(cgroup_span(analysis, second), first.name, second.name))
      .with_label(cgroup_span(analysis, first), "the other one")
      .with_help("a cgroup belongs to one workload; of patterns of different depth the deepest wins");
}

/// Plain names meet where they are equal; patterns are compared with every other of their depth.
void check_overlaps(Analysis& analysis) {
  std::map<std::string_view, const model::Workload*> plain;
  std::map<std::ptrdiff_t, std::vector<const model::Workload*>> by_depth;
  const auto& workloads = analysis.policy.workloads;
  for (const model::Workload& workload : workloads) {
    if (workload.cgroup.empty()) continue;
    by_depth[std::count(workload.cgroup.begin(), workload.cgroup.end(), '/')].push_back(&workload);
    if (workload.cgroup.find('*') != std::string::npos) continue;
    const auto [first, is_new] = plain.try_emplace(workload.cgroup, &workload);
    if (!is_new) report_overlap(analysis, *first->second, workload);
  }
  for (const auto& [depth, same] : by_depth) {
    for (std::size_t i = 0; i < same.size(); ++i) {
      const bool is_pattern = same[i]->cgroup.find('*') != std::string::npos;
      for (std::size_t j = 0; is_pattern && j < same.size(); ++j) {
        const bool other_is_pattern = same[j]->cgroup.find('*') != std::string::npos;
        if (i == j || (other_is_pattern && j < i) || !patterns_meet(same[i]->cgroup, same[j]->cgroup))
          continue;
        report_overlap(analysis, *same[std::min(i, j)], *same[std::max(i, j)]);
      }
    }
  }
}

}  // namespace

void check_workloads(Analysis& analysis) {
  for (const auto& [name, entry] : analysis.workloads.entries) {
    analysis.policy.workloads.push_back(check_workload(analysis, entry, name));
  }
  check_overlaps(analysis);
}

}  // namespace heddle::sema
