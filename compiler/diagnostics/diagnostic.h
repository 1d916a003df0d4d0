#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "compiler/source/source_manager.h"
#include "compiler/source/span.h"

namespace heddle::diagnostics {

enum class Severity : std::uint8_t { error, warning, note };

/// What is fixed about one kind of diagnostic: every one is declared once, in kinds.def.
struct KindInfo {
  const char* code;  // `E0123`, `W0123`, `N0123`; never given to another kind
  const char* name;  // `unknown_service`
  Severity severity;
  const char* format;
};

/// A second place that helps to understand the first.
struct Label {
  source::Span span;
  std::string text;
};

/// One problem with the user's policy. Texts are lower case, without full stop, names in backticks.
struct Diagnostic {
  const KindInfo* kind = nullptr;
  source::Span span;
  std::string message;
  std::string label;  // what the carets say, or empty
  std::vector<Label> labels;
  std::vector<std::string> help;

  Diagnostic& with_label(std::string text) {
    label = std::move(text);
    return *this;
  }
  Diagnostic& with_label(source::Span place, std::string text) {
    labels.push_back({place, std::move(text)});
    return *this;
  }
  Diagnostic& with_help(std::string text) {
    help.push_back(std::move(text));
    return *this;
  }
};

/// Collects diagnostics. Nothing here throws or prints; who reports goes on.
class Sink {
 public:
  /// The reference stays good until the next report: `sink.report(kinds::x(span, …)).with_help(…)`. What was said of
  /// the same place before is not said again.
  Diagnostic& report(Diagnostic diagnostic);

  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] std::size_t error_count() const { return errors_; }
  [[nodiscard]] std::size_t warning_count() const { return warnings_; }
  [[nodiscard]] bool empty() const { return diagnostics_.empty(); }
  /// By file name and position, each text once.
  [[nodiscard]] std::vector<Diagnostic> sorted(const source::SourceManager& sources) const;

 private:
  using Said = std::tuple<std::string_view, source::FileId, std::uint32_t, std::uint32_t, std::string>;

  std::vector<Diagnostic> diagnostics_;
  std::set<Said> said_;  // code, place and message
  Diagnostic repeated_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
};

/// Every declared kind, by code.
const std::vector<const KindInfo*>& all_kinds();
const KindInfo* find_kind(std::string_view code);

}  // namespace heddle::diagnostics
