#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/diagnostics/diagnostic.h"

/// The declared kinds as functions: `kinds::unknown_service(span, name)` makes the diagnostic. The number and
/// the types of the arguments are checked by the compiler against the declaration in kinds.def.
namespace heddle::diagnostics {

using Text = std::string_view;
using Count = std::uint64_t;

/// What a message shows of an argument: names and literals can be as long as a file.
std::string shortened(Text text);
inline Count shortened(Count number) {
  return number;
}

template <typename... Arguments>
class Kind {
 public:
  /// The second of the two formats exists to be checked against the types at compile time.
  consteval Kind(const char* code, const char* name, Severity severity, const char* format,
                 fmt::format_string<const Arguments&...> /*checked*/)
      : info_{code, name, severity, format} {}

  Diagnostic operator()(source::Span span, const Arguments&... arguments) const {
    Diagnostic diagnostic;
    diagnostic.kind = &info_;
    diagnostic.span = span;
    diagnostic.message = fmt::vformat(info_.format, fmt::make_format_args(shortened(arguments)...));
    return diagnostic;
  }
  [[nodiscard]] constexpr const KindInfo& info() const { return info_; }

 private:
  KindInfo info_;
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
