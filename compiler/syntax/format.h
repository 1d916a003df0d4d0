#pragma once

#include <optional>
#include <string>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_manager.h"

namespace heddle::syntax {

/// The file in the one format, with all its comments; nothing if its form is wrong, which was reported. What is formatted
/// stays as it is when it is formatted again.
std::optional<std::string> format_file(const source::SourceManager& sources, source::FileId id,
                                       diagnostics::Sink& sink);

}  // namespace heddle::syntax
