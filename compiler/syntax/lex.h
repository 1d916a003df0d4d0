#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_manager.h"
#include "compiler/syntax/antlr.h"

namespace heddle::syntax {

/// Tokens, with the stream and the lexer that they refer to for their text.
struct Lexed {
  std::unique_ptr<antlr4::CharStream> stream;
  std::unique_ptr<Lexer> lexer;
  Tokens tokens;
};

/// The tokens of a file, with documentation comments. Nothing if the bytes or the number of errors make
/// parsing pointless; what is wrong was reported. Bad tokens that were reported stay in the list
/// (is_reported_by_lexer).
std::optional<Lexed> lex(std::string_view text, source::FileId file, diagnostics::Sink& sink);

/// Whether the lexer said already what is wrong with a token of this type.
bool is_reported_by_lexer(size_t token_type);

source::Span span_of(const antlr4::Token& token, source::FileId file);

/// The bytes that a string token stands for. Its escapes were checked by lex.
std::string string_value(std::string_view token_text);

}  // namespace heddle::syntax
