#include "compiler/syntax/builder.h"

#include <sstream>

#include "compiler/syntax/lex.h"

namespace heddle::syntax {

source::Span Builder::span(const antlr4::Token* token) const {
  return span_of(*token, file_.id);
}

source::Span Builder::span(const antlr4::ParserRuleContext* context) const {
  const source::Span first = span(context->start);
  // A rule that ended before its first token has no stop.
  if (context->stop == nullptr) return first;
  const source::Span last = span(context->stop);
  return last.end < first.begin ? first : join(first, last);
}

ast::Name Builder::name(Parser::NameContext* context) const {
  const source::Span place = span(context);
  return {text(place), place};
}

ast::QualifiedName Builder::name(Parser::QualifiedNameContext* context) const {
  ast::QualifiedName result;
  result.span = span(context);
  result.name = name(context->name().back()).text;
  if (context->DOT() != nullptr) result.space = name(context->name().front()).text;
  return result;
}

std::vector<ast::QualifiedName> Builder::names(
    const std::vector<Parser::QualifiedNameContext*>& contexts) const {
  std::vector<ast::QualifiedName> result;
  for (auto* context : contexts) result.push_back(name(context));
  return result;
}

ast::String Builder::string(antlr4::tree::TerminalNode* node) const {
  const source::Span place = span(node);
  return {string_value(text(place)), place};
}

ast::String Builder::between_slashes(antlr4::tree::TerminalNode* regex) const {
  source::Span between = span(regex);
  const std::string written = text(between);
  ++between.begin;
  --between.end;
  return {written.substr(1, written.size() - 2), between};
}

ast::Number Builder::number(antlr4::tree::TerminalNode* node) const {
  const source::Span place = span(node);
  return {text(place), place};
}

ast::Timeout Builder::timeout(antlr4::tree::TerminalNode* node,
                              const antlr4::ParserRuleContext* context) const {
  ast::Timeout result;
  if (node != nullptr) result.time = number(node);
  result.span = span(context);
  return result;
}

ast::Choice Builder::choice(const antlr4::ParserRuleContext* context) const {
  const source::Span place = span(context);
  return {text(place), place};
}

ast::Address Builder::address(Parser::SocketAddressContext* context) const {
  const source::Span place = span(context);
  return {text(place), place};
}

void Builder::unsupported(source::Span place) {
  std::istringstream words(text(place));
  std::string what;
  for (std::string word; words >> word;) what += (what.empty() ? "" : " ") + word;
  unsupported(what, place);
}

bool is_whole(const antlr4::ParserRuleContext* context) {
  return context != nullptr && context->exception == nullptr;
}

}  // namespace heddle::syntax
