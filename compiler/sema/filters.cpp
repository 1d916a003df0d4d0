#include "bpf_templates/include/heddle/abi.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/sema/analysis.h"

namespace heddle::sema {

namespace kinds = diagnostics::kinds;

namespace {

/// Why no text of a filter can lie there; null: it can.
const char* why_no_path(const std::string& path) {
  if (path.empty()) return "it is empty";
  if (path.find('\0') != std::string::npos) return "no file's name has a zero byte";
  if (path.front() == '/') return "it does not begin at the file that declares it";
  if (path.back() == '/') return "it is a folder";
  return nullptr;
}

}  // namespace

void check_filters(Analysis& analysis) {
  for (const auto& [name, entry] : analysis.filters.entries) {
    const ast::Filter& declared = *entry.node;
    if (const char* why = why_no_path(declared.path.value)) {
      analysis.report(kinds::bad_filter_path(declared.path.span, declared.path.value, why))
          .with_help("write the path from the folder of this policy file: `extern geo from \"geo.bpf.c\"`");
    }
    if (analysis.policy.filters.size() == HD_FILTERS_MAX) {
      analysis.report(kinds::too_many_filters(declared.name.span, HD_FILTERS_MAX))
          .with_help("one filter can decide several things: its maps can hold what differs");
    }
    analysis.policy.filters.push_back({name, declared.path.value, declared.doc, declared.name.span, declared.path.span});
  }
}

}  // namespace heddle::sema
