#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/diagnostic.h"

/// The declared kinds as functions: `kinds::unknown_service(span, name)` makes the diagnostic. The number and the
/// types of the arguments are checked by the compiler against the declaration in kinds.def.
namespace heddle::diagnostics {

using Text = std::string_view;
using Count = std::uint64_t;

template <typename... Arguments>
class Kind {
 public:
  consteval Kind(const char* code, const char* name, Severity severity, fmt::format_string<const Arguments&...> format,
                 const char* text)
      : info_{code, name, severity, text}, format_(format) {}

  Diagnostic operator()(source::Span span, const Arguments&... arguments) const {
    Diagnostic diagnostic;
    diagnostic.kind = &info_;
    diagnostic.span = span;
    diagnostic.message = fmt::format(format_, arguments...);
    return diagnostic;
  }
  [[nodiscard]] constexpr const KindInfo& info() const { return info_; }

 private:
  KindInfo info_;
  fmt::format_string<const Arguments&...> format_;
};

namespace kinds {
#define HEDDLE_ARGUMENTS(...) __VA_ARGS__
#define HEDDLE_DIAGNOSTIC(code, name, severity, format, arguments) \
  inline constexpr Kind<HEDDLE_ARGUMENTS arguments> name{#code, #name, Severity::severity, format, format};
#include "compiler/diagnostics/kinds.def"
#undef HEDDLE_DIAGNOSTIC
#undef HEDDLE_ARGUMENTS
}  // namespace kinds

}  // namespace heddle::diagnostics
