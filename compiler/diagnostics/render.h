#pragma once

#include <string>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_manager.h"

namespace heddle::diagnostics {

/// For people: message, file and line, the source line with carets, labels, help; a last line with the
/// counts.
std::string render_pretty(const Sink& sink, const source::SourceManager& sources, bool colour);

/// For tools: one JSON object `{"diagnostics":[…],"errors":N,"warnings":N}`, byte offsets and lines of every
/// span.
std::string render_json(const Sink& sink, const source::SourceManager& sources);

}  // namespace heddle::diagnostics
