#pragma once

#include <optional>
#include <string>

#include "compiler/source/source_manager.h"

namespace heddle::cli {

/// `policy/reviews.mesh:41:3`, where a span begins.
std::string place_text(const source::SourceManager& sources, source::Span span);

/// The words of a span on one line: every run of blanks and line ends is one blank.
std::string words_of(const source::SourceManager& sources, source::Span span);

}  // namespace heddle::cli
