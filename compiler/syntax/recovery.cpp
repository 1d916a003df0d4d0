#include "compiler/syntax/recovery.h"

#include <CommonToken.h>
#include <Exceptions.h>
#include <InputMismatchException.h>
#include <NoViableAltException.h>
#include <atn/ATN.h>
#include <atn/ATNConfig.h>
#include <atn/RuleTransition.h>
#include <misc/IntervalSet.h>

#include <algorithm>

#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/suggest.h"
#include "compiler/syntax/lex.h"
#include "compiler/syntax/parse.h"

namespace heddle::syntax {

namespace {

namespace kinds = diagnostics::kinds;
using antlr4::Token;

const antlr4::atn::ATNState& state_of(antlr4::Parser* parser) {
  return *parser->getATN().states[parser->getState()];
}

TokenSet to_set(const antlr4::misc::IntervalSet& intervals) {
  TokenSet set;
  for (const antlr4::misc::Interval& interval : intervals.getIntervals()) {
    // -1 is the end of the file, -2 ANTLR's mark for the empty word.
    for (ssize_t token = std::max<ssize_t>(interval.a, -1); token <= interval.b; ++token) {
      if (token != 0) set.insert(static_cast<size_t>(token));
    }
  }
  return set;
}

TokenSet next_tokens(antlr4::Parser* parser, const antlr4::atn::ATNState& state) {
  return to_set(parser->getATN().nextTokens(const_cast<antlr4::atn::ATNState*>(&state)));
}

/// A line that begins with the keyword of a declaration: where everything certainly starts anew.
bool is_fresh_start(const Token& token) {
  return token.getCharPositionInLine() == 0 && starts_declaration(token.getType());
}

/// How many braces are open between the start of the statement and here.
int open_braces(antlr4::Parser* parser) {
  auto* tokens = static_cast<antlr4::CommonTokenStream*>(parser->getTokenStream());
  int depth = 0;
  for (size_t i = parser->getContext()->getStart()->getTokenIndex(); i < tokens->index(); ++i) {
    const size_t type = tokens->get(i)->getType();
    if (type == Parser::LBRACE) ++depth;
    if (type == Parser::RBRACE) --depth;
  }
  return depth;
}

/// The phrase of the largest rule that was about to begin at the token.
const char* phrase_at(antlr4::Parser* parser, const Token& found) {
  const char* phrase = nullptr;
  for (auto* context = parser->getContext(); context != nullptr;
       context = dynamic_cast<antlr4::ParserRuleContext*>(context->parent)) {
    const Token* start = context->getStart();
    if (start == nullptr || start->getTokenIndex() != found.getTokenIndex()) break;
    if (const char* own = phrase_of_rule(context->getRuleIndex())) phrase = own;
  }
  return phrase;
}

/// What was probably meant.
std::optional<std::string> hint_for(const Token& found, const TokenSet& expected) {
  const size_t type = found.getType();
  if (type == Token::EOF) return std::nullopt;
  if (auto meant = diagnostics::did_you_mean(found.getText(), words_of(expected))) return meant;
  if (is_reserved_word(type) && expected.contains(Parser::NAME)) return "a reserved word cannot be a name";
  if (type == Parser::EQUALS && expected.contains(Parser::IS)) return "equality is written `is`";
  if (type == Parser::LBRACKET && expected.contains(Parser::ANY))
    return "several callers are written `from a, b`";
  const bool no_port = type == Parser::IPV4 || type == Parser::IPV6;
  if (no_port && expected.contains(Parser::IPV6_PORT)) {
    return "write the port, too: `10.0.0.1:80`, and IPv6 in brackets: `[fd00::1]:80`";
  }
  return std::nullopt;
}

/// Whether parsing can go on at a token that may begin the next statement. A plain name may be anything; only
/// a method begins a statement, that of a request.
bool can_resume(const Token& token, const TokenSet& next) {
  if (!next.contains(token.getType())) return false;
  const std::string text = token.getText();
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  return token.getType() != Parser::NAME || std::none_of(text.begin(), text.end(), is_lower);
}

}  // namespace

void Recovery::reset(antlr4::Parser* /*parser*/) {
  recovering_ = false;
}

void Recovery::remember_decision(antlr4::Parser* parser) {
  const size_t at = parser->getTokenStream()->index();
  if (at != decision_token_) decision_states_.clear();
  decision_token_ = at;
  decision_states_.push_back(parser->getState());
}

void Recovery::sync(antlr4::Parser* parser) {
  if (recovering_) return;
  remember_decision(parser);
  const size_t rule = parser->getContext()->getRuleIndex();
  const char* items = items_of_block(rule);
  if (items == nullptr) return;
  const auto& following = parser->getATN().nextTokens(const_cast<antlr4::atn::ATNState*>(&state_of(parser)));
  const size_t close = rule == Parser::RuleFile ? Token::EOF : static_cast<size_t>(Parser::RBRACE);
  const Token& found = *parser->getCurrentToken();
  if (!following.contains(close) || following.contains(found.getType())) return;
  // Elsewhere an end of the block is reported as a missing `}`.
  if (rule != Parser::RuleFile && (found.getType() == Token::EOF || is_fresh_start(found))) return;
  TokenSet expected;
  for (const size_t state : decision_states_)
    expected.merge(next_tokens(parser, *parser->getATN().states[state]));
  report(parser, found, expected, items);
  if (rule == Parser::RuleFile) {
    skip_declaration(parser, 0);
  } else {
    skip_statement(parser, next_tokens(parser, state_of(parser)), 0);
  }
}

antlr4::Token* Recovery::recoverInline(antlr4::Parser* parser) {
  Token* found = parser->getCurrentToken();
  const bool at_end = found->getType() == Token::EOF || is_fresh_start(*found);
  const bool closes = next_tokens(parser, state_of(parser)).contains(Parser::RBRACE);
  if (!at_end || !closes || items_of_block(parser->getContext()->getRuleIndex()) == nullptr) {
    throw antlr4::InputMismatchException(parser);
  }
  if (!recovering_) report_unclosed(parser, *found);
  recovering_ = true;
  auto brace = std::make_unique<antlr4::CommonToken>(Parser::RBRACE, "}");
  brace->setStartIndex(found->getStartIndex());
  brace->setStopIndex(found->getStartIndex() - 1);
  made_up_.push_back(std::move(brace));
  return made_up_.back().get();
}

void Recovery::recover(antlr4::Parser* parser, std::exception_ptr error) {
  const auto* context = parser->getContext();
  const size_t rule = context->getRuleIndex();
  if (rule == Parser::RuleDeclaration) return skip_declaration(parser, open_braces(parser));
  if (!is_statement(rule)) {
    if (context->parent != nullptr) std::rethrow_exception(error);
    return skip_statement(parser, {}, 0);
  }
  const auto* call = parser->getATN().states[context->invokingState]->transitions[0];
  const auto* next = static_cast<const antlr4::atn::RuleTransition*>(call)->followState;
  skip_statement(parser, next_tokens(parser, *next), open_braces(parser));
}

void Recovery::skip_statement(antlr4::Parser* parser, const TokenSet& next, int depth) {
  bool moved = parser->getTokenStream()->index() > parser->getContext()->getStart()->getTokenIndex();
  while (true) {
    const Token& token = *parser->getCurrentToken();
    const size_t type = token.getType();
    if (type == Token::EOF || (moved && is_fresh_start(token))) return;
    if (depth <= 0 && (type == Parser::RBRACE || (moved && can_resume(token, next)))) return;
    if (type == Parser::LBRACE) ++depth;
    if (type == Parser::RBRACE) --depth;
    parser->consume();
    moved = true;
  }
}

void Recovery::skip_declaration(antlr4::Parser* parser, int depth) {
  bool moved = parser->getTokenStream()->index() > parser->getContext()->getStart()->getTokenIndex();
  while (true) {
    const Token& token = *parser->getCurrentToken();
    const size_t type = token.getType();
    if (type == Token::EOF || (moved && is_fresh_start(token))) return;
    if (type == Parser::LBRACE) ++depth;
    if (type == Parser::RBRACE) --depth;
    parser->consume();
    moved = true;
    if (type == Parser::RBRACE && depth <= 0) return;
  }
}

TokenSet Recovery::expected_tokens(antlr4::Parser* parser, const antlr4::RecognitionException& error) const {
  TokenSet expected;
  if (decision_token_ == parser->getTokenStream()->index()) {
    for (const size_t state : decision_states_)
      expected.merge(next_tokens(parser, *parser->getATN().states[state]));
  }
  const auto* no_choice = dynamic_cast<const antlr4::NoViableAltException*>(&error);
  const bool deeper = no_choice != nullptr && no_choice->getStartToken() != no_choice->getOffendingToken();
  if (!deeper) {
    expected.merge(next_tokens(parser, state_of(parser)));
  } else if (no_choice->getDeadEndConfigs() != nullptr) {
    expected.clear();
    for (const auto& config : no_choice->getDeadEndConfigs()->configs) {
      if (!config->state->epsilonOnlyTransitions) expected.merge(next_tokens(parser, *config->state));
    }
  }
  return expected;
}

void Recovery::reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) {
  if (recovering_) return;
  const Token& found = *error.getOffendingToken();
  report(parser, found, expected_tokens(parser, error), phrase_at(parser, found));
}

