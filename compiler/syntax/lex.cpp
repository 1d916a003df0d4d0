#include "compiler/syntax/lex.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/printable.h"
#include "compiler/syntax/byte_stream.h"
#include "compiler/syntax/parse.h"

namespace heddle::syntax {

namespace {

namespace kinds = diagnostics::kinds;
using diagnostics::Sink;
using source::FileId;
using source::Span;

// A message shows at most this much of a bad token.
constexpr size_t shown_bytes = 40;

std::string shortened(std::string_view text) {
  if (text.size() <= shown_bytes) return std::string(text);
  size_t end = shown_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

Span place(FileId file, size_t begin, size_t length) {
  return {file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(begin + length)};
}

bool is_allowed_control(unsigned char c) {
  return c == '\t' || c == '\n' || c == '\r';
}

/// Whether the file is text at all. The first offence is enough: what is not text has thousands.
bool check_bytes(std::string_view text, FileId file, Sink& sink) {
  if (text.size() > source::max_file_bytes) {
    sink.report(kinds::file_too_large(place(file, source::max_file_bytes, 0), source::max_file_bytes))
        .with_help("is this a policy? if so, split it into several files");
    return false;
  }
  if (text.starts_with("\xEF\xBB\xBF")) {
    sink.report(kinds::byte_order_mark(place(file, 0, 3))).with_help("save the file as UTF-8 without one");
    return false;
  }
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = c < 0x80 ? 1 : diagnostics::utf8_length(text.substr(i));
    if (length == 0) {
      sink.report(kinds::not_utf8(place(file, i, 1), fmt::format("0x{:02x}", c)))
          .with_help("save the file as UTF-8");
      return false;
    }
    if ((c < 0x20 && !is_allowed_control(c)) || c == 0x7F) {
      sink.report(kinds::control_character(place(file, i, 1), fmt::format("0x{:02x}", c)))
          .with_help("is this a text file? inside a string write `\\xHH`");
      return false;
    }
    i += length;
  }
  return true;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// The length of a right escape at the start of `text`, which begins with a backslash; 0 if it is none.
size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (std::string_view("\"\\nt").find(text[1]) != std::string_view::npos) return 2;
  const bool hex = text[1] == 'x' && text.size() >= 4 && is_hex(text[2]) && is_hex(text[3]);
  return hex ? 4 : 0;
}

void check_escapes(std::string_view text, Span span, Sink& sink) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const size_t length = escape_length(text.substr(i));
    if (length == 0) {
      const size_t bytes = 1 + diagnostics::utf8_length(text.substr(i + 1));
      sink.report(
              kinds::bad_escape(place(span.file, span.begin + i, bytes), std::string(text.substr(i, bytes))))
          .with_help(R"(a string knows `\"`, `\\`, `\n`, `\t` and `\xHH`)");
    }
    i += length == 0 ? 1 : length - 1;
  }
}

void report_bad_number(std::string_view text, Span span, Sink& sink) {
  sink.report(kinds::bad_number(span, shortened(text)))
      .with_help(
          "units stand right behind the number: `250ms` `0.5s` `5m` `1h`, `100/s` `6000/m`, `64KiB`, "
          "`12.5%`, "
          "`10.0.0.0/8`");
}

void report_bad_character(std::string_view text, Span span, Sink& sink) {
  auto& diagnostic = sink.report(kinds::unexpected_character(span, shortened(text)));
  if (text == "'" || text == "`") diagnostic.with_help("strings stand in double quotes: `\"text\"`");
  if (text == "/") diagnostic.with_help("paths stand in double quotes: `\"/health\"`");
  if (text == "#") diagnostic.with_help("comments start with `//`");
  if (text == ";") diagnostic.with_help("nothing ends a statement: the next keyword or `}` does");
  if (text == "&" || text == "|" || text == "!") diagnostic.with_help("write `and`, `or` and `not`");
  if (static_cast<unsigned char>(text[0]) >= 0x80)
    diagnostic.with_help("outside of strings and comments all is ASCII");
}

