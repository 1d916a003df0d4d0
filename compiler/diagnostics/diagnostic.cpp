#include "compiler/diagnostics/diagnostic.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "compiler/diagnostics/kinds.h"

namespace heddle::diagnostics {

std::string shortened(Text text) {
  constexpr std::size_t longest = 200;
  if (text.size() <= longest) return std::string(text);
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

Diagnostic& Sink::report(Diagnostic diagnostic) {
  const source::Span& span = diagnostic.span;
  if (!said_.emplace(diagnostic.kind->code, span.file, span.begin, span.end, diagnostic.message).second) {
    repeated_ = std::move(diagnostic);
    return repeated_;
  }
  if (diagnostic.kind->severity == Severity::error) ++errors_;
  if (diagnostic.kind->severity == Severity::warning) ++warnings_;
  diagnostics_.push_back(std::move(diagnostic));
  return diagnostics_.back();
}

std::vector<Diagnostic> Sink::sorted(const source::SourceManager& sources) const {
  std::vector<Diagnostic> result = diagnostics_;
  const auto key = [&sources](const Diagnostic& d) {
    return std::make_tuple(std::string_view(sources.name(d.span.file)), d.span.begin, d.span.end,
                           std::string_view(d.kind->code), std::string_view(d.message));
  };
  std::stable_sort(result.begin(), result.end(),
                   [&key](const Diagnostic& a, const Diagnostic& b) { return key(a) < key(b); });
  return result;
}

const std::vector<const KindInfo*>& all_kinds() {
  static const std::vector<const KindInfo*> kinds = [] {
    std::vector<const KindInfo*> list = {
#define HEDDLE_DIAGNOSTIC(code, name, severity, format, arguments) &kinds::name.info(),
#include "compiler/diagnostics/kinds.def"
#undef HEDDLE_DIAGNOSTIC
    };
    std::sort(list.begin(), list.end(), [](const KindInfo* a, const KindInfo* b) {
      return std::string_view(a->code) < std::string_view(b->code);
    });
    return list;
  }();
  return kinds;
}

const KindInfo* find_kind(std::string_view code) {
  for (const KindInfo* kind : all_kinds()) {
    if (code == kind->code) return kind;
  }
  return nullptr;
}

}  // namespace heddle::diagnostics