void Recovery::count_error() {
  recovering_ = true;
  if (places_.size() <= max_errors_per_file) return;
  sink_.report(kinds::too_many_errors({file_, places_.back().end, places_.back().end}, max_errors_per_file));
  throw antlr4::ParseCancellationException();
}

void Recovery::report(antlr4::Parser* parser, const Token& found, const TokenSet& expected,
                      const char* phrase) {
  source::Span span = span_of(found, file_);
  places_.push_back(span);
  if (is_reported_by_lexer(found.getType())) return count_error();
  std::string wanted;
  if (phrase == nullptr) {
    wanted = describe_expected(expected);
  } else {
    // In a block the last statement may have gone on; what comes next is one phrase, not every keyword.
    TokenSet rest = expected;
    const TokenSet own = next_tokens(parser, state_of(parser));
    const bool block = items_of_block(parser->getContext()->getRuleIndex()) == phrase;
    if (block) {
      for (const size_t token : own) rest.erase(token);
      rest.erase(Parser::DOT);
    }
    // Who misspelt the next statement does not want to hear how the last one could go on.
    const bool misspelt = diagnostics::closest(found.getText(), words_of(own)).has_value();
    if (block && !rest.empty() && !misspelt) wanted = describe_expected(rest) + ", ";
    wanted += phrase;
    if (block && own.contains(Parser::RBRACE)) wanted += " or `}`";
  }
  auto& diagnostic = sink_.report(kinds::syntax(span, wanted, describe_found(found)));
  if (const auto hint = hint_for(found, expected)) diagnostic.with_help(*hint);
  count_error();
}

void Recovery::report_unclosed(antlr4::Parser* parser, const Token& found) {
  const source::Span span = span_of(found, file_);
  places_.push_back(span);
  const char* items = items_of_block(parser->getContext()->getRuleIndex());
  auto& diagnostic = sink_.report(kinds::syntax(span, std::string(items) + " or `}`", describe_found(found)));
  auto* tokens = static_cast<antlr4::CommonTokenStream*>(parser->getTokenStream());
  for (size_t i = parser->getContext()->getStart()->getTokenIndex(); i < tokens->index(); ++i) {
    if (tokens->get(i)->getType() != Parser::LBRACE) continue;
    const source::Span brace = span_of(*tokens->get(i), file_);
    diagnostic.with_label(brace, "this block is not closed");
    places_.push_back(brace);
    break;
  }
  count_error();
}

}  // namespace heddle::syntax
