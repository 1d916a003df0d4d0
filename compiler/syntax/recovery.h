#pragma once

#include <memory>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/span.h"
#include "compiler/syntax/antlr.h"
#include "compiler/syntax/expected.h"

namespace heddle::syntax {

/// What the parser does at a syntax error: says once what was expected and what was found, gives the whole
/// statement up, and goes on at the next statement of the block. A block that was not closed ends where a
/// line starts with a declaration. Replaces ANTLR's strategy, which guesses token by token and talks about
/// rules of the grammar.
class Recovery : public antlr4::ANTLRErrorStrategy {
 public:
  Recovery(source::FileId file, diagnostics::Sink& sink) : file_(file), sink_(sink) {}

  void reset(antlr4::Parser* parser) override;
  antlr4::Token* recoverInline(antlr4::Parser* parser) override;
  void recover(antlr4::Parser* parser, std::exception_ptr error) override;
  void sync(antlr4::Parser* parser) override;
  bool inErrorRecoveryMode(antlr4::Parser* /*parser*/) override { return recovering_; }
  void reportMatch(antlr4::Parser* /*parser*/) override { recovering_ = false; }
  void reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) override;

  /// Where the errors were, also those that the lexer had reported.
  [[nodiscard]] const std::vector<source::Span>& places() const { return places_; }

 private:
  void remember_decision(antlr4::Parser* parser);
  void report(antlr4::Parser* parser, const antlr4::Token& found, const TokenSet& expected,
              const char* phrase);
  void report_unclosed(antlr4::Parser* parser, const antlr4::Token& found);
  void count_error();
  [[nodiscard]] TokenSet expected_tokens(antlr4::Parser* parser,
                                         const antlr4::RecognitionException& error) const;
  void skip_statement(antlr4::Parser* parser, const TokenSet& next, int depth);
  void skip_declaration(antlr4::Parser* parser, int depth);

  source::FileId file_;
  diagnostics::Sink& sink_;
  bool recovering_ = false;
  std::vector<source::Span> places_;
  // The decisions that were made looking at one token: together they are what could have stood there.
  size_t decision_token_ = 0;
  std::vector<size_t> decision_states_;
  std::vector<std::unique_ptr<antlr4::Token>> made_up_;
};

}  // namespace heddle::syntax
