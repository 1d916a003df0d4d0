#pragma once

#include <Exceptions.h>
#include <atn/ParserATNSimulator.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "compiler/syntax/lex.h"
#include "compiler/syntax/recovery.h"

namespace heddle::syntax {

/// Whether a place begins in a declaration, or directly behind it, where its end was missed.
inline bool touches(source::Span declaration, source::Span place) {
  return place.begin >= declaration.begin && place.begin <= declaration.end;
}

/// Tokens, and the tree that stands on them.
class Reader {
 public:
  Reader(Lexed lexed, source::FileId file, diagnostics::Sink& sink)
      : lexed_(std::move(lexed)),
        source_(std::move(lexed_.tokens)),
        tokens_(&source_),
        parser_(&tokens_),
        file_(file),
        sink_(sink) {
    parser_.removeErrorListeners();
    tokens_.fill();
  }

  /// The quick prediction is right for every right text; what it cannot read is read again with the full one,
  /// and only then are errors reported. Null: given up after too many of them.
  template <typename Context>
  Context* read(Context* (Parser::*rule)()) {
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
        antlr4::atn::PredictionMode::SLL);
    parser_.setErrorHandler(std::make_shared<antlr4::BailErrorStrategy>());
    try {
      return (parser_.*rule)();
    } catch (const antlr4::ParseCancellationException&) {
      tokens_.seek(0);
      parser_.reset();
    }
    parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(
        antlr4::atn::PredictionMode::LL);
    recovery_ = std::make_shared<Recovery>(file_, sink_);
    parser_.setErrorHandler(recovery_);
    try {
      return (parser_.*rule)();
    } catch (const antlr4::ParseCancellationException&) {
      return nullptr;
    }
  }

  /// Where the syntax errors were.
  [[nodiscard]] std::vector<source::Span> errors() const {
    return recovery_ == nullptr ? std::vector<source::Span>() : recovery_->places();
  }
  [[nodiscard]] bool has_error_in(source::Span span) const {
    const auto places = errors();
    return std::any_of(places.begin(), places.end(),
                       [span](source::Span place) { return touches(span, place); });
  }
  [[nodiscard]] bool has_errors() const { return recovery_ != nullptr; }
  antlr4::CommonTokenStream& tokens() { return tokens_; }

 private:
  Lexed lexed_;
  antlr4::ListTokenSource source_;
  antlr4::CommonTokenStream tokens_;
  Parser parser_;
  source::FileId file_;
  diagnostics::Sink& sink_;
  std::shared_ptr<Recovery> recovery_;
};

}  // namespace heddle::syntax