/// Reports what is wrong with one token.
void check_token(const antlr4::Token& token, std::string_view text, Span span, Sink& sink) {
  switch (token.getType()) {
    case Lexer::STRING:
      check_escapes(text, span, sink);
      break;
    case Lexer::UNTERMINATED_STRING:
      sink.report(kinds::unterminated_string(span))
          .with_help("it ends with `\"` on the same line; a line break in it is `\\n`");
      break;
    case Lexer::UNTERMINATED_COMMENT:
      sink.report(kinds::unterminated_comment({span.file, span.begin, span.begin + 2}))
          .with_help("it ends with `*/`");
      break;
    case Lexer::BAD_NUMBER:
      report_bad_number(text, span, sink);
      break;
    case Lexer::SINGLE_QUOTED:
      sink.report(kinds::unexpected_character(place(span.file, span.begin, 1), "'"))
          .with_help("strings stand in double quotes: `\"text\"`");
      break;
    case Lexer::UNKNOWN:
      report_bad_character(text, span, sink);
      break;
    default:
      break;
  }
}

/// Brackets may nest so deep that nothing after the lexer has to care about its stack.
class NestingGuard {
 public:
  /// False, and reported, at the first token that is too deep.
  bool pass(size_t type, Span span, Sink& sink) {
    if (type == Lexer::LBRACE || type == Lexer::LBRACKET || type == Lexer::LPAREN) ++depth_;
    const bool closes = type == Lexer::RBRACE || type == Lexer::RBRACKET || type == Lexer::RPAREN;
    if (closes && depth_ > 0) --depth_;
    if (depth_ <= max_nesting) return true;
    sink.report(kinds::nested_too_deeply(span, max_nesting))
        .with_help("split the condition into several rules");
    return false;
  }

 private:
  size_t depth_ = 0;
};

}  // namespace

Span span_of(const antlr4::Token& token, FileId file) {
  // ANTLR's stop is inclusive; the end of the file has none.
  const size_t begin = token.getStartIndex();
  return place(file, begin, token.getType() == antlr4::Token::EOF ? 0 : token.getStopIndex() + 1 - begin);
}

bool is_reported_by_lexer(size_t token_type) {
  return token_type == Lexer::UNTERMINATED_STRING || token_type == Lexer::UNTERMINATED_COMMENT ||
         token_type == Lexer::BAD_NUMBER || token_type == Lexer::SINGLE_QUOTED ||
         token_type == Lexer::UNKNOWN;
}

std::optional<Lexed> lex(std::string_view text, FileId file, Sink& sink) {
  if (!check_bytes(text, file, sink)) return std::nullopt;
  const size_t errors_before = sink.error_count();
  Lexed result;
  result.stream = std::make_unique<ByteStream>(text);
  result.lexer = std::make_unique<Lexer>(result.stream.get());
  result.lexer->removeErrorListeners();
  NestingGuard nesting;
  do {
    result.tokens.push_back(result.lexer->nextToken());
    const antlr4::Token& token = *result.tokens.back();
    const Span span = span_of(token, file);
    check_token(token, text.substr(span.begin, span.end - span.begin), span, sink);
    if (!nesting.pass(token.getType(), span, sink)) return std::nullopt;
    if (sink.error_count() - errors_before >= max_errors_per_file) {
      sink.report(kinds::too_many_errors({file, span.end, span.end}, max_errors_per_file));
      return std::nullopt;
    }
  } while (result.tokens.back()->getType() != antlr4::Token::EOF);
  return result;
}

std::string string_value(std::string_view token_text) {
  const std::string_view inner = token_text.substr(1, token_text.size() - 2);
  std::string value;
  value.reserve(inner.size());
  for (size_t i = 0; i < inner.size(); ++i) {
    const size_t length = inner[i] == '\\' ? escape_length(inner.substr(i)) : 0;
    if (length == 0) {
      value += inner[i];
    } else if (length == 4) {
      value += static_cast<char>(std::stoi(std::string(inner.substr(i + 2, 2)), nullptr, 16));
    } else {
      value += inner[i + 1] == 'n' ? '\n' : inner[i + 1] == 't' ? '\t' : inner[i + 1];
    }
    i += length == 0 ? 0 : length - 1;
  }
  return value;
}

}  // namespace heddle::syntax
