#pragma once

#include <optional>

#include "compiler/ast/file.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_manager.h"

namespace heddle::syntax {

/// How deep brackets may nest: everything after the parser walks conditions recursively.
inline constexpr std::size_t max_nesting = 64;

/// After this many syntax errors the rest of a file is not looked at.
inline constexpr std::size_t max_errors_per_file = 50;

/// Reads one file. Whatever is wrong is reported; what could be read despite it is in the result.
ast::File parse_file(const source::SourceManager& sources, source::FileId file, diagnostics::Sink& sink);

/// A file that consists of one request. Nothing if it has errors, which are then reported.
std::optional<ast::Request> parse_request(const source::SourceManager& sources, source::FileId file,
                                          diagnostics::Sink& sink);

}  // namespace heddle::syntax
