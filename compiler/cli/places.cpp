#include "compiler/cli/places.h"

#include <string_view>

#include "compiler/diagnostics/printable.h"

namespace heddle::cli {

std::string place_text(const source::SourceManager& sources, source::Span span) {
  const source::Position position = sources.position(span.file, span.begin);
  return sources.name(span.file) + ":" + std::to_string(position.line) + ":" +
         std::to_string(position.column);
}

std::string words_of(const source::SourceManager& sources, source::Span span) {
  std::string words;
  bool gap = false;
  for (const char byte : sources.text(span)) {
    if (std::string_view(" \t\r\n").find(byte) != std::string_view::npos) {
      gap = true;
      continue;
    }
    if (gap && !words.empty()) words += ' ';
    gap = false;
    words += byte;
  }
  return diagnostics::printable(words);
}

}  // namespace heddle::cli
